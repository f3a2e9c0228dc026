"""What an output folder holds: a run, a comparison or a packaged model. None is ever written into another's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.core.errors import ConfigError
from plait.core.os_errors import os_sentence
from plait.data.given import as_path

__all__ = ["CLEANED", "check_output", "kind_of", "output_folder"]

# What `check(fix=...)` writes is a data set of its own, and belongs in no folder of results.
CLEANED = "cleaned data"
# kind -> files that only a folder of this kind has; the first kind that fits is meant
_MARKS = {
    "comparison": ("compare.json", "results.json"),
    "packaged model": ("MODEL_CARD.md",),
    "run": ("plan.json", "run.json"),
}

# kind -> files that are written into such a folder, where no folder of that name may stand
_WRITTEN = {
    "comparison": ("compare.json", "results.json", "gallery.json", "report.html"),
    "packaged model": ("run.json", "weights.safetensors", "vocabulary.json", "MODEL_CARD.md"),
    "run": (
        "plan.json",
        "run.json",
        "weights.safetensors",
        "by_photo.safetensors",
        "vocabulary.json",
        "gallery.json",
        "events.jsonl",
        "state.safetensors",
    ),
}


def kind_of(folder: Path) -> str | None:
    """Give "comparison", "packaged model" or "run"; None for a folder that holds none of them."""
    return next((kind for kind, marks in _MARKS.items() if any((folder / mark).exists() for mark in marks)), None)


def check_output(folder: Path, kind: str) -> None:
    """Refuse to write results of one kind into a folder that holds another, or into something that is no folder.

    Raises:
        ConfigError: the message names what the folder holds.
    """
    if str(folder) in ("", ".") and kind_of(folder) is None and any(folder.glob("*")):
        raise ConfigError(
            "--out: expected a folder of its own for the results, got the current folder, which has files"
        )
    _refuse_files(folder)
    found = kind_of(folder)
    if found is not None and found != kind:
        raise ConfigError(
            f"--out {folder}: this folder holds a {found}, and a {kind} would overwrite it; choose another folder"
        )
    for name in _WRITTEN[kind]:
        if (folder / name).is_dir():
            raise ConfigError(
                f"--out {folder}: {name} is a folder, and a {kind} writes a file of that name; remove or rename it"
            )


def output_folder(out: Any, kind: str) -> Path:
    """Read where results of a kind are to be written, before anything is computed.

    Arguments:
        kind: "run", "comparison", "packaged model"; what is kept nowhere else, such as "check", may be written anywhere
    Raises:
        ConfigError: no path or an empty one, a file or a name below a file, a name that the system refuses, or a
            folder that holds another kind of result.
    """
    folder = as_path(out, "--out")
    try:
        if kind in _MARKS:
            check_output(folder, kind)
        else:
            _refuse_files(folder)
            if kind == CLEANED and (found := kind_of(folder)):
                raise ConfigError(
                    f"--fix {folder}: this folder holds a {found}; choose another folder for cleaned data"
                )
    except OSError as error:  # a name that is too long, or a folder above it that cannot be read
        raise ConfigError(f"--out {str(folder)[:80]}: {os_sentence(error, 'write')}") from error
    return folder


def _refuse_files(folder: Path) -> None:
    for above in (folder, *folder.parents):
        if above.is_dir():
            return
        if above.exists():
            what = "this" if above == folder else str(above)
            raise ConfigError(f"--out {folder}: {what} is a file; expected a folder, or a name that does not exist yet")
