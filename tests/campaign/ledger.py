"""The table of outcomes, one line per input, as markdown and as JSON, and its counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.campaign.outcome import Outcome

__all__ = ["counts", "write_table"]


def counts(outcomes: Sequence[Outcome]) -> list[str]:
    """Count how inputs ended, in lines for the terminal."""
    ended = Counter(one.ended for one in outcomes)
    passed = sum(one.passed for one in outcomes)
    known = [one for one in outcomes if one.known]
    lines = [
        f"{len(outcomes)} inputs: {passed} ended as they have to, {len(outcomes) - passed} did not",
        "ended: " + ", ".join(f"{kind} {number}" for kind, number in ended.most_common()),
    ]
    if known:
        over = sum(one.passed for one in known)
        lines.append(f"{len(known)} are known to fail; {over} of them pass now: take their reason out")
    for area, total in Counter(one.area for one in outcomes).items():
        good = sum(one.passed for one in outcomes if one.area == area)
        seconds = sum(one.seconds for one in outcomes if one.area == area)
        lines.append(f"  {area}: {good} of {total} in {seconds:.0f} s")
    return lines


def write_table(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write outcomes.md and outcomes.json, those that ended badly first."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(outcomes, key=lambda one: (one.passed, one.id))
    rows = [
        f"| {one.id} | {one.expected} | {_ended(one)} | {one.seconds:.1f} | {_cell(one.message)} |" for one in ordered
    ]
    head = ["# Outcome per input", "", *counts(outcomes), ""]
    table = ["| input | expected | ended | s | message or output |", "| --- | --- | --- | --- | --- |", *rows]
    (folder / "outcomes.md").write_text("\n".join([*head, *table]) + "\n", encoding="utf-8", errors="replace")
    plain = {"counts": counts(outcomes), "outcomes": [one.to_json() for one in ordered]}
    (folder / "outcomes.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def _ended(one: Outcome) -> str:
    ended = one.ended if one.passed else f"**{one.ended}**"
    return f"{ended} (known: {one.known})" if one.known else ended


def _cell(text: str) -> str:
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= 240 else f"{flat[:240]} ..."
