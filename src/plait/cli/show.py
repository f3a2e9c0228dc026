"""How results look in a terminal: plain tables, nothing computed. What depends on the task comes from the task."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait.cli.show_data import skips
from plait.cli.tasks import metric_of, task_of
from plait.core.metric import Metric
from plait.report.flags import flag_sentences
from plait.report.terminal import figure, table
from plait.tasks import find_task

__all__ = ["audit", "command_line", "comparison", "evaluation", "explanation", "faithfulness", "names", "record"]

SKIPS_SHOWN = 3
_COLUMNS = ("name", "side", "family", "tasks", "pairings", "verb", "objective", "summary", "paper")


def command_line() -> str:
    """Give the command that is running, as one would type it."""
    return shlex.join(["plait", *sys.argv[1:]])


def record(found: dict[str, Any], out: str | Path) -> str:
    """Show a finished fit."""
    where, recipe = found["data"], found["recipe"]
    terminal = find_task(recipe["task"]).load_terminal()
    lines = [
        f"{recipe['fusion']['name']} on {where['name']}, split {where['split']}: "
        f"{where['photos']:,} photos, {where['captions']:,} {terminal.items}, seed {recipe['train']['seed']}",
        *terminal.run(found["metrics"]),
    ]
    lines += [f"flag: {sentence}" for sentence in flag_sentences(found)]
    if found.get("audit", {}).get("flags"):
        lines.append(found["audit"]["verdict"])
    lines += skips(where.get("skipped", ()), most=SKIPS_SHOWN)
    lines.append(
        f"{found['params']:,} parameters trained in {found['train_s']:.0f} s ({found['step_ms']:.0f} ms per step)"
    )
    lines += [found["limit"]["sentence"]] if found.get("limit") else []
    return "\n".join([*lines, f"saved in {out}"])


def comparison(results: dict[str, Any], folder: Path) -> str:
    """Show a comparison's leaderboard and verdict."""
    board = find_task(results["task"]).load_terminal().board(results)
    left_out = skips(results.get("data", {}).get("skipped", ()), most=SKIPS_SHOWN)
    return "\n".join([*board, *left_out, "", f"report: {folder / 'report.html'}"])


def evaluation(found: dict[str, Any], metrics: Sequence[Metric]) -> str:
    """Show one evaluation, whose figures are those of `metrics`: tasks may use one key for figures of their own."""
    task = task_of(metrics)
    items = task.load_terminal().items if task is not None else "captions"
    head = f"{found['run']}, split {found['split']}: {found['photos']:,} photos, {found['captions']:,} {items}"
    rows = []
    for metric in metrics:
        value, interval = found["metrics"][metric.key], found["intervals"].get(metric.key)
        ends = f"{figure(metric, interval['low'])} to {figure(metric, interval['high'])}" if interval else ""
        rows.append([metric.head, figure(metric, value), ends])
    flags = [f"flags: {', '.join(found['flags'])}"] if found["flags"] else []
    figures = table(rows, ["metric", "value", "95 % over photos"])
    left_out = skips(found["skipped"], most=SKIPS_SHOWN)
    return "\n".join([head, f"scores: {found['score_kind']}", *flags, figures, *left_out])


def explanation(found: dict[str, Any]) -> str:
    """Show what an answer depends on: the number, its words, the strongest cells, and how faithful the map is."""
    height, width = found["grid"]
    cells = sorted(
        ((value, row, column) for row, line in enumerate(found["image"]) for column, value in enumerate(line)),
        reverse=True,
    )
    lines = [
        f"{found['photo']}: {found['text']!r}",
        f"{found['what']} {found['value']:.4g}; method {found['method']}, {height} x {width} cells",
        "strongest cells (row, column from the top left): "
        + ", ".join(f"({row + 1}, {column + 1}) {value:.3g}" for value, row, column in cells[:3]),
    ]
    if found["words"]:
        words = zip(found["words"], found["worth"], strict=True)
        lines.append("worth of each word: " + ", ".join(f"{word} {worth:+.3g}" for word, worth in words))
    lines += (found["faithful"] or {"sentences": ["how faithful the map is was not measured"]})["sentences"]
    return "\n".join([*lines, *(f"{kind}: {path}" for kind, path in found["files"].items())])


def faithfulness(found: dict[str, Any]) -> str:
    """Show how faithful a method's maps are over a split."""

    def interval(key: str, unit: str = "") -> str:
        one = found[key]
        return f"{one['mean']:.3g}{unit} [{one['low']:.3g}, {one['high']:.3g}]"

    lines = [
        f"{found['images']:,} images of {found['split']}, method {found['method']}; {found['what']}",
        f"deletion, better than random orders by {interval('deletion_gain')}",
        f"insertion, better than random orders by {interval('insertion_gain')}",
        f"spread over {100 * found['evenness']:.0f} % of the cells; rank correlation with shuffled weights "
        f"{found['unlearned']:.2f}",
    ]
    if found["pointing"] is not None:
        lines.append(
            f"pointing game {interval('pointing', ' %')}; cell in the middle {interval('pointing_centre', ' %')}; "
            f"chance {found['pointing_chance']:.3g} %"
        )
    return "\n".join([*lines, *found["sentences"]])


def audit(found: dict[str, Any]) -> str:
    """Show an audit: the figures, then the verdict."""
    rows = [
        [output, *(f"{sides[side]:.2f}" for side in ("text", "image"))] for output, sides in found["influence"].items()
    ]
    lines = [f"{found['fusion']}, {found['tokens']}, pairing {found['pairing']}"]
    if "noise_accuracy" in found:  # a task that asks for pairs
        lines += [
            f"pairs found in noise: {found['noise_accuracy']:.1f} % (chance {found['chance']:.1f}; a random score "
            f"stays below {found['bound']:.1f}; {found['batch']} pairs, {found['seeds']} seeds)",
            "change of a score when another item's partner is replaced: "
            f"{found['partner_influence']:.2f} (leak-free: 0)",
        ]
    lines += [
        f"attention over one key: {'yes' if found['single_key'] else 'no'}",
        f"parameters without gradient: {', '.join(found['dead_parameters']) or 'none'}",
        "",
        table(rows, ["depends on", "text", "image"]),
    ]
    lines += _on_data(found["data"]) if "data" in found else []
    lines += skips(found.get("skipped", ()), most=SKIPS_SHOWN)
    return "\n".join([*lines, "", f"flags: {', '.join(found['flags']) or 'none'}", found["verdict"]])


def _on_data(data: dict[str, Any]) -> list[str]:
    """Show what the trained model scores with a side shuffled or removed, beside what reads nothing."""
    known = {"as trained": data["whole"], **data["ablations"], **data.get("baselines", {})}
    metrics = [metric_of(key) for key in data["whole"]]
    rows = [[name, *(figure(metric, value.get(metric.key)) for metric in metrics)] for name, value in known.items()]
    head = f"{data['photos']} photos of {data['split']}"
    if data.get("bound") is not None:  # a task that asks for pairs
        chance = 100.0 / data["photos"]
        head += f", one caption each: chance {chance:.1f} %, a random score stays below {data['bound']:.1f} %"
    return ["", head, table(rows, ["scored with", *(metric.short_head for metric in metrics)])]


def names(rows: list[dict[str, Any]]) -> str:
    """Show a name table."""
    keys = [key for key in _COLUMNS if any(key in row for row in rows)]
    cells = [
        [", ".join(row[key]) if isinstance(row.get(key), list) else str(row.get(key, "")) for key in keys]
        for row in rows
    ]
    return table(cells, keys)
