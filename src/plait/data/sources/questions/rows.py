"""Image, question and answer rows: CSV, TSV, JSON and JSONL with a question column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import file_finder
from plait.data.sources.columns import IMAGE_COLUMNS, SPLIT_COLUMNS, pick_column
from plait.data.sources.images_folder import find_images, list_folder
from plait.data.sources.questions.frames import frame_splits
from plait.data.sources.table import TABLE_SUFFIXES, first_columns, strict, table_rows
from plait.data.splits import SPLITS_FILE, SplitMaking, find_splits

__all__ = ["ANSWER_COLUMNS", "QUESTION_COLUMNS", "find_question_table", "is_question_table", "open_question_rows"]

QUESTION_COLUMNS = ("question", "questions")
# Answers of several people come before the one that was chosen among them.
ANSWER_COLUMNS = ("answers", "answer", "label")
# Between the answers of several people in one cell.
DIVIDER = "|"
# Looked for in a folder, in this order.
QUESTION_TABLES = tuple(
    f"{name}.{suffix}" for name in ("vqa", "questions", "qa") for suffix in ("csv", "tsv", "jsonl", "json")
)


def is_question_table(path: Path) -> bool:
    """Tell whether a file is a table whose first row names an image, a question and an answer column."""
    if path.suffix.lower() not in TABLE_SUFFIXES or not path.is_file():
        return False
    try:
        names = {name.lower() for name in first_columns(path)}
    except InputError:
        return False
    return all(names & set(known) for known in (IMAGE_COLUMNS, QUESTION_COLUMNS, ANSWER_COLUMNS))


def find_question_table(folder: Path) -> Path | None:
    """Give the table of questions in a folder, or None; one of another name is taken where it is the only one."""
    for name in QUESTION_TABLES:
        if is_question_table(folder / name):
            return folder / name
    others = [path for path in list_folder(folder) if path.name != SPLITS_FILE and is_question_table(path)]
    return others[0] if len(others) == 1 else None


def open_question_rows(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a table of image, question and answer rows, or a folder with one; `splits.json` beside it is used.

    A column `answers` holds what several people said, divided by "|" (in JSON a list); a column `answer` one answer,
    which is used where `answers` is empty. A row without an answer is left out and listed. Where there are no splits
    and all images are numbered frames of one name, splits are made by runs of frames (see `frame_splits`).

    Raises:
        InputError: see `assemble`; a column is missing, or no row has an answer.
    """
    name = path.resolve().name if path.is_dir() else path.parent.resolve().name
    table = find_question_table(path) if path.is_dir() else path
    if table is None:
        raise InputError(f"{path}: no table of questions; expected vqa.csv with columns image,question,answer")
    skipped: list[Skip] = []
    rows = list(_rows(table, skipped))
    if not rows:
        first = f"; the first thing skipped: {skipped[0].where}: {skipped[0].reason}" if skipped else ""
        raise InputError(f"{table}: no row with a question and an answer{first}")
    if images is None and (table.parent / "images").is_dir():
        images = table.parent / "images"
    folder = images or find_images(table.parent, (row.image for row in rows[:50]))
    making = making or SplitMaking()
    splits = find_splits(table.parent, besides=table)
    if splits is None and not any(row.split for row in rows):
        splits, rows, left = frame_splits(rows, making, str(table))
        skipped += left
    collection = assemble(
        name, str(path), rows=rows, find=file_finder(folder, str(table)), making=making, splits=splits, skipped=skipped
    )
    return replace(collection, origin=str(path))


def _rows(table: Path, skipped: list[Skip]) -> Iterator[Row]:
    for where, cells in strict(table_rows(table)):
        lower = {str(name).lower(): value for name, value in cells.items()}
        image = lower[pick_column(where, list(lower), IMAGE_COLUMNS, "image").lower()]
        question = lower[pick_column(where, list(lower), QUESTION_COLUMNS, "question").lower()]
        pick_column(where, list(lower), ANSWER_COLUMNS, "answer")
        if not isinstance(question, str | None):
            raise InputError(f"{where}: expected a question, got {question!r:.60}")
        answers = _answers(where, lower)
        if not answers:
            skipped.append(Skip(where, f"the question about {image} has no answer"))
            continue
        split = next((str(lower[key]).strip() for key in SPLIT_COLUMNS if lower.get(key)), None)
        yield Row(where, str(image or "").strip(), question or "", split, answers=answers)


def _answers(where: str, cells: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the answers of the first column that has any, in the order written."""
    for column in ANSWER_COLUMNS:
        value = cells.get(column)
        if isinstance(value, bool) or not isinstance(value, str | int | float | list | None):
            raise InputError(f"{where}: column {column!r}: expected an answer or a list of answers, got {value!r:.60}")
        given = value if isinstance(value, list) else str("" if value is None else value).split(DIVIDER)
        for one in given:
            if isinstance(one, bool) or not isinstance(one, str | int | float):
                raise InputError(f"{where}: column {column!r}: expected an answer, got {one!r:.60}")
        found = tuple(" ".join(str(one).split()) for one in given if str(one).strip())
        if found:
            return found
    return ()
