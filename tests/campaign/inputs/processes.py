"""Commands in processes of their own: streams that are closed, full or of another encoding; signals; kill -9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Expected, Shell

__all__ = ["cases"]

LINES: dict[str, tuple[str, Expected]] = {
    "stdout_closed": ("PLAIT list heads >&-", "refused"),
    "stderr_closed": ("PLAIT list heads 2>&-", "refused"),
    "both_closed": ("PLAIT list heads >&- 2>&-", "refused"),
    "stdin_closed": ("PLAIT list heads <&-", "works"),
    "stdout_full": ("PLAIT list heads >/dev/full", "refused"),
    "stdout_full_json": ("PLAIT data scenes:6 --json >/dev/full", "refused"),
    "help_full": ("PLAIT fit --help >/dev/full", "refused"),
    "stderr_full": ("PLAIT list heads 2>/dev/full", "works"),
    "reader_gone": ("PLAIT list fusions | head -1", "works"),
    "no_home": ("env -u HOME PLAIT list heads", "works"),
    "cache_is_a_file": ("PLAIT_CACHE=/dev/null PLAIT cache", "refused"),
    "cache_empty": ("PLAIT_CACHE= PLAIT cache show", "works"),
    "optimised": ("python3 -c pass; PYTHONOPTIMIZE=2 PLAIT list heads", "works"),
    "no_bytecode": ("PYTHONDONTWRITEBYTECODE=1 PLAIT list heads", "works"),
    "locale_c": ("LC_ALL=C PLAIT list fusions", "works"),
    "columns_zero": ("COLUMNS=0 PLAIT --help", "works"),
    "columns_odd": ("COLUMNS=abc PLAIT --help", "works"),
    "threads_odd": ("OMP_NUM_THREADS=abc PLAIT list heads", "works"),
    "few_files": ("ulimit -n 64; PLAIT list heads", "works"),
}
# What is interrupted, so many seconds after its start.
MOMENTS = (0.01, 0.03, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0)


def cases() -> Iterator[Case]:
    """Give lines for the shell, encodings, interruptions, and commands that were killed and are given again."""
    for name, (line, expect) in LINES.items():
        silent = name in ("stderr_closed", "both_closed")
        yield (
            Case(
                f"processes/stream/{name}",
                lambda b, line=line: Shell(line),
                expect,
                known="`plait cache` calls a file in place of the cache empty" if name == "cache_is_a_file" else "",
                check=None,
                says=(),
                writes=("out",),
            )
            if not silent
            else _silent(name, line)
        )
    for encoding in ("cp1252", "ascii", "latin-1", "utf-16", "cp437"):
        for name, words in {
            "list": lambda b: "list fusions",
            "data": lambda b: f"data {b.shared.data}",
            "evaluate": lambda b: f"evaluate {b.shared.run} --data {b.shared.data}",
            "error": lambda b: "data /nowhere/\u00fcml\u00e4ut",
        }.items():
            if name != "list" and encoding not in ("cp1252", "ascii"):
                continue
            yield Case(
                f"processes/encoding/{encoding}/{name}",
                lambda b, words=words, encoding=encoding: Shell(f"PLAIT {words(b)}", encoding=encoding),
                "refused" if name == "error" else "works",
            )
    for moment in MOMENTS:
        yield Case(
            f"processes/interrupt/{moment}",
            lambda b, moment=moment: Shell(_fit(b), after_s=moment, signal=2),
            codes=(130, -2),
            says=("interrupted",),
            leaves=("out",),
        )
    for name, after in {"early": 1.5, "training": 4.0, "late": 6.0}.items():
        yield Case(
            f"processes/kill/{name}", lambda b, after=after: _killed(b, after), "works", check=_whole, limit_s=150
        )
    yield Case("processes/kill/disk_full", _full_disk, "works", check=_whole, limit_s=150)
    for name, names in {
        "image": lambda b: _odd_name(b, "images"),
        "recipe": lambda b: f"fit --data {b.shared.data} --recipe $'r\\xff.toml' --out {b.out}",
        "text": lambda b: f"match --run {b.shared.run} --images {b.shared.photo} --texts $'caf\\xff' red",
        "out": lambda b: (
            f"fit --data {b.shared.data} --recipe {b.shared.recipe} --epochs 1 --quiet --out {b.folder}/$'out\\xff'"
        ),
    }.items():
        yield Case(
            f"processes/not_utf8/{name}",
            lambda b, names=names: Shell(f"PLAIT {names(b)}"),
            "refused" if name in ("image", "recipe") else "works",
            writes=("out", "out\udcff"),
        )


def _silent(name: str, line: str) -> Case:
    """Where stderr is closed nothing can be said on it: the shell says what the exit code was."""
    return Case(f"processes/stream/{name}", lambda b: Shell(f"({line}); code=$?; echo exit code $code >&2; exit $code"))


def _fit(bench: Bench) -> str:
    return f"exec PLAIT fit --data {bench.shared.data} --recipe {bench.shared.recipe} --epochs 40 --out {bench.out}"


def _killed(bench: Bench, after_s: float) -> Shell:
    words = f"PLAIT fit --data {bench.shared.data} --recipe {bench.shared.recipe} --epochs 4 --out {bench.out} --quiet"
    return Shell(f"timeout -s KILL {after_s} {words}; {words} --json")


def _full_disk(bench: Bench) -> Shell:
    """A limit of the size of files stands for a full disk; then the same command without it."""
    words = f"PLAIT fit --data {bench.shared.data} --recipe {bench.shared.recipe} --out {bench.out} --quiet"
    return Shell(f"(ulimit -f 200; {words} 2>/dev/null) && exit 9; {words} --json")


def _whole(bench: Bench, printed: Any) -> str:
    from plait.runs.record import whole_record

    left = [path.name for path in bench.out.iterdir() if path.name.endswith(".tmp") or path.name.startswith("state")]
    if whole_record(bench.out) is None:
        return "the run is not whole"
    return f"left behind: {left}" if left else ""


def _odd_name(bench: Bench, folder: str) -> str:
    return f"match --run {bench.shared.run} --images {bench.folder}/$'p\\xff.png' --texts red blue"
