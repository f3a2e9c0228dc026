"""How results look in a notebook: one-line texts, small tables in HTML, and data frames. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import import_module
from typing import Any

from plait.core.errors import MissingPackageError

__all__ = ["data_frame", "html_table", "shortened"]

_CELL = "padding:2px 10px;text-align:{side}"
MOST_ROWS = 20


def html_table(title: str, rows: Iterable[Sequence[Any]], *, header: Sequence[str] = (), note: str = "") -> str:
    """Give a small HTML table that needs no style sheet and no script; every text is escaped.

    Arguments:
        rows:   cells; strings stand left, numbers right. After 20 rows it says how many more there are
        note:   a line below
    Example:
        >>> html_table("a < b", [["x", 1]])[:34]
        '<div><strong>a &lt; b</strong><tab'
    """
    cells = [list(row) for row in rows]
    head = "".join(f'<th style="{_CELL.format(side="left")}">{escape(str(name))}</th>' for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in cells[:MOST_ROWS])
    left = len(cells) - MOST_ROWS
    notes = [f"... and {left:,} more"] if left > 0 else []
    notes += [note] if note else []
    below = "".join(f"<div><small>{escape(line)}</small></div>" for line in notes)
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f"<div><strong>{escape(title)}</strong><table>{thead}<tbody>{body}</tbody></table>{below}</div>"


def data_frame(columns: Mapping[str, Sequence[Any]]) -> Any:
    """Give a pandas DataFrame of these columns.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise MissingPackageError(
            "to_frame() gives a pandas DataFrame, and pandas is not installed; pip install pandas"
        ) from error
    return pandas.DataFrame(dict(columns))


def shortened(text: str, most: int = 60) -> str:
    """Cut a text to at most so many characters, the last three of them dots."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _cell(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    said = f"{value:,.3g}" if isinstance(value, float) else f"{value:,}" if number else str(value)
    return f'<td style="{_CELL.format(side="right" if number else "left")}">{escape(said)}</td>'
