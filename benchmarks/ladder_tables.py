"""The tables of docs/ladder.md: the results that the textbook prints, beside those of comparisons.

    python -m benchmarks.ladder_tables --tokens out/ladder --pooled out/pooled --matched out/matched

Each folder is a comparison with the recipe `ladder` and, if `plait probe` was run on it, its probe.json. Folders that
are left out give no columns. It computes nothing; it formats results as Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait.core.made import joined

__all__ = ["PRINTED", "Found", "main", "probes", "recalls", "training"]

# Version -> (ratio of the best to the second of five similarities, trained well, result), as Park 2025 prints them for
# one photo of a cat.
PRINTED: dict[str, tuple[float, bool, str]] = {
    "v0": (2.908, True, "success"),
    "v1": (2.088, True, "success"),
    "v2": (1.831, True, "success"),
    "v3": (1.0, False, "failure"),
    "v4": (1.124, True, "success"),
    "v5": (1.0, False, "failure"),
    "v6": (1.64, True, "success"),
    "v7": (1.0, False, "failure"),
    "v8": (1.401, True, "success"),
    "v9": (1.463, True, "success"),
    "v10_1": (1.991, False, "failure"),
    "v10_2": (1.0, True, "failure"),
    "v10_3": (1.748, True, "success"),
    "v10_4": (1.748, True, "success"),
    "v10_5": (1.513, True, "success"),
    "v10_6": (1.02, False, "failure"),
    "v11": (1.369, True, "success"),
}
DASH = "-"


class Found:
    """One comparison's summary and probe, by fusion; empty where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self.summary: dict[str, dict[str, Any]] = {}
        self.audit: dict[str, dict[str, Any]] = {}
        self.probe: dict[str, dict[str, Any]] = {}
        if folder is None:
            return
        results = joined(json.loads((folder / "results.json").read_text(encoding="utf-8")))
        self.summary = {entry["fusion"]: entry for entry in results["summary"]}
        self.audit = {row["fusion"]: row["audit"] for row in results["rows"] if "audit" in row}
        if (folder / "probe.json").exists():
            found = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
            self.probe = {row["fusion"]: row for row in found["rows"]}

    def recall(self, fusion: str, metric: str = "t2i_r1") -> str:
        """Give a recall with its interval, or a dash."""
        entry = self.summary.get(fusion)
        return DASH if entry is None or metric not in entry else _interval(entry[metric])

    def probed(self, fusion: str, figure: str, digits: int = 1) -> str:
        """Give a figure of the probe with its interval, or a dash."""
        row = self.probe.get(fusion)
        return DASH if row is None else _interval(row[figure], digits)


def recalls(tokens: Found, pooled: Found, matched: Found) -> str:
    """Lay out the printed result beside recall@1 under the three protocols."""
    header = ["version", "printed", "ratio printed", "noise, matched + pooled", "t2i R@1, matched + pooled (leaky)"]
    header += ["t2i R@1, itm + pooled", "t2i R@1, itm + tokens", "i2t R@1, itm + tokens"]
    header += ["t2i R@1, fused head alone"]
    rows = []
    for fusion in _fusions(tokens, pooled, matched):
        printed = PRINTED.get(fusion.removeprefix("ladder/"))
        audit = matched.audit.get(fusion)
        rows.append(
            [
                f"`{fusion}`",
                printed[2] if printed else DASH,
                f"{printed[0]:.2f}" if printed else DASH,
                f"{audit['noise_accuracy']:.1f} %" if audit else DASH,
                matched.recall(fusion),
                pooled.recall(fusion),
                tokens.recall(fusion),
                tokens.recall(fusion, "i2t_r1"),
                tokens.recall(fusion, "t2i_r1_fused"),
            ]
        )
    return _markdown(header, rows)


def training(found: Found) -> str:
    """Lay out the first printed table: loss, accuracy, separation, cost."""
    header = ["version", "seeds", "loss, training", "loss, held out", "accuracy in batches of 24, %", "separation"]
    header += ["train s", "parameters"]
    rows = [
        [
            f"`{fusion}`",
            str(found.summary[fusion]["seeds"]),
            f"{found.probe[fusion]['train_loss']:.2f}" if fusion in found.probe else DASH,
            found.probed(fusion, "loss", 2),
            found.probed(fusion, "accuracy"),
            found.probed(fusion, "separation", 2),
            f"{found.summary[fusion]['train_s']:.0f}",
            f"{found.summary[fusion]['params']:,}",
        ]
        for fusion in _fusions(found)
    ]
    return _markdown(header, rows)


def probes(tokens: Found, pooled: Found, matched: Found) -> str:
    """Lay out the second: the photo's own caption among five, printed for one photo, measured here on many."""
    header = ["version", "trained well, printed (one photo)", "own caption of five, matched + pooled (leaky), %"]
    header += ["itm + pooled, %", "itm + tokens, %", "margin, itm + tokens", "rank"]
    rows = []
    for fusion in _fusions(tokens, pooled, matched):
        printed = PRINTED.get(fusion.removeprefix("ladder/"))
        rows.append(
            [
                f"`{fusion}`",
                ("yes" if printed[1] else "no") if printed else DASH,
                matched.probed(fusion, "five_accuracy"),
                pooled.probed(fusion, "five_accuracy"),
                tokens.probed(fusion, "five_accuracy"),
                tokens.probed(fusion, "five_margin", 2),
                str(tokens.probe[fusion]["rank"]) if fusion in tokens.probe else DASH,
            ]
        )
    return _markdown(header, rows)


def _fusions(*found: Found) -> list[str]:
    names = {name for one in found for name in one.summary}
    ladder = [f"ladder/{version}" for version in PRINTED]
    return [name for name in ladder if name in names] + sorted(names - set(ladder))


def _interval(figure: dict[str, float], digits: int = 1) -> str:
    return f"{figure['mean']:.{digits}f} [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table without the columns of which nothing is known."""
    known = [i for i in range(len(header)) if any(row[i] != DASH for row in rows)]
    header, rows = [header[i] for i in known], [[row[i] for i in known] for row in rows]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the three tables; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tokens", "pooled", "matched"):
        parser.add_argument(f"--{name}", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    tokens, pooled, matched = Found(given.tokens), Found(given.pooled), Found(given.matched)
    print(recalls(tokens, pooled, matched), training(tokens), probes(tokens, pooled, matched), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
