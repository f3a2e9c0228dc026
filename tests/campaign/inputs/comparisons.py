"""Folders of comparisons with one file damaged: reported, probed, and compared again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected
from tests.campaign.damage import DAMAGES, EDITS

__all__ = ["cases"]

RUN = "runs/late-s0"
FILES = (
    "results.json",
    "compare.json",
    "gallery.json",
    f"{RUN}/run.json",
    f"{RUN}/row.json",
    f"{RUN}/weights.safetensors",
    f"{RUN}/by_photo.safetensors",
    f"{RUN}/gallery.json",
)


def cases() -> Iterator[Case]:
    """Give every damage of every file for every verb that reads it."""
    for name in FILES:
        for how, spoil in (*DAMAGES.items(), *EDITS.items()):
            if how in EDITS and name != "results.json":
                continue
            yield from _damaged(name, how, spoil)


def _damaged(name: str, how: str, spoil: Callable[[Path], None]) -> Iterator[Case]:
    def damaged(bench: Bench) -> Any:
        folder = bench.run(bench.shared.comparison, "comparison")
        spoil(folder / name)
        return folder

    start = f"runs/comparison/{name.replace('/', '_')}/{how}"
    if name in ("results.json", "gallery.json"):
        # A gallery may be missing, or lack a part.
        harmless = name == "gallery.json" and how in ("absent", "version", "nan", "object", "broken_link", "ring")
        harmless = harmless or (name, how) == ("results.json", "version")
        yield Case(
            f"{start}/report",
            lambda b: Command(["report", damaged(b)]),
            "works" if harmless else "refused",
            says=() if harmless else (name,),
            writes=("comparison/report.html",),
        )
    if name in ("results.json", f"{RUN}/weights.safetensors", f"{RUN}/run.json"):
        unused = name == "results.json" and how == "version"
        yield Case(
            f"{start}/probe",
            lambda b: Command(["probe", damaged(b), "--data", b.shared.many, "--quiet"]),
            "works" if unused else "refused",
            says=() if unused else ("comparison",),
            writes=("comparison/probe.json",),
        )
    yield Case(
        f"{start}/compare_again",
        lambda b: Command(
            [
                "compare",
                "--data",
                b.shared.many,
                "--fusions",
                "late,cross",
                "--seeds",
                1,
                "--quiet",
                "--recipe",
                b.shared.recipe,
                "--out",
                damaged(b),
            ]
        ),
        *_again(name, how),
        leaves=("comparison",) if how == "folder" else (),
        check=_shows_figures,
    )


def _again(name: str, how: str) -> tuple[Expected, tuple[str, ...], tuple[str, ...]]:
    if how == "folder":
        return "refused", (name.rpartition("/")[2],), ("comparison",)
    if name == "compare.json" and how in ("nan", "version", "object"):
        return "refused", ("comparison",), ("comparison",)
    return "works", (), ("comparison",)


def _shows_figures(bench: Bench, printed: str) -> str:
    """Say what is wrong with a comparison's folder after the same command."""
    from plait.api import read_results

    results = read_results(bench.folder / "comparison")
    figures = [row["metrics"].get("t2i_r1", -1) for row in results["rows"]]
    if len(figures) != 2 or not all(0 <= figure <= 100 for figure in figures):
        return f"the rows hold {figures}"
    return "" if (bench.folder / "comparison" / "report.html").is_file() else "there is no report"
