"""Make an input's call and say how it ended."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import re
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any

from plait.cli import main
from plait.core.errors import PlaitError
from plait.core.recipe.renamed import RenamedWarning
from tests.campaign.bench import NOBODY, Bench, snapshot
from tests.campaign.case import Case, Command, Python, Shell, under

__all__ = ["BAD", "Outcome", "run"]

# How a call must never end; the table counts these.
BAD = (
    "traceback",
    "hang",
    "accepted",  # exit 0 where a refusal is right
    "refused wrongly",
    "wrong",  # it worked, and the result is not what was asked for
    "odd exit",
    "silent",
    "unclear",  # the message names neither file, row nor key, or is no paragraph of plain words
    "not said",  # it worked and does not say what it left out
    "overwrote",
    "left behind",
)
LONGEST = 1500
_INTERNAL = re.compile(r"Traceback|\b[A-Z][a-z]\w*Error\b|object at 0x|\[Errno|<class '|Exception ignored|Warning:")


class _TooSlow(BaseException):
    """The limit of an input is over; no `except Exception` stops it."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Fields:
        id, area, expected: of the input
        ended:   "works", "noted", "refused" or one of BAD
        message: the error, or the beginning of the output
        seconds: how long it took
        known:   why it was expected to fail, if it was
    """

    id: str
    area: str
    expected: str
    ended: str
    message: str
    seconds: float
    known: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ended as it has to."""
        return self.ended == self.expected

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class _Answer:
    """What a call gave: its value (Python) or None, exit code (1 for a PlaitError), stdout and stderr."""

    code: int
    out: str
    err: str
    value: Any = None
    crash: str = ""


def run(case: Case, bench: Bench) -> Outcome:
    """Put the input on the bench, make its call under its time limit, and judge how it ended."""
    call = case.make(bench)
    before, shared = snapshot(bench.folder), snapshot(bench.shared.root)
    began = time.monotonic()
    try:
        with _limited(case.limit_s + 5), _rights(bench):
            answer = _answer(call, bench, case.limit_s)
        ended, message = _judged(case, answer, bench)
    except (_TooSlow, subprocess.TimeoutExpired):
        ended, message, answer = "hang", f"longer than {case.limit_s:.0f} s", None
    seconds = time.monotonic() - began
    if answer is not None and not answer.crash:
        touched = _touched(before, snapshot(bench.folder))
        if snapshot(bench.shared.root) != shared:
            ended, message = "overwrote", "what all inputs share"
        allowed = case.leaves if answer.code else case.writes
        extra = [path for path in touched if not under(path, allowed)]
        if extra:
            new = [path for path in extra if path not in before]
            ended = "left behind" if len(new) == len(extra) else "overwrote"
            message = f"{', '.join(extra[:5])}; {message}"
    return Outcome(case.id, case.area, case.expect, ended, message[:LONGEST], round(seconds, 2), case.known)


def _judged(case: Case, answer: _Answer, bench: Bench) -> tuple[str, str]:
    if answer.crash:
        return "traceback", answer.crash
    said = answer.err if answer.code else answer.out + answer.err
    if answer.code == 0:
        if case.expect == "refused":
            return "accepted", said
        if _INTERNAL.search(answer.err):
            return "traceback", answer.err
        missing = _missing(case, said)
        if missing:
            return "not said", f"{missing} in: {said}"
        wrong = case.check(bench, answer.value if answer.value is not None else answer.out) if case.check else ""
        return ("wrong", wrong) if wrong else (case.expect, said)
    message = re.sub(r"\A(usage: .*\n(?: .*\n)*)", "", said).strip()
    if answer.code not in (case.codes if case.expect == "refused" else (1, 2)):
        return "odd exit", f"{answer.code}: {message}"
    if not message:
        return "silent", f"exit code {answer.code}"
    if _INTERNAL.search(message) or "\n\n" in message or len(message) > LONGEST:
        return "unclear", message
    if case.expect != "refused":
        return "refused wrongly", message
    missing = _missing(case, message)
    return ("unclear", f"{missing} in: {message}") if missing else ("refused", message)


def _missing(case: Case, said: str) -> list[str]:
    """Give what was to be named and is not; "a|b" asks for one of the two."""
    return [words for words in case.says if not any(word in said for word in words.split("|"))]


def _answer(call: Command | Python | Shell, bench: Bench, limit_s: float) -> _Answer:
    if isinstance(call, Shell):
        return _shell(call, bench, limit_s)
    out, err = _stream(), _stream()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(bench.here):
            if isinstance(call, Command):
                words = [str(word) for word in call.words]
                sys.argv = ["plait", *words]
                code, value = main(words), None
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RenamedWarning)
                    code, value = 0, call.call()
                print(repr(value)[:LONGEST])
    except PlaitError as error:
        return _Answer(1, _text(out), str(error))
    except _TooSlow:
        raise
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        crash = f"{type(error).__name__}: {str(error)[:600]} ({where.filename.rpartition('/')[2]}:{where.lineno})"
        return _Answer(1, _text(out), _text(err), crash=crash)
    return _Answer(code, _text(out), _text(err), value)


def _shell(call: Shell, bench: Bench, limit_s: float) -> _Answer:
    process = subprocess.Popen(
        ["/bin/bash", "-c", re.sub(r"\bPLAIT\b", f"'{sys.executable}' -m plait", call.line)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=bench.here,
        env={**os.environ, "PYTHONIOENCODING": call.encoding, "PYTHONWARNINGS": "default"},
        start_new_session=True,
    )
    try:
        if call.after_s is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(call.after_s)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, call.signal)
        out, err = process.communicate(timeout=limit_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    texts = [stream.decode(call.encoding, "replace") for stream in (out, err)]
    crash = texts[1][-LONGEST:] if "Traceback" in texts[1] or "Exception ignored" in texts[1] else ""
    if crash and call.after_s is not None and "/plait/" not in texts[1]:
        # The interpreter's own start was interrupted, before a line of ours was read.
        return _Answer(130, "", "interrupted before plait began")
    return _Answer(process.returncode, texts[0], texts[1], crash=crash)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    raw = stream.buffer
    raw.seek(0)
    return raw.read().decode("utf-8", "backslashreplace")


def _touched(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Give what was added, changed or removed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Stop what takes longer; what hangs outside Python ends the whole process, with a traceback of where it hung."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(10 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)


@contextlib.contextmanager
def _rights(bench: Bench) -> Iterator[None]:
    """Drop root's rights for the time of a call whose input is about permissions."""
    if not bench.as_user or os.geteuid() != 0:
        yield
        return
    cache = os.environ["PLAIT_CACHE"]
    os.environ["PLAIT_CACHE"] = str(bench.folder.parent / f"{bench.folder.name}-cache")
    os.mkdir(os.environ["PLAIT_CACHE"])
    os.chmod(os.environ["PLAIT_CACHE"], 0o777)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.environ["PLAIT_CACHE"] = cache
