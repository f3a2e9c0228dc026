"""A finished run, ready to answer what its task asks."""

from __future__ import annotations

from pathlib import Path

from plait.runs.open import load_run
from plait.trained import Model

__all__ = ["open_model"]


def open_model(folder: Path, *, device: str = "auto") -> Model:
    """Open a run's folder as the predictor of its task.

    Raises:
        CheckpointError: the folder holds no finished run, or a damaged one.
        ConfigError: there is no such device.
    """
    return load_run(folder, device=device).model()
