"""Runs of Weights & Biases. Needs the package `wandb`: pip install 'plait[wandb]'."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from plait.core.errors import MissingPackageError
from plait.train.listeners.base import FigureLog

__all__ = ["WandbLog"]


class WandbLog(FigureLog):
    """Log each run as a run of Weights & Biases, all of them in one project.

    Account, server and mode are those of wandb itself (`wandb login`, WANDB_MODE=offline).

    Arguments:
        folder:  where wandb keeps its files; made when a run begins
        project: of these runs
    Raises:
        MissingPackageError: wandb is not installed.
    """

    def __init__(self, folder: str | Path, *, project: str = "plait") -> None:
        super().__init__()
        try:
            self._wandb: Any = import_module("wandb")
        except ImportError as error:
            raise MissingPackageError(
                f"log wandb needs the package `wandb`: pip install 'plait[wandb]' ({error})"
            ) from None
        self.folder = Path(folder)
        self.project = project
        self._runs: dict[str, Any] = {}

    def write(self, run: str, figures: Mapping[str, float], step: int) -> None:
        """Log figures at a step."""
        if run not in self._runs:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Runs side by side: each is an object of its own, and none ends the others.
            self._runs[run] = self._wandb.init(
                project=self.project, name=run, dir=str(self.folder), reinit="create_new"
            )
        self._runs[run].log(dict(figures), step=step)

    def finish(self, run: str) -> None:
        """End a run."""
        found = self._runs.pop(run, None)
        if found is not None:
            found.finish()

    def close(self) -> None:
        """End all runs."""
        for run in list(self._runs):
            self.finish(run)
