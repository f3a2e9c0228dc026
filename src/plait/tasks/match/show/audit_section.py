"""The report's audit of matching: what each fusion finds in noise, and with captions or photos shuffled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.flags import FLAG_WORDS, flags_of_runs
from plait.report.layout import ReportData
from plait.report.text import MISSING, badge, empty, escape, figure, number_of

__all__ = ["audit_section"]

# kind of ablation, as the audit names it -> (head of the column, what it is)
_ABLATIONS = {
    "whole": ("As trained", "R@1 on a few held-out photos with one caption each, the better direction"),
    "text shuffled": ("Text shuffled", "the same when each photo got another one's caption"),
    "image shuffled": ("Image shuffled", "the same when each caption got another one's photo"),
}
_COLUMNS = (
    ("Noise", "with random weights on independent noise: share of photos whose own caption has the highest score"),
    ("Chance", "what guessing finds there"),
    *_ABLATIONS.values(),
    ("No gradient", "parameters, or blocks of their rows, that never get a gradient"),
)


def audit_section(data: ReportData) -> str:
    """Draw one row per fusion: noise, ablations (means over seeds), parameters without gradient, flags, the verdict."""
    body = []
    for name in data.order:
        runs = [row for row in data.rows if row.get("fusion") == name]
        audits = [row["audit"] for row in runs if isinstance(row.get("audit"), Mapping)]
        if not audits:
            continue
        marks = "".join(
            badge(flag, FLAG_WORDS.get(flag, ("warn", ""))[0], title=FLAG_WORDS.get(flag, ("", ""))[1])
            for flag in flags_of_runs({}, runs)
        )
        first = audits[0]
        cells = [figure(first.get("noise_accuracy")), figure(first.get("chance"))]
        cells += [_recall(audits, kind) for kind in _ABLATIONS]
        cells.append(figure(first.get("dead_parameters"), 0))
        details = f"<details><summary>In words</summary><p>{escape(first.get('verdict', ''))}</p></details>"
        body.append(
            f'<tr><th scope="row">{data.label(name)}</th>'
            f"{''.join(f'<td>{cell}</td>' for cell in cells)}<td>{marks or badge('no flag', 'good')}{details}</td></tr>"
        )
    if not body:
        return empty("These runs were not audited.")
    head = "".join(f'<th scope="col" title="{escape(hint)}">{label}</th>' for label, hint in _COLUMNS)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Audit"><table class="table" id="audit">'
        '<caption class="hidden">Audit, in percent</caption><thead><tr><th scope="col">Fusion</th>'
        f'{head}<th scope="col">Found</th></tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def _recall(audits: Sequence[Mapping[str, Any]], kind: str) -> str:
    """Give the mean over seeds of the better direction's R@1 under an ablation."""
    found = [audit["ablations"].get(kind) for audit in audits if isinstance(audit.get("ablations"), Mapping)]
    best = [[n for n in map(number_of, recalls.values()) if n is not None] for recalls in found if recalls]
    values = [max(numbers) for numbers in best if numbers]
    return figure(sum(values) / len(values)) if values else MISSING
