"""Classify photos by their paths, many at a time: every photo gets a row, those that cannot be read with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

from plait.core.class_result import ClassResult
from plait.core.errors import ConfigError, InputError
from plait.core.files import write_bytes
from plait.data.given import as_path
from plait.data.image_files import check_photo
from plait.data.photo_files import photo_files
from plait.train.events import Event, Listener, silent
from plait.trained import Model, Run

__all__ = ["ClassifiedFiles", "classify_files"]

FILES_AT_ONCE = 64
# With more labels than this, the table holds the best one's probability alone.
MOST_COLUMNS = 100


class Runs(Protocol):
    """What this needs of `plait.api`, which is handed down to it."""

    def load(self, run: str | Path | Run) -> Model:
        """Load a run, ready for use."""
        ...


@dataclass(frozen=True, eq=False)
class ClassifiedFiles:
    """What `classify_files` found.

    Fields:
        rows:    one per photo, in the order given: {"image", "label", "probability", "error"} and, with at most 100
                 labels, "p(LABEL)" of each; of a photo that cannot be read only "image" and "error" are not ""
        labels:  what was chosen from
        how:     where they come from, in words
        skipped: how many photos could not be read
        record:  that of the run, for its flags
    """

    rows: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]
    how: str
    skipped: int
    record: dict[str, Any]


def classify_files(
    api: Runs,
    photos: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    labels: str | Sequence[str] | None = None,
    run: str | Path | Run = "default",
    templates: str | Sequence[str] | None = None,
    temperature: float = 1.0,
    csv_file: str | Path | None = None,
    listener: Listener = silent,
) -> ClassifiedFiles:
    """Classify photos, and the photos in folders; one that cannot be read is a row that says why.

    Arguments:
        photos:      files and folders
        labels, templates, temperature: as in `Model.classify`
        csv_file:    where the rows are written as well; None = nowhere
    Raises:
        InputError: no photo, or none of them can be read.
        ConfigError: labels or templates that do not fit the run.
        StorageError: the file cannot be written.
    """
    out = None if csv_file is None else as_path(csv_file, "csv")
    if out is not None and out.is_dir():
        raise ConfigError(f"{out}: is a folder; expected the name of a CSV file")
    paths = photo_files([photos] if isinstance(photos, str | PathLike) else photos)
    model = api.load(run)
    options: dict[str, Any] = {"templates": templates, "temperature": temperature}
    rows: list[dict[str, Any]] = []
    result: ClassResult | None = None
    for start in range(0, len(paths), FILES_AT_ONCE):
        chunk = paths[start : start + FILES_AT_ONCE]
        broken: dict[Path, str] = {}
        try:
            found = model.classify(chunk, labels, **options)
        except InputError:
            broken = {path: reason for path in chunk if (reason := check_photo(path)) is not None}
            if not broken:  # then it is not about a photo
                raise
            whole = [path for path in chunk if path not in broken]
            found = model.classify(whole, labels, **options) if whole else None
        result = found or result
        rows += _rows(chunk, broken, found)
        listener(Event("step", "classifying", min(start + FILES_AT_ONCE, len(paths)), len(paths)))
    skipped = sum(1 for row in rows if row["error"])
    if result is None:
        raise InputError(f"none of {len(rows):,} photos could be read; the first: {rows[0]['error']}")
    if out is not None:
        write_bytes(out, _csv(rows, result.labels))
    return ClassifiedFiles(tuple(rows), result.labels, result.how, skipped, model.record)


def _rows(chunk: Sequence[Path], broken: dict[Path, str], found: ClassResult | None) -> list[dict[str, Any]]:
    rows = []
    place = 0
    for path in chunk:
        row: dict[str, Any] = {"image": str(path), "label": "", "probability": "", "error": broken.get(path, "")}
        if path not in broken and found is not None:
            values = found.probabilities[place]
            row |= {"label": found.best[place], "probability": float(values.max())}
            if len(found.labels) <= MOST_COLUMNS:
                row |= {f"p({label})": float(value) for label, value in zip(found.labels, values, strict=True)}
            place += 1
        rows.append(row)
    return rows


def _csv(rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> bytes:
    each = [f"p({label})" for label in labels] if len(labels) <= MOST_COLUMNS else []
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["image", "label", "probability", *each, "error"], restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.6f}" if isinstance(value, float) else value for key, value in row.items()})
    return text.getvalue().encode("utf-8", "surrogateescape")
