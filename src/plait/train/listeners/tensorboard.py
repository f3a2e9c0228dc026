"""Event files for TensorBoard. Needs the package `tensorboard`: pip install 'plait[tensorboard]'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.core.errors import MissingPackageError
from plait.train.listeners.base import FigureLog

__all__ = ["TensorBoardLog"]


class TensorBoardLog(FigureLog):
    """Write a folder of event files for each run; `tensorboard --logdir FOLDER` shows them side by side.

    Arguments:
        folder: where; a run "cross, seed 1" gets the folder "cross-seed-1" in it, made when the run begins
    Raises:
        MissingPackageError: TensorBoard is not installed.
    Example:
        with TensorBoardLog("logs") as log:
            plait.fit("photos", "flickr8k", "out", listener=log)
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError(
                f"log tensorboard needs the package `tensorboard`: pip install 'plait[tensorboard]' ({error})"
            ) from None
        self.folder = Path(folder)
        self._make: Any = SummaryWriter
        self._writers: dict[str, Any] = {}

    def write(self, run: str, figures: Mapping[str, float], step: int) -> None:
        """Add scalars at a step."""
        if run not in self._writers:
            self._writers[run] = self._make(log_dir=str(self.folder / re.sub(r"[^A-Za-z0-9_.-]+", "-", run)))
        for name, value in figures.items():
            self._writers[run].add_scalar(name, value, step)

    def finish(self, run: str) -> None:
        """Close the run's file."""
        writer = self._writers.pop(run, None)
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Close all files."""
        for run in list(self._writers):
            self.finish(run)
