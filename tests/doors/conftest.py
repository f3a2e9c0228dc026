"""One small comparison made by the command line, for all tests of the doors to look at."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plait.cli import main
from plait.core.made import joined
from tests.doors.tools import give_splits, write_recipe
from tests.tiny import make_tiny


class Compared(NamedTuple):
    """A finished comparison: its data, recipe and folder, what the command printed, and results.json."""

    data: Path
    recipe: Path
    out: Path
    printed: str
    results: dict[str, Any]


@pytest.fixture(scope="session")
def compared(plait_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Compare two fusions on coloured squares, 24 to train on and 8 held out."""
    folder = tmp_path_factory.mktemp("compared")
    data = give_splits(make_tiny(folder / "squares", photos=32))
    recipe, out, printed = write_recipe(folder), folder / "out", io.StringIO()
    command = ["compare", "--data", data, "--fusions", "late,cross", "--seeds", "1", "--recipe", recipe, "--out", out]
    with contextlib.redirect_stdout(printed):
        code = main([*map(str, command), "--json", "--quiet"])
    assert code == 0
    results = joined(json.loads((out / "results.json").read_text(encoding="utf-8")))
    return Compared(data, recipe, out, printed.getvalue(), results)
