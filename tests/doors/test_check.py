"""`plait data check`: the command and the verb give the same, and `plait data` alone goes on describing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait import api
from tests.doctor.sick import healthy, sick
from tests.doors.tools import call

Capture = pytest.CaptureFixture[str]


def test_command_and_verb_find_the_same(tmp_path: Path, capsys: Capture) -> None:
    data = sick(tmp_path / "data")
    words = ["data", "check", data, "--out", tmp_path / "page", "--fix", tmp_path / "clean"]
    answer = call(capsys, *words, "--json", "--quiet")
    assert answer.code == 0
    found = api.check(data).record
    assert {key: answer.data[key] for key in found} == found
    assert answer.data["fixed"]["images"] == 7
    assert Path(answer.data["page"]) == tmp_path / "page" / "check.html"
    told = json.loads((tmp_path / "page" / "check.json").read_text(encoding="utf-8"))
    assert told["findings"] == found["findings"]


def test_it_is_told_in_words(tmp_path: Path, capsys: Capture) -> None:
    said = call(capsys, "data", "check", sick(tmp_path / "data"), "--fix", tmp_path / "clean", "--quiet").out
    assert "error: The same image is in two splits under two names: 1 pair  [split_leak_exact]" in said
    assert "p2.png (train): is the same file as p9.png (val)" in said
    assert "5 kinds of error, 7 of warning, 5 notes" in said
    assert "left out, split_leak_near: 1" in said


def test_data_alone_still_describes(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = healthy(tmp_path / "check")
    assert call(capsys, "data", folder, "--json").data["captions_per_image"] == {"fewest": 2, "most": 2}
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "data", "check", "--json").data["name"] == "check"
    refused = call(capsys, "data", folder, "--out", tmp_path / "page")
    assert (refused.code, refused.out) == (2, "")
    assert "--fix, --out and --strict belong to `plait data check DATA`" in refused.err
    refused = call(capsys, "data", "one", "two")
    assert (refused.code, refused.out) == (2, "")
    assert "expected DATA or check DATA, got one two" in refused.err
