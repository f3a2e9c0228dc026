"""`python -m plait`: the same as the command `plait`."""

from __future__ import annotations

import sys

__all__ = ["run"]

INTERRUPTED = 130


def run() -> int:
    """Run the command line; one that is interrupted while it is still being imported ends in a sentence as well."""
    try:
        from plait.cli import main

        return main()
    except KeyboardInterrupt:
        print("plait: interrupted; nothing was begun", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
