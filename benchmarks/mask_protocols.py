"""What one model scores under the published protocols of masks from instructions, and under a leak-free one.

    python -m benchmarks.mask_protocols --data DIR --meant out/mask_losses --kept out/mask_kept --json

`--meant` and `--kept` are comparisons with the recipe `mask_losses` on the same photos: the first with the region
that a text refers to as foreground, the second with the rest of the photo (`DIR#polarity=background`), which is the
result of reading an edit's mask as "not black". Every run of two fusions is scored on its training rows and on the
held-out photos, by mean IoU, beside a mask that marks everything.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait import api
from plait.core.made import joined

__all__ = ["constant_scores", "main", "measure"]

ONE_KEY, TOKENS = "self_cross_pooled_bce", "self_cross_tokens_bce"
# Shares of a photo that an edit covers, to show what a constant scores.
AREAS = (0.02, 0.04, 0.10, 0.20)


def constant_scores(area: float) -> dict[str, float]:
    """Give the mean IoU, in percent, of masks that depend on no input, where every edit covers this part of its photo.

    Formula: marking everything scores the true region's share, marking nothing 0 (Jaccard 1912).

    Returns: under "meant" (the edit is foreground) and "kept" (the rest is): what marking everything scores.
    """
    return {"area": area, "meant": 100 * area, "kept": 100 * (1 - area)}


def measure(folder: Path, data: str, *, fusions: Sequence[str], region: str) -> list[dict[str, Any]]:
    """Score every run of these fusions on its training rows; what it scored on held-out ones is known.

    Args:
        folder: of a comparison
        data:   the address it was trained on
        region: a word for what is foreground
    """
    results = joined(json.loads((folder / "results.json").read_text(encoding="utf-8")))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in results["rows"]:
        if row["fusion"] not in fusions or row["status"] == "failed":
            continue
        held = results["data"]["eval_split"]
        scored = {"train": api.evaluate(folder / row["run"], data, split="train").metrics, held: row["metrics"]}
        for split, found in scored.items():
            entry = rows.setdefault(
                (row["fusion"], split),
                {"region": region, "fusion": row["fusion"], "split": split, "seeds": [], "miou": []},
            )
            entry["seeds"].append(row["seed"])
            entry["miou"].append(found["miou"])
            for name in ("miou_text_shuffled", "miou_all_foreground", "miou_all_background", "miou_mean_mask"):
                entry.setdefault(name, []).append(found[name])
            print(f"{region} {row['run']} {split}: mIoU {found['miou']:.1f}", file=sys.stderr)
    return list(rows.values())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay the scores out as Markdown."""
    head = "| foreground | fusion | scored on | seeds | mIoU, by seed | everything marked | texts shuffled |"
    lines = [head, "| --- | --- | --- | ---: | --- | ---: | --- |"]
    for row in rows:
        by_seed = ", ".join(f"{value:.1f}" for value in row["miou"])
        shuffled = ", ".join(f"{value:.1f}" for value in row["miou_text_shuffled"])
        lines.append(
            f"| {row['region']} | `{row['fusion']}` | {row['split']} | {len(row['seeds'])} | {by_seed} | "
            f"{row['miou_all_foreground'][0]:.1f} | {shuffled} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the mask set, as `plait compare` was given it")
    parser.add_argument("--meant", type=Path, required=True, help="the comparison on it")
    parser.add_argument("--kept", type=Path, help="the comparison on it with polarity=background")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    given = parser.parse_args(argv)
    rows = measure(given.meant, given.data, fusions=(ONE_KEY, TOKENS), region="the region meant")
    if given.kept is not None:
        other = given.data + ("," if "#" in given.data else "#") + "polarity=background"
        rows += measure(given.kept, other, fusions=(ONE_KEY, TOKENS), region="the rest of the photo")
    constants = [constant_scores(area) for area in AREAS]
    print(json.dumps({"constants": constants, "scores": rows}, indent=1) if given.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
