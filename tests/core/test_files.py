"""Files are whole or old, never half; damage and a full disk are said in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plait.core.errors import CheckpointError, StorageError
from plait.core.files import read_json, remove_leftovers, write_bytes, write_json


def test_json_comes_back_in_folders_that_were_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "run.json"
    write_json(path, {"name": "größer", "values": [1, 0.5, None]})
    assert read_json(path) == {"name": "größer", "values": [1, 0.5, None]}
    assert "größer" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"kept": True})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"plait.core.files.os.{fails}", full)
    with pytest.raises(StorageError, match=r"run\.json: could not write 4 bytes: No space left .*free some space"):
        write_bytes(path, b"half")
    assert read_json(path) == {"kept": True}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"run\.json: could not write"):
        write_bytes(tmp_path / "file" / "run.json", b"x")


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "run.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match="not valid JSON"):
        read_json(tmp_path / "run.json")
    with pytest.raises(CheckpointError, match="no such file; expected a folder"):
        read_json(tmp_path / "none.json")


def test_leftovers_of_dead_processes_are_removed_and_files_under_way_are_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    tail = f"{'0a' * 16}.tmp"
    dead = [tmp_path / f".{ended.pid}.{tail}", tmp_path / f".state.safetensors.{ended.pid}.{tail}"]
    old = tmp_path / f".{os.getppid()}.{tail}"
    kept = [
        tmp_path / f".{os.getpid()}.{tail}",  # another thread of this process
        tmp_path / f".{os.getppid()}.{'0b' * 16}.tmp",
        tmp_path / f".notes.{ended.pid}.tmp",  # someone else's
        tmp_path / "run.json",
    ]
    for path in (*dead, old, *kept):
        path.write_bytes(b"half")
    before = time.time() - 3600
    os.utime(old, (before, before))
    assert set(remove_leftovers(tmp_path)) == {*dead, old}
    assert set(tmp_path.iterdir()) == set(kept)
    assert remove_leftovers(tmp_path / "nowhere") == []
