"""The report's plain tables: the data, the list of runs, and how to reproduce them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plait.report.layout import Layout, ReportData
from plait.report.text import badge, count, escape, figure, name_text, seconds, value_of

__all__ = ["data_card", "reproduce", "runs_table"]

_MOST_SKIPS = 200


def data_card(data: Mapping[str, Any], *, items: str) -> str:
    """Draw what was compared on: origin, splits, fingerprint, and what was skipped and why; `items` heads a column."""
    splits = data.get("splits") or {}
    used = data.get("eval_split")
    split_rows = "".join(
        f'<tr><th scope="row">{escape(name)}{badge("numbers are from here", "good") if name == used else ""}</th>'
        f"<td>{figure(part.get('photos'), 0)}</td><td>{figure(part.get('captions'), 0)}</td></tr>"
        for name, part in splits.items()
    )
    skipped = list(data.get("skipped") or ())
    facts = [("Name", data.get("name")), ("Origin", data.get("origin")), ("Fingerprint", data.get("fingerprint"))]
    listed = "".join(
        f"<dt>{name}</dt><dd{' class=mono' if name == 'Fingerprint' else ''}>{escape(value)}</dd>"
        for name, value in facts
        if value
    )
    if skipped:
        listed_skips = "".join(
            f"<tr><td>{escape(skip.get('where', ''))}</td><td>{escape(skip.get('reason', ''))}</td></tr>"
            for skip in skipped[:_MOST_SKIPS]
        )
        rest = f"<p>… and {count(len(skipped) - _MOST_SKIPS, 'more item')}.</p>" if len(skipped) > _MOST_SKIPS else ""
        skips = (
            f"<details><summary>{count(len(skipped), 'item')} skipped</summary>"
            '<div class="scroll" tabindex="0" role="region" aria-label="Skipped items"><table class="table">'
            '<caption class="hidden">What was skipped and why</caption><thead><tr><th scope="col">Where</th>'
            f'<th scope="col">Why</th></tr></thead><tbody>{listed_skips}</tbody></table></div>{rest}</details>'
        )
    else:
        skips = '<p class="quiet">Nothing was skipped.</p>'
    return (
        f'<dl class="facts">{listed}</dl><table class="table">'
        '<caption class="hidden">Splits, disjoint by photo</caption><thead><tr><th scope="col">Split</th>'
        '<th scope="col">Photos</th>'
        f'<th scope="col">{escape(items.capitalize())}</th></tr></thead>'
        f"<tbody>{split_rows}</tbody></table>{skips}"
    )


def runs_table(data: ReportData, layout: Layout) -> str:
    """Draw one row per run (a fusion with a seed): how it ended, its main figures, and where it lies."""
    shown = [data.metrics[key] for key in layout.runs or layout.bars]
    body = []
    for row in data.rows:
        status = str(row.get("status", "ok"))
        mark = badge(status, "good" if status == "ok" else "bad")
        figures = row.get("metrics") or {}
        cells = "".join(f"<td>{value_of(metric, figures.get(metric.key))}</td>" for metric in shown)
        body.append(
            f'<tr><th scope="row">{name_text(row.get("fusion", ""))}</th><td>{escape(row.get("seed", ""))}</td>'
            f"<td>{mark}</td>{cells}<td>{seconds(row.get('train_s'))}</td>"
            f'<td class="mono">{escape(row.get("run", ""))}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{escape(metric.short_head)}</th>' for metric in shown)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="table"><caption class="hidden">'
        'Every run</caption><thead><tr><th scope="col">Fusion</th><th scope="col">Seed</th><th scope="col">Status</th>'
        f'{heads}<th scope="col">Training</th><th scope="col">Folder</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def reproduce(results: Mapping[str, Any]) -> str:
    """Draw the command, the versions and the settings that made these numbers."""
    command = str(results.get("command") or "")
    versions = {"plait": results.get("plait", ""), **(results.get("versions") or {})}
    named = [f"{name} {value}".strip() for name, value in versions.items()]
    line = (
        f'<div class="command"><pre id="command"><code>{escape(command)}</code></pre>'
        '<button type="button" id="copy">Copy</button></div>'
        if command
        else '<p class="quiet">The command was not recorded.</p>'
    )
    settings = escape(json.dumps(results.get("settings") or {}, indent=2, ensure_ascii=False))
    return (
        f'{line}<p class="quiet">{escape(" · ".join(named))}</p>'
        f'<details><summary>Settings</summary><pre class="settings"><code>{settings}</code></pre></details>'
    )
