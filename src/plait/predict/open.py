"""A finished run, ready to answer what its task asks."""

from __future__ import annotations

from pathlib import Path

from plait.runs.open import load_run
from plait.tasks import find_task
from plait.trained import Model

__all__ = ["open_model"]


def open_model(folder: Path, *, device: str = "auto") -> Model:
    """Open a run's folder as the predictor of its task.

    Raises:
        CheckpointError: the folder holds no finished run, or a damaged one.
        ConfigError: there is no such device.
    """
    run = load_run(folder, device=device)
    return find_task(run.recipe.task).load_work().predictor(run)
