"""The report's audit: what each fusion does on noise and with one side shuffled, and what its flags mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.text import MISSING, badge, escape, figure, number_of

__all__ = ["FLAG_WORDS", "audit_table", "flags_of_runs", "legend"]

# flag -> (kind of badge, what it means)
FLAG_WORDS = {
    "leaky": ("bad", "the score has read the answer: not comparable, left out of the ranking"),
    "single-key": ("warn", "some attention has one key: its softmax is 1, so nothing is attended to"),
    "ignores the text": ("warn", "the score does not change when the text is exchanged"),
    "ignores the image": ("warn", "the score does not change when the photo is exchanged"),
    "shared photos": ("bad", "photos of the evaluated split are in the training split too"),
    "broken metric": ("bad", "the metrics do not give a perfect model 100 %"),
    "budget off": ("warn", "its parameters are more than 5 % from the reference's"),
    "did not train": (
        "bad",
        "no better than what reads nothing (chance, or a constant mask), or its loss was not finite",
    ),
    "failed": ("bad", "the run stopped with an error"),
}
_COLUMNS = (
    ("noise", "with random weights, on independent noise: share of photos whose own caption wins"),
    ("chance", "what guessing finds there"),
    ("as trained", "R@1 on a few held-out photos, one caption each: the better direction"),
    ("text shuffled", "the same when each photo got another one's caption"),
    ("image shuffled", "the same when each caption got another one's photo"),
    ("dead", "parameters, or blocks of their rows, that never get a gradient"),
)


def flags_of_runs(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the flags of a fusion: those of its summary row and of its runs, and how runs ended, each once."""
    flags = [str(flag) for run in (row, *runs) for flag in run.get("flags") or ()]
    flags += [str(run["status"]) for run in runs if run.get("status") in ("did not train", "failed")]
    return list(dict.fromkeys(flags))


def legend(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say in one paragraph what each flag that occurs means; nothing where none does."""
    flags = [flag for flag in flags_of_runs({}, rows) if flag in FLAG_WORDS]
    if not flags:
        return ""
    told = "; ".join(f"{badge(flag, FLAG_WORDS[flag][0])} {escape(FLAG_WORDS[flag][1])}" for flag in flags)
    return f'<p class="note">{told}.</p>'


def audit_table(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    """Draw one row a fusion: noise, ablations (means over seeds), dead parameters, flags, and the verdict in words."""
    body = []
    for name in order:
        runs = [row for row in rows if row.get("fusion") == name]
        audits = [row["audit"] for row in runs if isinstance(row.get("audit"), Mapping)]
        if not audits:
            continue
        marks = "".join(
            badge(flag, FLAG_WORDS.get(flag, ("warn", ""))[0], title=FLAG_WORDS.get(flag, ("", ""))[1])
            for flag in flags_of_runs({}, runs)
        )
        first = audits[0]
        cells = [figure(first.get("noise_accuracy")), figure(first.get("chance"))]
        cells += [_kept(audits, kind) for kind in ("whole", "text shuffled", "image shuffled")]
        cells.append(figure(first.get("dead_parameters"), 0))
        said = f"<details><summary>In words</summary><p>{escape(first.get('verdict', ''))}</p></details>"
        colour = f"s{list(order).index(name) % 10}"
        body.append(
            f'<tr><th scope="row"><span class="fusion {colour}"><i></i>{escape(name)}</span></th>'
            f"{''.join(f'<td>{cell}</td>' for cell in cells)}<td>{marks or badge('no flag', 'good')}{said}</td></tr>"
        )
    head = "".join(f'<th scope="col" title="{escape(hint)}">{label.capitalize()}</th>' for label, hint in _COLUMNS)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Audit"><table class="table" id="audit">'
        '<caption class="hidden">Audit, in percent</caption><thead><tr><th scope="col">Fusion</th>'
        f'{head}<th scope="col">Found</th></tr></thead><tbody>{"".join(body)}</tbody></table></div>'
        if body
        else '<p class="empty">These runs were not audited.</p>'
    )


def _kept(audits: Sequence[Mapping[str, Any]], kind: str) -> str:
    """Give the mean over seeds of the better direction's R@1 under an ablation."""
    found = [audit["ablations"].get(kind) for audit in audits if isinstance(audit.get("ablations"), Mapping)]
    best = [[n for n in map(number_of, recalls.values()) if n is not None] for recalls in found if recalls]
    values = [max(numbers) for numbers in best if numbers]
    return figure(sum(values) / len(values)) if values else MISSING
