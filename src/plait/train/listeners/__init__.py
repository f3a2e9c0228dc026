"""Listeners that hand figures to other tools, one file each; a tool's package is imported when it is requested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plait.core.tables import Entry, load_entry, look_up
from plait.train.listeners.base import FigureLog

__all__ = ["LISTENERS", "FigureLog", "open_logs"]

LISTENERS = {
    "tensorboard": Entry(
        target="plait.train.listeners.tensorboard:TensorBoardLog",
        family="listener",
        paper="-",
        summary="event files for TensorBoard, in the output folder",
    ),
    "wandb": Entry(
        target="plait.train.listeners.wandb:WandbLog",
        family="listener",
        paper="-",
        summary="a run of Weights & Biases for each run",
    ),
}


def open_logs(names: Sequence[str], folder: str | Path) -> list[FigureLog]:
    """Open the listeners of these names; each writes into its own part of a folder, and nothing before a run begins.

    Raises:
        UnknownNameError: there is no such listener.
        MissingPackageError: the package of its tool is not installed; the message says how to install it.
    """
    entries = {name: look_up("log", LISTENERS, name) for name in names}
    return [load_entry(entry)(Path(folder) / name) for name, entry in entries.items()]
