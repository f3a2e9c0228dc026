"""Read text files row by row without stopping at a bad row: delimited text, JSON and JSONL.

Every reader here gives rows and `Problem`s in the order of the file. `strict` raises on the first problem, which is
what opening a data set wants; the doctor collects them all.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from plait.core.errors import InputError
from plait.core.os_errors import os_sentence

__all__ = [
    "TABLE_SUFFIXES",
    "Problem",
    "delimited_cells",
    "first_columns",
    "json_lines",
    "read_json_file",
    "read_text",
    "strict",
    "table_rows",
]

Parsed = TypeVar("Parsed")

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
# What `surrogateescape` makes of bytes that are not UTF-8.
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SAVE_AS_UTF8 = "not UTF-8; save the file as UTF-8"
# After an opening quote that is never closed, reading continues at the next line; so many times in one file.
_MOST_RESTARTS = 20


@dataclass(frozen=True)
class Problem:
    """A row, or a file, that cannot be read.

    Fields:
        where:  file and row
        reason: what is wrong with it and what to do
    """

    where: str
    reason: str


def strict(items: Iterable[Parsed | Problem]) -> Iterator[Parsed]:
    """Give the rows. Raises InputError on the first problem."""
    for item in items:
        if isinstance(item, Problem):
            raise InputError(f"{item.where}: {item.reason}")
        yield item


def read_text(path: Path) -> str:
    """Read a text file; bytes that are not UTF-8 become the lone surrogates of `surrogateescape`.

    Raises:
        InputError: the file cannot be read or is UTF-16.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_sentence(error)}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: the file is UTF-16, not UTF-8; save the file as UTF-8")
    return data.decode("utf-8-sig", "surrogateescape")


def read_json_file(path: Path) -> object:
    """Read a JSON file.

    Raises:
        InputError: it cannot be read, is not UTF-8 or not JSON; the message names the file and the place.
    """
    text = read_text(path)
    if found := _NOT_UTF8.search(text):
        row = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{path}, row {row}: {_SAVE_AS_UTF8}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error


def json_lines(path: Path) -> Iterator[tuple[str, Any] | Problem]:
    """Give (file and row, value) of each line of a JSONL file."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, row {number}"
        if _NOT_UTF8.search(line):
            yield Problem(where, _SAVE_AS_UTF8)
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Problem(where, f"not valid JSON: {error}")
            continue
        yield where, value


def delimited_cells(
    where: str, text: str, divider: str, *, quotes: bool = True
) -> Iterator[tuple[int, list[str]] | Problem]:
    """Give (line, cells) of each row of delimited text; empty rows are passed over.

    Arguments:
        where:   file, for problems
        divider: between cells
        quotes:  quotation marks enclose cells; False = they are characters like others
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    dirty = not text.isascii() and _NOT_UTF8.search(text) is not None
    skipped_lines = restarts = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=divider, quoting=quoting, strict=True)
    while True:
        line = skipped_lines + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(
                f"{where}, row {line}",
                f"{error}; a text with a comma or a quotation mark must be in quotes, and a quotation mark inside it "
                'is doubled ("")',
            )
            if "end of data" in str(error):  # everything after the opening quote was read as one cell
                skipped_lines, restarts = line, restarts + 1
                if restarts > _MOST_RESTARTS:
                    return
                rest = islice(io.StringIO(text, newline=""), skipped_lines, None)
                reader = csv.reader(rest, delimiter=divider, quoting=quoting, strict=True)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if dirty and any(_NOT_UTF8.search(cell) for cell in cells):
            yield Problem(f"{where}, row {line}", _SAVE_AS_UTF8)
            continue
        yield line, cells


def table_rows(
    path: Path, *, label: str = "", last_takes_rest: Collection[str] = ()
) -> Iterator[tuple[str, dict[str, Any]] | Problem]:
    """Give (file and row, column -> value) of each row of a table with a header row, or of JSON objects.

    Arguments:
        path:            CSV, TSV, JSON (a list of objects) or JSONL
        label:           what to call the file; "" = its path
        last_takes_rest: lower-case names of columns that may hold commas without quotes where they come last
    """
    suffix = path.suffix.lower()
    label = label or str(path)
    if suffix in (".csv", ".tsv"):
        yield from _header_rows(path, label, last_takes_rest)
        return
    values: Iterable[tuple[str, Any] | Problem]
    if suffix == ".json":
        data = read_json_file(path)
        values = ((f"{label}, item {i}", value) for i, value in enumerate(data if isinstance(data, list) else [data]))
    else:
        values = json_lines(path)
    for item in values:
        if isinstance(item, Problem):
            yield item
            continue
        where, value = item
        where = where.replace(str(path), label, 1)
        if isinstance(value, Mapping):
            yield where, dict(value)
        else:
            yield Problem(where, f"expected an object with a value for each column, got {value!r:.60}")


def first_columns(path: Path) -> list[str]:
    """Give the column names of a table's header row, or of its first object; none where it holds something else.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        if path.suffix.lower() in (".csv", ".tsv"):
            with path.open("rb") as file:
                first = file.readline(100_000).decode("utf-8-sig", errors="replace").strip()
            return [cell.strip().strip('"') for cell in first.split(_divider(path, first))] if first else []
        if path.suffix.lower() == ".json":
            with path.open("rb") as file:  # COCO's files are objects, and hundreds of MB long
                if not file.read(100).decode("utf-8-sig", errors="replace").lstrip().startswith("["):
                    return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {os_sentence(error)}") from error
    first_row = next((row for row in table_rows(path) if not isinstance(row, Problem)), None)
    return [] if first_row is None else [str(name) for name in first_row[1]]


def _header_rows(
    path: Path, label: str, last_takes_rest: Collection[str]
) -> Iterator[tuple[str, dict[str, Any]] | Problem]:
    text = read_text(path)
    divider = _divider(path, text.split("\n", 1)[0])
    header: list[str] = []
    for item in delimited_cells(label, text, divider):
        if isinstance(item, Problem):
            yield item
            continue
        line, cells = item
        if not header:
            header = [cell.strip() for cell in cells]
            continue
        if len(cells) > len(header) and header[-1].lower() in last_takes_rest:
            cells = [*cells[: len(header) - 1], divider.join(cells[len(header) - 1 :])]
        if len(cells) == len(header):
            yield f"{label}, row {line}", dict(zip(header, cells, strict=True))
        else:
            yield Problem(
                f"{label}, row {line}",
                f"{len(cells)} columns; the header has {len(header)}. Texts with commas need quotes",
            )


def _divider(path: Path, first: str) -> str:
    if path.suffix.lower() == ".tsv" or "\t" in first:
        return "\t"
    return ";" if first.count(";") > first.count(",") else ","
