"""The table of fusions: every family's, merged, in an order that stays."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import plait.fusion
from plait.core.tables import Entry
from plait.fusion import FUSIONS
from plait.fusion.ladder import LADDER
from plait.fusion.textbook import TEXTBOOK

FAMILIES = sorted(path.parent.name for path in Path(plait.fusion.__file__).parent.glob("*/__init__.py"))


def tables(family: str) -> list[dict[str, Entry]]:
    """Give the tables of a family's folder."""
    module = import_module(f"plait.fusion.{family}")
    return [getattr(module, name) for name in getattr(module, "__all__", ()) if name.isupper()]


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "base"])
def test_a_family_has_one_table_and_its_entries_point_into_its_folder(family: str) -> None:
    (table,) = tables(family)
    assert table
    for name, entry in table.items():
        assert FUSIONS[name] is entry
        assert entry.target.startswith(f"plait.fusion.{family}.")


def test_no_name_is_lost_or_said_twice() -> None:
    names = [name for family in FAMILIES for table in tables(family) for name in table]
    assert sorted(names) == sorted(FUSIONS)


def test_the_order_is_the_one_that_reports_have_shown_so_far() -> None:
    shown = ["late", "product", "concat", "cross", "scan_t2i", "scan_i2t", "scan", "max_sim", "film", "pixel_word"]
    shown += ["self_cross", "self_cross_printed", "correlation", "grid_product", "image_only", "clip_dense"]
    shown += [*LADDER, *TEXTBOOK]
    assert [name for name in FUSIONS if name in shown] == shown


def test_the_tables_import_no_torch() -> None:
    code = "import sys, plait.fusion, plait.heads; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
