"""How results look: small tables with escaped text, frames by pandas, texts cut to a line."""

from __future__ import annotations

import sys

import pytest

from plait.core.errors import MissingPackageError
from plait.core.show import data_frame, html_table, shortened


def test_a_table_escapes_every_text_and_aligns_numbers() -> None:
    html = html_table("<t>", [["<a>", 1234, 0.123456, True]], header=["<h>", "n"], note="a & b")
    assert html.startswith("<div><strong>&lt;t&gt;</strong><table><thead>")
    assert "&lt;h&gt;" in html
    assert 'text-align:left">&lt;a&gt;</td>' in html
    assert 'text-align:right">1,234</td>' in html
    assert 'text-align:right">0.123</td>' in html
    assert 'text-align:left">True</td>' in html
    assert "<small>a &amp; b</small>" in html
    assert not {"<t>", "<a>", "<h>"} & {html[i : i + 3] for i in range(len(html))}


def test_a_long_table_says_how_much_is_left_out() -> None:
    html = html_table("t", [[n] for n in range(1022)])
    assert html.count("<tr>") == 20
    assert "... and 1,002 more" in html
    assert "more" not in html_table("t", [[n] for n in range(20)])
    assert "<thead>" not in html_table("t", [])


def test_a_frame_has_the_columns_given() -> None:
    pytest.importorskip("pandas")
    frame = data_frame({"a": [1, 2], "b": ["x", "y"]})
    assert list(frame.columns) == ["a", "b"]
    assert frame["b"].tolist() == ["x", "y"]


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pandas is not installed; pip install pandas"):
        data_frame({"a": [1]})


def test_texts_are_cut_to_one_line() -> None:
    assert shortened("a\n b") == "a b"
    assert shortened("x" * 60) == "x" * 60
    assert shortened("x" * 61) == "x" * 57 + "..."
