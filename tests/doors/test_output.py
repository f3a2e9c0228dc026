"""Where output goes: other encodings, streams that are closed or full, and readers that have gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plait.cli.out import encodable

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
needs_shell = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def shell(line: str, *, encoding: str = "utf-8", unbuffered: str = "") -> tuple[int, str, str]:
    """Run `plait` as a shell would, with PLAIT for the command; give exit code, stdout and stderr."""
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("PLAIT", f"'{sys.executable}' -m plait")],
        capture_output=True,
        encoding=encoding,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUNBUFFERED": unbuffered},
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@needs_shell
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_signs_fall_back_to_ascii(encoding: str) -> None:
    code, out, err = shell("PLAIT list fusions", encoding=encoding)
    assert (code, err) == (0, "")
    assert set(out.splitlines()[1]) == {"-", " "}
    code, out, _ = shell("PLAIT list fusions --json", encoding=encoding)
    assert code == 0
    assert out.isascii()


def test_arrows_leave_columns_in_place() -> None:
    header, row = "t→i R@1 %       95 %  i→t R@1 %", "     18.4  14.2-22.8       23.8"
    plain = encodable(header, "cp1252").encode("ascii", "strict").decode()
    assert len(plain) == len(header) + 1, "the last column has no gap behind it to give"
    assert plain.index("95 %") == header.index("95 %")
    assert encodable(header, "utf-8") == header
    assert encodable(row, "ascii") == row


@needs_shell
@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--help", "--version", "list heads", "list heads --json", "fit --help"])
def test_a_full_disk_behind_stdout(words: str, unbuffered: str) -> None:
    code, _, err = shell(f"PLAIT {words} > /dev/full", unbuffered=unbuffered)
    assert code == 1
    assert err.startswith("plait: ")
    assert err.count("\n") == 1


@needs_shell
@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stderr(unbuffered: str) -> None:
    assert shell("PLAIT fiddle 2> /dev/full", unbuffered=unbuffered)[0] == 2
    assert shell("PLAIT export 2> /dev/full", unbuffered=unbuffered)[0] == 2


@needs_shell
@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams(closing: str) -> None:
    code, out, _ = shell(f"PLAIT list heads {closing}")
    assert code == 1
    assert out == ""


@needs_shell
def test_a_reader_that_has_gone_is_no_failure() -> None:
    code, out, err = shell("(PLAIT list fusions; echo $? >&2) | head -1")
    assert code == 0
    assert out.startswith("name")
    assert err == "0\n"
