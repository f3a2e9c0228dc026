"""The report's tables: leaderboard, pairwise tests, data card, runs and how to reproduce them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.metrics.effects import power_sentence
from plait.compare.verdict import METRIC_NAMES
from plait.report.audit import FLAG_WORDS, flags_of_runs
from plait.report.charts import interval_bar, nice_ticks
from plait.report.text import MISSING, badge, cell_of, count, escape, figure, number_of, seconds, thousands

__all__ = ["MATCH", "Layout", "data_card", "leaderboard", "reproduce", "runs_table", "tests_matrix"]


@dataclass(frozen=True)
class Layout:
    """Which metrics a leaderboard shows, and where.

    Fields:
        bars:  (metric, head) drawn as interval bars in the overview; the first ranks
        main:  (metric, head) further columns of the overview, shown where a row has them
        views: view -> (metric, head) columns that its button shows, where a row has them
        short: (metric, head) columns of the list of runs
    """

    bars: tuple[tuple[str, str], ...]
    main: tuple[tuple[str, str], ...]
    views: Mapping[str, tuple[tuple[str, str], ...]]
    short: tuple[tuple[str, str], ...]


MATCH = Layout(
    bars=(("t2i_r1", "Text → image R@1 %"), ("i2t_r1", "Image → text R@1 %")),
    main=(("binding_accuracy", "Binding %"),),
    views={
        "t2i": (
            ("t2i_r1", "R@1 %"),
            ("t2i_r5", "R@5 %"),
            ("t2i_r10", "R@10 %"),
            ("t2i_median_rank", "Median rank"),
            ("t2i_map", "mAP %"),
            ("t2i_r1_fused", "R@1 %, fused head alone"),
            ("t2i_r1_luck", "R@1 %, luck among candidates"),
        ),
        "i2t": (
            ("i2t_r1", "R@1 %"),
            ("i2t_r5", "R@5 %"),
            ("i2t_r10", "R@10 %"),
            ("i2t_median_rank", "Median rank"),
            ("i2t_map", "mAP %"),
            ("i2t_r1_fused", "R@1 %, fused head alone"),
            ("i2t_r1_luck", "R@1 %, luck among candidates"),
        ),
    },
    short=(("t2i_r1", "t→i R@1"), ("i2t_r1", "i→t R@1")),
)
_MOST_SKIPS = 200


def leaderboard(
    summary: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    order: Sequence[str],
    chance: float | None,
    *,
    layout: Layout = MATCH,
) -> str:
    """Draw one row a fusion, in the order given; JavaScript sorts it and switches the column groups.

    `chance` marks the bars: what a model that read nothing would score, in percent.
    """
    tops = {metric: _top(summary, metric, chance) for metric, _ in layout.bars}
    main = _known(layout.main, summary)
    views = {view: _known(columns, summary) for view, columns in layout.views.items()}
    head = ['<th scope="col" class="name" data-sort="text"><button type="button">Fusion</button></th>']
    for metric, label in layout.bars:
        ticks = "".join(
            f'<span style="left:{100 * tick / tops[metric]:.1f}%">{tick:g}</span>'
            for tick in nice_ticks(0, tops[metric], wanted=4)
            if tick <= tops[metric]
        )
        head.append(
            f'<th scope="col" class="view-main" data-sort="number"><button type="button">{label}</button>'
            f'<span class="scale" aria-hidden="true">{ticks}</span></th>'
        )
    head.extend(_head("view-main", label) for _, label in main)
    for view, columns in views.items():
        head.extend(_head(f"view-{view}", label) for _, label in columns)
    head.append(_head("view-main view-cost", "Parameters"))
    head.append(_head("view-main view-cost", "Step ms"))
    head.append(_head("view-cost", "Training"))
    head.append(_head("view-cost", "Evaluation"))
    head.append(_head("view-cost", "Peak memory"))
    body = []
    for row in summary:
        mine = [run for run in rows if run.get("fusion") == row["fusion"]]
        colour = order.index(str(row["fusion"])) % 10
        cells = [_name_cell(row, mine, colour)]
        cells.extend(_bar_cell(row, metric, tops[metric], chance, colour) for metric, _ in layout.bars)
        cells.extend(_metric_cell(row, metric, "view-main") for metric, _ in main)
        for view, columns in views.items():
            cells.extend(_metric_cell(row, metric, f"view-{view}") for metric, _ in columns)
        memory = _largest(mine, "peak_mb")
        cells.append(_cost_cell("view-main view-cost", row.get("params"), thousands(row.get("params"))))
        cells.append(_cost_cell("view-main view-cost", row.get("step_ms"), figure(row.get("step_ms"), 0)))
        cells.append(_cost_cell("view-cost", row.get("train_s"), seconds(row.get("train_s"))))
        cells.append(_cost_cell("view-cost", _largest(mine, "eval_s"), seconds(_largest(mine, "eval_s"))))
        cells.append(_cost_cell("view-cost", memory, figure(memory, 0, unit="MB")))
        body.append(f'<tr data-fusion="{escape(row["fusion"])}">{"".join(cells)}</tr>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Leaderboard">'
        '<table id="leaderboard" class="show-main">'
        '<caption class="hidden">One row a fusion; means over seeds with 95 % intervals</caption>'
        f"<thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _known(columns: Sequence[tuple[str, str]], summary: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Keep the columns that some row has a figure for."""
    return [(metric, head) for metric, head in columns if any(cell_of(row, metric) for row in summary)]


def tests_matrix(tests: Sequence[Mapping[str, Any]], order: Sequence[str], power: Sequence[Mapping[str, Any]]) -> str:
    """Draw a matrix a metric: row minus column, marked where the corrected test tells the two apart, and its power."""
    metrics = list(dict.fromkeys(str(test["metric"]) for test in tests))
    sentences = {str(row["metric"]): f'<p class="quiet">{escape(power_sentence(row))}</p>' for row in power}
    return "".join(
        _matrix([test for test in tests if test["metric"] == metric], metric, order, sentences.get(metric, ""))
        for metric in metrics
    )


def data_card(data: Mapping[str, Any]) -> str:
    """Draw what was compared on: origin, splits, fingerprint, and what was skipped and why."""
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
        items = "".join(
            f"<tr><td>{escape(skip.get('where', ''))}</td><td>{escape(skip.get('reason', ''))}</td></tr>"
            for skip in skipped[:_MOST_SKIPS]
        )
        rest = f"<p>… and {count(len(skipped) - _MOST_SKIPS, 'more item')}.</p>" if len(skipped) > _MOST_SKIPS else ""
        skips = (
            f"<details><summary>{count(len(skipped), 'item')} skipped</summary>"
            '<div class="scroll" tabindex="0" role="region" aria-label="Skipped items"><table class="table">'
            '<caption class="hidden">What was skipped and why</caption><thead><tr><th scope="col">Where</th>'
            f'<th scope="col">Why</th></tr></thead><tbody>{items}</tbody></table></div>{rest}</details>'
        )
    else:
        skips = '<p class="quiet">Nothing was skipped.</p>'
    return (
        f'<dl class="facts">{listed}</dl><table class="table">'
        '<caption class="hidden">Splits, disjoint by photo</caption><thead><tr><th scope="col">Split</th>'
        '<th scope="col">Photos</th><th scope="col">Captions</th></tr></thead>'
        f"<tbody>{split_rows}</tbody></table>{skips}"
    )


def runs_table(rows: Sequence[Mapping[str, Any]], *, layout: Layout = MATCH) -> str:
    """Draw one row a run (a fusion with a seed): what happened to it, and where it lies."""
    body = []
    for row in rows:
        status = str(row.get("status", "ok"))
        mark = badge(status, "good" if status == "ok" else "bad")
        metrics = row.get("metrics") or {}
        body.append(
            f'<tr><th scope="row">{escape(row.get("fusion", ""))}</th><td>{escape(row.get("seed", ""))}</td>'
            f"<td>{mark}</td>{''.join(f'<td>{figure(metrics.get(metric))}</td>' for metric, _ in layout.short)}"
            f'<td>{seconds(row.get("train_s"))}</td><td class="mono">{escape(row.get("run", ""))}</td></tr>'
        )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="table"><caption class="hidden">'
        'Every run</caption><thead><tr><th scope="col">Fusion</th><th scope="col">Seed</th><th scope="col">Status</th>'
        f'{"".join(f"""<th scope="col">{label}</th>""" for _, label in layout.short)}<th scope="col">Training</th>'
        f'<th scope="col">Folder</th></tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    )


def reproduce(results: Mapping[str, Any]) -> str:
    """Draw the command, the versions and the settings that made these numbers."""
    command = str(results.get("command") or "")
    versions = {"plait": results.get("plait", ""), **(results.get("versions") or {})}
    told = [f"{name} {value}".strip() for name, value in versions.items()]
    line = (
        f'<div class="command"><pre id="command"><code>{escape(command)}</code></pre>'
        '<button type="button" id="copy">Copy</button></div>'
        if command
        else '<p class="quiet">The command was not recorded.</p>'
    )
    settings = escape(json.dumps(results.get("settings") or {}, indent=2, ensure_ascii=False))
    return (
        f'{line}<p class="quiet">{escape(" · ".join(told))}</p>'
        f'<details><summary>Settings</summary><pre class="settings"><code>{settings}</code></pre></details>'
    )


def _head(view: str, label: str) -> str:
    return f'<th scope="col" class="{view}" data-sort="number"><button type="button">{label}</button></th>'


def _top(summary: Sequence[Mapping[str, Any]], metric: str, chance: float | None) -> float:
    cells = [cell for row in summary if (cell := cell_of(row, metric)) is not None]
    highest = max([high for _, _, high in cells] + [chance or 0.0, 1.0])
    return min(100.0, nice_ticks(0, highest, wanted=4)[-1])


def _name_cell(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], colour: int) -> str:
    marks = []
    if row.get("pairing"):
        hint = {
            "all": "every photo is scored with every caption through the fusion",
            "itm": "two towers, then a fused head re-ranks the towers' best candidates",
            "matched": "the protocol of some papers: each photo is fused with its own caption first",
        }
        reranked = next((run["rerank_k"] for run in runs if run.get("rerank_k")), None)
        text = f"{row['pairing']}, top {reranked}" if reranked else str(row["pairing"])
        marks.append(badge(text, title=hint.get(str(row["pairing"]), "pairing")))
    if row.get("tokens"):
        told = {"tokens": "word and region tokens are fused", "pooled": "one vector a side is fused"}
        marks.append(badge(str(row["tokens"]), title=told.get(str(row["tokens"]), "")))
    if isinstance(row.get("budget"), Mapping):
        marks.append(_budget_badge(row["budget"]))
    seeds = number_of(row.get("seeds"))
    if seeds is not None:
        marks.append(badge(count(int(seeds), "seed"), "warn" if seeds < 2 else "plain"))
    for flag in flags_of_runs(row, runs):
        kind, hint_text = FLAG_WORDS.get(flag, ("warn", ""))
        times = sum(1 for run in runs if run.get("status") == flag)
        text = f"{flag}: {times} of {len(runs)}" if 0 < times < len(runs) else flag
        marks.append(badge(text, kind, title=hint_text))
    name = escape(row["fusion"])
    return (
        f'<th scope="row" class="name" data-value="{name}"><span class="fusion s{colour}"><i></i>{name}</span>'
        f'<span class="badges">{"".join(marks)}</span></th>'
    )


def _budget_badge(budget: Mapping[str, Any]) -> str:
    told = f"matched to {budget.get('reference')}: "
    if budget.get("match") == "time":
        text = f"{count(int(budget['steps']), 'step')}"
        return badge(text, title=f"{told}{seconds(budget.get('seconds'))} of training, steps timed before it")
    off = 100 * float(budget["off"])
    return badge(f"width {budget['width']}", title=f"{told}{thousands(budget['params'])} parameters, {off:+.1f} %")


def _bar_cell(row: Mapping[str, Any], metric: str, top: float, chance: float | None, colour: int) -> str:
    cell = cell_of(row, metric)
    if cell is None:
        return f'<td class="view-main" data-value="-1">{MISSING}</td>'
    mean, low, high = cell
    label = f"{row['fusion']}, {METRIC_NAMES[metric]}: {mean:.1f} %, 95 % interval {low:.1f} to {high:.1f}"
    bar = interval_bar(cell, top=top, chance=chance, colour=colour, label=label)
    return (
        f'<td class="view-main estimate" data-value="{mean}">{bar}<span class="value"><b>{mean:.1f}</b>'
        f"<small>{low:.1f} – {high:.1f}</small></span></td>"
    )


def _metric_cell(row: Mapping[str, Any], metric: str, view: str) -> str:
    cell = cell_of(row, metric)
    if cell is None:
        return f'<td class="{view}" data-value="-1">{MISSING}</td>'
    mean, low, high = cell
    ends = f"<small>{low:.1f} – {high:.1f}</small>" if (low, high) != (mean, mean) else ""
    return f'<td class="{view}" data-value="{mean}"><span class="value"><b>{mean:.1f}</b>{ends}</span></td>'


def _cost_cell(view: str, value: object, shown: str) -> str:
    number = number_of(value)
    return f'<td class="{view}" data-value="{-1 if number is None else number}">{shown}</td>'


def _largest(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return max((value for row in rows if (value := number_of(row.get(key))) is not None), default=None)


def _matrix(tests: Sequence[Mapping[str, Any]], metric: str, order: Sequence[str], seen: str) -> str:
    found: dict[tuple[str, str], tuple[float, float, float, Mapping[str, Any]]] = {}
    for test in tests:
        difference, low, high = (number_of(test.get(key)) or 0.0 for key in ("difference", "low", "high"))
        found[str(test["a"]), str(test["b"])] = (difference, low, high, test)
        found[str(test["b"]), str(test["a"])] = (-difference, -high, -low, test)
    names = [name for name in order if any(name in pair for pair in found)]
    lower_is_better = metric.endswith("median_rank")
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    body = []
    for a in names:
        cells = [_matrix_cell(a, b, found.get((a, b)), lower_is_better) for b in names]
        colour = f"s{order.index(a) % 10}"
        body.append(
            f'<tr><th scope="row"><span class="fusion {colour}"><i></i>{escape(a)}</span></th>{"".join(cells)}</tr>'
        )
    label = escape(METRIC_NAMES.get(metric, metric))
    return (
        f'<figure class="panel"><figcaption>{label}</figcaption><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Tests of {label}"><table class="matrix">'
        f'<caption class="hidden">Row minus column, {label}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{seen}</figure>"
    )


def _matrix_cell(
    a: str, b: str, found: tuple[float, float, float, Mapping[str, Any]] | None, lower_is_better: bool
) -> str:
    if a == b or found is None:
        return f'<td class="none">{"" if a == b else MISSING}</td>'
    difference, low, high, test = found
    p = number_of(test.get("p_holm", test.get("p")))
    sure = bool(test.get("distinguishable"))
    better = (difference > 0) != lower_is_better
    kind = ("better" if better else "worse") if sure else "open"
    text = f"{difference:+.1f}".replace("-", "−") if round(difference, 1) else "0.0"
    told = "" if p is None else f", p = {p:.3g} after Holm"
    words = f"{a} minus {b}: {text} (95 % interval {low:.1f} to {high:.1f}{told}); " + (
        "distinguishable" if sure else "not distinguishable"
    )
    standard = test.get("d_z")
    if isinstance(standard, Mapping):
        sign = 1.0 if a == test.get("a") else -1.0
        ends = sorted(sign * float(standard[end]) for end in ("low", "high"))
        words += f"; d_z {sign * float(standard['value']):.2f} ({ends[0]:.2f} to {ends[1]:.2f})"
    return (
        f'<td class="{kind}" title="{escape(words)}"><b>{text}</b>'
        f"<small>{'' if p is None else 'p ' + _short_p(p)}</small></td>"
    )


def _short_p(p: float) -> str:
    return "&lt; .001" if p < 0.001 else f"{p:.3f}"[1:] if p < 0.1 else f"{p:.2f}"[1:] if p < 1 else "1"
