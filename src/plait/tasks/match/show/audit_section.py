"""The report's audit of matching: what is found with captions or photos shuffled, and what is found in noise.

Each table has one kind of sample, and each row says its size and what chance is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.flags import FLAG_WORDS, flags_of_runs
from plait.report.layout import ReportData
from plait.report.text import MISSING, badge, count, empty, escape, figure, number_of

__all__ = ["audit_section"]

Audits = Sequence[Mapping[str, Any]]

# kind of ablation, as the audit names it -> (head of the column, what it is)
_ABLATIONS = {
    "whole": ("As trained", "R@1 on these photos with one caption each, the better direction"),
    "text shuffled": ("Text shuffled", "the same when each photo got another one's caption"),
    "image shuffled": ("Image shuffled", "the same when each caption got another one's photo"),
}
_HELD_OUT = (
    ("Photos", "held-out photos scored, one caption each"),
    ("Chance", "what guessing among these photos finds"),
    *_ABLATIONS.values(),
    ("Flagged above", "what a random score on these photos exceeds once in 100,000 times"),
    ("No gradient", "parameters, or blocks of their rows, that never get a gradient"),
)
_NOISE = (
    ("Pairs", "pairs of independent noise, scored with random weights"),
    ("Chance", "what guessing among these pairs finds"),
    ("Found", "share of images of noise whose own text has the highest score"),
    ("Flagged above", "what a random score on these pairs exceeds once in 100,000 times"),
)


def audit_section(data: ReportData) -> str:
    """Draw two tables, one row per fusion: held-out photos with a side shuffled (means over seeds), and noise."""
    held_out, noise = [], []
    for name in data.order:
        runs = [row for row in data.rows if row.get("fusion") == name]
        audits = [row["audit"] for row in runs if isinstance(row.get("audit"), Mapping)]
        if not audits:
            continue
        held_out.append(_row(data.label(name), [*_held_out(audits), _found(audits[0], runs)]))
        noise.append(_row(data.label(name), _noise(audits[0])))
    if not held_out:
        return empty("These runs were not audited.")
    return (
        _table("audit", "Held-out photos, with one side shuffled, in percent", (*_HELD_OUT, ("Found", "")), held_out)
        + "<h3>Before training, on noise</h3>"
        + _table("audit-noise", "Noise, with random weights, in percent", _NOISE, noise)
    )


def _held_out(audits: Audits) -> list[str]:
    first = audits[0]
    photos = number_of(first.get("photos"))
    chance = MISSING if photos is None else figure(100.0 / photos)
    cells = [figure(photos, 0), chance, *(_recall(audits, kind) for kind in _ABLATIONS)]
    return [*cells, figure(first.get("ablation_bound")), figure(first.get("dead_parameters"), 0)]


def _noise(audit: Mapping[str, Any]) -> list[str]:
    batch, seeds = number_of(audit.get("batch")), number_of(audit.get("seeds"))
    pairs = MISSING if batch is None or seeds is None else f"{figure(batch, 0)} under {count(int(seeds), 'seed')}"
    return [pairs, *(figure(audit.get(key)) for key in ("chance", "noise_accuracy", "bound"))]


def _found(audit: Mapping[str, Any], runs: Audits) -> str:
    marks = "".join(
        badge(flag, FLAG_WORDS.get(flag, ("warn", ""))[0], title=FLAG_WORDS.get(flag, ("", ""))[1])
        for flag in flags_of_runs({}, runs)
    )
    words = f"<details><summary>In words</summary><p>{escape(audit.get('verdict', ''))}</p></details>"
    return f"{marks or badge('no flag', 'good')}{words}"


def _row(label: str, cells: Sequence[str]) -> str:
    return f'<tr><th scope="row">{label}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _table(name: str, caption: str, columns: Sequence[tuple[str, str]], rows: Sequence[str]) -> str:
    head = "".join(f'<th scope="col" title="{escape(hint)}">{label}</th>' for label, hint in columns)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table class="table" id="{name}">'
        f'<caption class="hidden">{caption}</caption><thead><tr><th scope="col">Fusion</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _recall(audits: Audits, kind: str) -> str:
    """Give the mean over seeds of the better direction's R@1 under an ablation."""
    found = [audit["ablations"].get(kind) for audit in audits if isinstance(audit.get("ablations"), Mapping)]
    best = [[n for n in map(number_of, recalls.values()) if n is not None] for recalls in found if recalls]
    values = [max(numbers) for numbers in best if numbers]
    return figure(sum(values) / len(values)) if values else MISSING
