"""Hub data sets with masks in their rows: MagicBrush, whose edit region is the transparent part, and plain columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.masks.source import MaskReading, MaskSource
from plait.data.sources.columns import IMAGE_COLUMNS, MASK_COLUMNS, PHRASE_COLUMNS, pick_column
from plait.data.sources.embedded import keep_embedded, known_finder
from plait.data.splits import GivenSplits, SplitMaking

__all__ = ["has_masks", "open_masked"]

_MASKS = ("mask_img", *MASK_COLUMNS)
_IMAGES = ("source_img", *IMAGE_COLUMNS)
_TEXTS = ("instruction", *PHRASE_COLUMNS)
_GROUP = "img_id"


def has_masks(parts: Mapping[str, Any]) -> bool:
    """Tell whether the rows of split name -> data set have an image and a mask column."""
    names = {str(name).lower() for data in parts.values() for name in data.column_names}
    return bool(names & set(_MASKS)) and bool(names & set(_IMAGES))


def open_masked(
    where: str, parts: Mapping[str, Any], folder: Path, *, making: SplitMaking, reading: MaskReading
) -> Collection:
    """Open rows with `source_img`, `mask_img` and `instruction`, as MagicBrush has them, or image, text and mask.

    In MagicBrush a mask is an RGBA copy of the image whose transparent part is to be edited: polarity "alpha". Turns of
    one session (`img_id`) start from nearly the same image, so splits that are made keep a session together.

    Args:
        where:   for messages
        parts:   split name -> data set; with a single one splits are made
        folder:  where embedded images are written to
        making:  how splits are made
        reading: a declared polarity overrides the format's

    Raises:
        InputError: a column is missing, or nothing usable is left.
    Source: Zhang et al. 2023 (MagicBrush).
    """
    import datasets

    known: dict[str, Path] = {}
    rows: list[Row] = []
    skipped: list[Skip] = []
    sessions: dict[str, str] = {}
    several = len(parts) > 1
    for split, data in parts.items():
        names = list(data.column_names)
        image, mask = pick_column(where, names, _IMAGES, "image"), pick_column(where, names, _MASKS, "mask")
        text = pick_column(where, names, _TEXTS, "text")
        polarity = reading.polarity or ("alpha" if mask.lower() == "mask_img" else "foreground")
        data = data.select_columns([image, mask, text, *([_GROUP] if _GROUP in names else [])])
        for column in (image, mask):
            if isinstance(data.features[column], datasets.Image):
                data = data.cast_column(column, datasets.Image(decode=False))
        for number, row in enumerate(data):
            place = f"{where}, {split if several else 'row'} {number}"
            cells = {column: _embedded(row[column]) for column in (image, mask)}
            region = keep_embedded(cells[mask], folder, known)
            if region not in known or not known[region].is_file():
                skipped.append(Skip(place, "the row holds no mask"))
                continue
            name = keep_embedded(cells[image], folder, known)
            sessions[name] = str(row.get(_GROUP, name))
            source = MaskSource(known[region], polarity, place)
            rows.append(Row(place, name, str(row[text] or ""), split if several else None, source))
    if not rows:
        raise InputError(f"{where}: no row with a mask; {len(skipped)} rows hold none")
    return assemble(
        where.removeprefix("hub:").rstrip("/").rpartition("/")[2],
        where,
        rows=rows,
        find=known_finder(known, None, where),
        making=making,
        splits=None if several else _by_session(rows, sessions, making, where),
        row_splits="the data set's own splits",
        skipped=skipped,
        reading=reading,
    )


def _embedded(cell: Any) -> dict[str, Any]:
    """Give a cell as {"bytes", "path"}: parquet without image features holds such structs, raw bytes or paths."""
    if isinstance(cell, Mapping):
        return dict(cell)
    if isinstance(cell, bytes):
        return {"bytes": cell, "path": None}
    return {"bytes": None, "path": None if cell is None else str(cell)}


def _by_session(rows: list[Row], sessions: Mapping[str, str], making: SplitMaking, where: str) -> GivenSplits:
    names = list(dict.fromkeys(row.image for row in rows))
    order = list(dict.fromkeys(sessions[name] for name in names))
    made = making.splits(order)
    home = {order[index]: split for split, members in made.items() for index in members}
    splits: dict[str, list[str]] = {split: [] for split in made}
    for name in names:
        splits[home[sessions[name]]].append(name)
    return GivenSplits(splits, where, f"{making.origin}, whole sessions")
