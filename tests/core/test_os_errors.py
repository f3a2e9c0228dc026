"""Advice fits the error: only a full disk wants space, a missing permission wants permission."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from plait.core.errors import CheckpointError, StorageError
from plait.core.files import read_json, write_bytes
from plait.core.os_errors import has_advice, is_disk_full, os_sentence

CASES = [
    # number, action, words of the advice, words that would be wrong
    (errno.ENOSPC, "write", "free some space", "permission"),
    (errno.EDQUOT, "write", "free some space", "permission"),
    (errno.EFBIG, "write", "larger files", "permission"),
    (errno.EACCES, "write", "may write to", "space"),
    (errno.EACCES, "read", "permission to read", "space"),
    (errno.EPERM, "write", "permissions", "space"),
    (errno.EROFS, "write", "can be written to", "space"),
    (errno.ENOENT, "read", "check the path", "space"),
    (errno.ENOENT, "write", "create the folder", "space"),
    (errno.EISDIR, "read", "path of a file", "space"),
    (errno.EISDIR, "write", "another name", "space"),
    (errno.ENOTDIR, "read", "a part of it is a file", "space"),
    (errno.ENOTDIR, "write", "another folder", "space"),
    (errno.EEXIST, "write", "remove the file", "space"),
    (errno.ENAMETOOLONG, "write", "shorter path", "space"),
    (errno.ELOOP, "read", "symbolic links", "space"),
    (errno.EMFILE, "read", "ulimit", "space"),
    (errno.EIO, "read", "check the disk", "permission"),
    (errno.EBUSY, "write", "close the program", "space"),
]


@pytest.mark.parametrize(("number", "action", "wanted", "wrong"), CASES)
def test_advice_by_number(number: int, action: str, wanted: str, wrong: str) -> None:
    reason = os.strerror(number)
    said = os_sentence(OSError(number, reason), action)  # type: ignore[arg-type]
    assert said.startswith(f"{reason}; ")
    assert wanted in said
    assert wrong not in said.removeprefix(reason)


def test_errors_without_a_known_number_speak_for_themselves() -> None:
    assert os_sentence(OSError("broken PNG file")) == "broken PNG file"
    assert os_sentence(OSError(errno.EPIPE, "Broken pipe")) == "Broken pipe"
    assert os_sentence(OSError()) == "OSError"
    assert not has_advice(OSError(errno.EPIPE, "Broken pipe"))
    assert has_advice(OSError(errno.EACCES, ""))
    assert is_disk_full(OSError(errno.EDQUOT, ""))
    assert not is_disk_full(OSError(errno.EACCES, ""))


def test_a_file_that_is_open_in_windows_is_no_missing_permission() -> None:
    error = OSError(errno.EACCES, "used by another process")
    error.winerror = 32  # type: ignore[attr-defined]
    assert "close the program" in os_sentence(error, "write")


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(errno.ENOSPC, "free some space"), (errno.EACCES, "permissions"), (errno.EROFS, "can be written to")],
)
def test_files_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, wanted: str
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("plait.core.files.os.replace", fails)
    with pytest.raises(StorageError, match=wanted) as caught:
        write_bytes(tmp_path / "run.json", b"x")
    assert ("space" in str(caught.value)) == (number == errno.ENOSPC)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="Is a directory; give the path of a file"):
        read_json(tmp_path)

    def fails(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", fails)
    with pytest.raises(CheckpointError, match="Permission denied; give this user permission"):
        read_json(tmp_path / "run.json")
