"""The command line: argv -> verb -> text. Holds no logic, knows no task, and imports no torch before a verb is chosen.

Exit codes: 0 done; 1 something the user can fix (one line on stderr, no traceback), or an audit that raised a flag
under --strict (without it an audit is a report, and reports end with 0), or output that could not be written; 2 a wrong
command line; 3 a comparison in which a run failed; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from plait.cli.out import closed_streams, complain, finish, prepare, renamed_notes
from plait.cli.parser import make_parser
from plait.core.errors import PlaitError

__all__ = ["main"]

# Commands of earlier versions -> what they are called now.
_RENAMED = {"export": "package"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    closed = closed_streams()
    if closed:
        complain(f"plait: {closed} is closed, so a result could not be shown; redirect it to a file or to /dev/null")
        return 1
    prepare()
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        with renamed_notes():
            code = _run(words)
    except SystemExit as stop:  # how argparse ends after --help and after a mistake
        code = stop.code if isinstance(stop.code, int) else 0
    return finish(code)


def _run(words: list[str]) -> int:
    if words and words[0] in _RENAMED:
        complain(f"plait: `plait {words[0]}` is called `plait {_RENAMED[words[0]]}` now")
        return 2
    # Threads that spin while they wait collapse when another process wants the cores; torch reads this when imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # But to sleep at once makes small models wait for threads to wake: a step of `cross` on scenes took 171 ms so,
    # 92 ms with a spin of some tens of microseconds first, 85 ms with endless spinning.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # numpy's own threads spin without end. Its products here are small: with both cores busy, a batch of masks
    # took 430 to 650 ms of processor time so, 116 to 123 with one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from plait.cli import commands

    try:
        return commands.run(make_parser().parse_args(words))
    except PlaitError as error:
        complain(f"plait: {error}")
        return 1
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        complain("\nplait: interrupted; what is finished is kept, and the same command goes on from there")
        return 130


if __name__ == "__main__":
    sys.exit(main())
