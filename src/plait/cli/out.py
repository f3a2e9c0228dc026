"""Writing to stdout and stderr: what the stream can encode, and a failure to write said once, without a traceback."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from plait.core.errors import StorageError
from plait.core.recipe.renamed import RenamedWarning

__all__ = ["closed_streams", "complain", "encodable", "finish", "prepare", "renamed_notes", "say", "writes_unicode"]

# What replaces our own characters where a stream cannot encode them.
_ASCII = {
    "─": "-",
    "→": "->",
    "│": "|",
    "█": "#",
    "░": ".",
    "…": "...",
    "–": "-",
    "−": "-",
    "×": "x",
    "“": '"',
    "”": '"',
}
_HANDLER = "plait-ascii"


def closed_streams() -> str:
    """Name the standard streams that were closed before the command began; "" where both are open."""
    streams = {"stdout": sys.stdout, "stderr": sys.stderr}
    return " and ".join(name for name, stream in streams.items() if stream is None or stream.closed)


def prepare() -> None:
    """Let streams replace what they cannot encode, instead of raising UnicodeEncodeError.

    One that is UTF-8 cannot encode names of files that are not: they hold lone surrogates.
    """
    codecs.register_error(_HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def writes_unicode(stream: Any) -> bool:
    """Whether a stream takes every character; one without an encoding, such as StringIO, does."""
    return not stream.encoding or stream.encoding.lower().startswith("utf")


def say(text: str) -> None:
    """Print a result on stdout.

    Raises:
        StorageError: it cannot be written, as on a full disk.
        BrokenPipeError: the reader has closed the pipe.
    """
    try:
        print(encodable(text, sys.stdout.encoding), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence(sys.stdout)
        raise StorageError(f"stdout: the result could not be written ({error.strerror or error})") from None


def complain(text: str) -> None:
    """Print a line on stderr; a failure to do so shows at the end, in `finish`."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


def finish(code: int) -> int:
    """Flush both streams and give the exit code: 1 in place of 0 where something could not be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _silence(stream)
        except OSError as error:
            _silence(stream)
            complain(f"plait: output could not be written ({error.strerror or error})")
            code = code or 1
    return code


@contextlib.contextmanager
def renamed_notes() -> Iterator[None]:
    """Show each warning of a renamed key or name once, as one line on stderr; other warnings as they are."""
    seen: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", RenamedWarning)
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], filename: str, lineno: int, *more: Any, **named: Any) -> None:
            if not issubclass(category, RenamedWarning):
                usual(message, category, filename, lineno, *more, **named)
            elif str(message) not in seen:
                seen.add(str(message))
                complain(f"plait: note: {message}")

        warnings.showwarning = show
        yield


def encodable(text: str, encoding: str | None) -> str:
    """Give text whose columns stay in place where a stream has no arrows: "->" takes its room from the gap behind it.

    Example:
        >>> encodable("t→i R@1  95 %", "cp1252")
        't->i R@1 95 %'
    """
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return re.sub(r"→([^\n]*?)  ", r"->\1 ", text).replace("→", "->")
    return text


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in found), error.end


def _silence(stream: Any) -> None:
    """Point a stream that cannot be written to at nothing, so that no later flush fails again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
