"""What an output folder holds: a run, a comparison or a packaged model. None is ever written into another's folder."""

from __future__ import annotations

from pathlib import Path

from plait.core.errors import ConfigError

__all__ = ["check_output", "kind_of"]

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
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out {folder}: this is a file; expected a folder, or a name that does not exist yet")
    found = kind_of(folder)
    if found is not None and found != kind:
        raise ConfigError(
            f"--out {folder}: this folder holds a {found}, and a {kind} would overwrite it; choose another folder"
        )
    for name in _WRITTEN[kind]:
        if (folder / name).is_dir():
            raise ConfigError(
                f"--out {folder}: {name} is a folder there, and a {kind} writes a file of that name; remove or rename it"
            )
