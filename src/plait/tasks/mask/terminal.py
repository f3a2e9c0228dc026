"""How masks look in a terminal: figures beside their baselines, nothing computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from plait.cli.tables import figure, table

__all__ = ["mask", "mask_figures", "masks_compared"]

_ABLATIONS = (("text shuffled", "swapped text"), ("text removed", "no text"), ("image removed", "no photo"))
_BASELINES = ("all foreground", "all background", "mean mask")


def mask(found: dict[str, Any]) -> str:
    """Show one mask: what was found, and where it was written."""
    lines = [
        f"{found['photo']}: {shorten(found['text'], 120, placeholder=' …')!r}",
        f"{100 * found['area']:.1f} % of {found['width']} x {found['height']} px, probability at least "
        f"{found['threshold']:.2f} (highest {found['highest_probability']:.2f})",
    ]
    if not found["area"]:
        lines.append("nothing reaches the threshold; --threshold asks for less")
    return "\n".join([*lines, *(f"{kind}: {path}" for kind, path in found["files"].items())])


def mask_figures(metrics: Mapping[str, float]) -> str:
    """Show a run's figures, then what is left without text or photo, then what constant masks score."""
    lines = [
        f"mIoU {metrics['miou']:.1f}, oIoU {metrics['oiou']:.1f}, P@0.5 {metrics['p50']:.1f}, "
        f"P@0.7 {metrics['p70']:.1f}, P@0.9 {metrics['p90']:.1f}, Dice {metrics['dice']:.1f}, "
        f"boundary F {metrics['boundary_f']:.1f}"
    ]
    for title, names in (("mIoU with", [name for name, _ in _ABLATIONS]), ("mIoU of", _BASELINES)):
        lines.append(f"{title} " + ", ".join(f"{n} {metrics['miou_' + n.replace(' ', '_')]:.1f}" for n in names))
    return "\n".join(lines)


def masks_compared(results: dict[str, Any], folder: Path) -> str:
    """Show a comparison's leaderboard, its baselines and its verdict."""
    flagged = any(entry["flags"] for entry in results["summary"])
    header = ["fusion", "tokens", "seeds", "mIoU", "95 %", "oIoU", "95 %", "P@0.5", "bound. F"]
    header += [title for _, title in _ABLATIONS] + ["params", "step ms", "train s"] + (["flags"] if flagged else [])
    rows = []
    for entry in results["summary"]:
        row = [entry["fusion"], entry["tokens"], str(entry["seeds"]), *figure(entry["miou"]), *figure(entry["oiou"])]
        names = ["p50", "boundary_f", *(f"miou_{kind.replace(' ', '_')}" for kind, _ in _ABLATIONS)]
        row += [f"{entry[name]['mean']:.1f}" for name in names]
        row += [f"{entry['params']:,}", f"{entry['step_ms']:.0f}", f"{entry['train_s']:.0f}"]
        rows.append(row + ([", ".join(entry["flags"])] if flagged else []))
    # Baselines read no fusion; where thresholds differ between runs, so does none of them but the mean mask's.
    for name in _BASELINES:
        cells = [entry[f"miou_{name.replace(' ', '_')}"] for entry in results["summary"]]
        if cells:
            row = [f"({name})", "", "", *figure(cells[0])]
            rows.append(row + [""] * (len(header) - len(row)))
    failed = [f"{row['run']}: {row['reason']}" for row in results["rows"] if row["status"] == "failed"]
    where = results["data"]
    split = where["splits"][where["eval_split"]]
    head = f"{where['name']}, split {where['eval_split']}: {split['photos']:,} photos, {split['captions']:,} masks"
    chosen = next((row["mask"] for row in results["rows"] if "mask" in row), None)
    note = f"thresholds chosen on {chosen['threshold_on']}" if chosen else ""
    lines = [head, note, "", table(rows, header), "", results["verdict"], *failed, ""]
    return "\n".join([*lines, f"report: {folder / 'report.html'}"])
