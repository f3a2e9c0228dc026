"""The tables of docs/masks.md: what comparisons of masks found, as Markdown.

    python -m benchmarks.mask_tables out/mask_losses

Computes nothing: it lays out a comparison's results.json, best mean IoU first, with what constant masks score below.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plait.core.made import joined

__all__ = ["absent_table", "main", "table"]

# Metric of results.json -> head of its column.
COLUMNS = {"oiou": "oIoU", "p50": "P@0.5", "boundary_f": "boundary F"}
SPOILED = {"miou_text_shuffled": "another's text", "miou_text_removed": "no text"}
CONSTANT = {"miou_mean_mask": "mean mask", "miou_all_foreground": "all foreground", "miou_all_background": "nothing"}
# Figures about phrases that are not in the image: metric -> head of its column.
ABSENT = {
    "presence_auroc": "presence AUROC",
    "presence_auroc_mask": "AUROC of the peak",
    "miou": "mIoU",
    "miou_answered": "as answered",
    "present_refused": "present refused",
    "absent_area": "absent: area",
    "absent_marked": "absent: marked",
    "absent_area_mask": "area, mask alone",
    "absent_marked_mask": "marked, mask alone",
}


def table(results: Mapping[str, Any]) -> str:
    """Lay out a comparison of masks: one row an entrant, then the masks that read nothing."""
    head = [
        "entrant",
        "tokens",
        "seeds",
        "mIoU",
        *COLUMNS.values(),
        *SPOILED.values(),
        "parameters",
        "train s",
        "flags",
    ]
    summary = sorted(results["summary"], key=lambda entry: -entry["miou"]["mean"])
    rows = []
    for entry in summary:
        figures = [f"{entry[name]['mean']:.1f}" for name in (*COLUMNS, *SPOILED)]
        cost = [f"{entry['params']:,}", f"{entry['train_s']:.0f}"]
        flags = ", ".join(entry["flags"])
        rows.append([f"`{entry['fusion']}`", entry["tokens"], entry["seeds"], _interval(entry["miou"]), *figures])
        rows[-1] += [*cost, flags]
    for name, label in CONSTANT.items():
        rows.append([label, "", "", _interval(summary[0][name]), *[""] * (len(head) - 4)])
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def absent_table(results: Mapping[str, Any]) -> str:
    """Lay out what is measured of absent phrases, one row an entrant; "" where nothing was. No score: a dash."""
    summary = sorted(results["summary"], key=lambda entry: -entry["miou"]["mean"])
    measured = [entry for entry in summary if "absent_area" in entry]
    if not measured:
        return ""
    head = ["entrant", "seeds", *ABSENT.values()]
    rows = [
        [f"`{entry['fusion']}`", entry["seeds"], *(_interval(entry[key]) if key in entry else "-" for key in ABSENT)]
        for entry in measured
    ]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [head, ["---"] * len(head), *rows])


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of each folder, and its verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="comparisons")
    for folder in parser.parse_args(argv).folders:
        results = joined(json.loads((folder / "results.json").read_text(encoding="utf-8")))
        tables = filter(None, (table(results), absent_table(results)))
        print("\n\n".join([*tables, results["verdict"]]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
