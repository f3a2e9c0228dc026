"""How results look in a terminal: plain tables, nothing computed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait.tasks.mask.terminal import mask, mask_figures, masks_compared
from plait.cli.tables import figure, table

__all__ = [
    "audit",
    "cache",
    "checked",
    "cleared",
    "command_line",
    "comparison",
    "data",
    "demo",
    "evaluation",
    "mask",
    "matches",
    "names",
    "probed",
    "probed_photo",
    "record",
    "table",
]

EXAMPLES_SHOWN = 3
SKIPS_SHOWN = 10


def command_line() -> str:
    """Give the command that is running, as one would type it."""
    return shlex.join(["plait", *sys.argv[1:]])


def record(found: dict[str, Any], out: Path) -> str:
    """Show a finished fit."""
    where = found["data"]
    lines = [
        f"{found['recipe']['fusion']['name']} on {where['name']}, split {where['split']}: "
        f"{where['photos']:,} photos, {where['captions']:,} captions, seed {found['recipe']['train']['seed']}",
        _metrics(found["metrics"]),
        *(
            [f"flags: {', '.join(found['flags'])}. {found.get('audit', {}).get('verdict', '')}".rstrip()]
            if found.get("flags")
            else []
        ),
        f"{found['params']:,} parameters trained in {found['train_s']:.0f} s ({found['step_ms']:.0f} ms a step)",
        f"saved in {out}",
    ]
    return "\n".join(lines)


def comparison(results: dict[str, Any], folder: Path) -> str:
    """Show a comparison's leaderboard and verdict."""
    if results["task"] == "mask":
        return masks_compared(results, folder)
    binding = any("binding_accuracy" in entry for entry in results["summary"])
    header = ["fusion", "tokens", "pairing", "seeds", "t2i R@1", "95 %", "i2t R@1", "95 %"]
    header += ["binding", "95 %"] if binding else []
    header += ["params", "step ms", "train s"]
    flagged = any(entry.get("flags") for entry in results["summary"])
    header += ["flags"] if flagged else []
    rows = []
    for entry in results["summary"]:
        pairing = entry["pairing"] + (f" k={entry['rerank_k']}" if entry["rerank_k"] else "")
        row = [entry["fusion"], entry["tokens"], pairing, str(entry["seeds"])]
        for metric in ("t2i_r1", "i2t_r1", *(("binding_accuracy",) if binding else ())):
            row += figure(entry.get(metric))
        row += [f"{entry['params']:,}", f"{entry['step_ms']:.0f}", f"{entry['train_s']:.0f}"]
        row += [", ".join(entry["flags"])] if flagged else []
        rows.append(row)
    failed = [f"{row['run']}: {row['reason']}" for row in results["rows"] if row["status"] == "failed"]
    where = results["data"]
    split = where["splits"][where["eval_split"]]
    head = f"{where['name']}, split {where['eval_split']}: {split['photos']:,} photos, {split['captions']:,} captions"
    lines = [head, "", table(rows, header), "", results["verdict"], *failed, "", f"report: {folder / 'report.html'}"]
    return "\n".join(lines)


def evaluation(found: dict[str, Any]) -> str:
    """Show one evaluation."""
    head = f"{found['run']}, split {found['split']}: {found['photos']:,} photos, {found['captions']:,} captions"
    rows = []
    for name, value in found["metrics"].items():
        interval = found["intervals"].get(name)
        rows.append([name, f"{value:.1f}", f"{interval['low']:.1f} to {interval['high']:.1f}" if interval else ""])
    flags = [f"flags: {', '.join(found['flags'])}"] if found["flags"] else []
    return "\n".join(
        [head, f"scores: {found['score_kind']}", *flags, table(rows, ["metric", "value", "95 % over photos"])]
    )


def audit(found: dict[str, Any]) -> str:
    """Show an audit: the figures, then the verdict."""
    rows = [
        [output, *(f"{found['influence'][output][side]:.2f}" for side in ("text", "image"))]
        for output in ("image_out", "text_out", "score")
    ]
    lines = [
        f"{found['fusion']}, {found['tokens']}, pairing {found['pairing']}",
        f"noise matched: {found['noise_accuracy']:.1f} % (chance {found['chance']:.1f}, luck ends at "
        f"{found['bound']:.1f}; {found['batch']} pairs, {found['seeds']} seeds)",
        f"a score moves with another item's partner: {found['partner_influence']:.2f} (honest: 0)",
        f"attention over one key: {'yes' if found['single_key'] else 'no'}",
        f"parameters without gradient: {', '.join(found['dead_parameters']) or 'none'}",
        "",
        table(rows, ["depends on", "text", "image"]),
    ]
    if "data" in found:
        data = found["data"]
        known = {"as trained": data["whole"], **data["ablations"], **data.get("baselines", {})}
        recalls = [[name, f"{value['t2i_r1']:.1f}", f"{value['i2t_r1']:.1f}"] for name, value in known.items()]
        lines += ["", f"{data['photos']} photos of {data['split']}, luck ends at {data['bound']:.1f} %"]
        lines.append(table(recalls, ["scored with", "t2i R@1", "i2t R@1"]))
    return "\n".join([*lines, "", f"flags: {', '.join(found['flags']) or 'none'}", found["verdict"]])


def matches(found: dict[str, Any], *, most: int = 10) -> str:
    """Show, for each photo, the `most` best sentences by probability."""
    lines = []
    for image, scores, probs in zip(found["images"], found["scores"], found["prob_text"], strict=True):
        lines.append(str(image))
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        lines += [f"  {100 * probs[i]:5.1f} %  {scores[i]:8.3f}  {found['texts'][i]}" for i in order[:most]]
    lines.append(f"(score: {found['score_kind']}; % over the sentences given)")
    return "\n".join(lines)


def names(rows: list[dict[str, Any]]) -> str:
    """Show a name table."""
    keys = [
        key
        for key in ("name", "side", "family", "tasks", "pairings", "summary", "paper")
        if any(key in r for r in rows)
    ]
    cells = [
        [", ".join(row[key]) if isinstance(row.get(key), list) else str(row.get(key, "")) for key in keys]
        for row in rows
    ]
    return table(cells, keys)


def data(found: dict[str, Any]) -> str:
    """Show what a data set holds."""
    lines = [f"{found['name']}  ({found['origin']})"]
    rows = [[name, f"{split['photos']:,}", f"{split['captions']:,}"] for name, split in found["splits"].items()]
    lines.append(table(rows, ["split", "photos", "captions"]))
    lines.append(
        f"captions per image: {found['captions_per_image']['fewest']} to {found['captions_per_image']['most']}; words per "
        f"caption: median {found['words_per_caption']['median']}, longest {found['words_per_caption']['longest']}"
    )
    lines += [f"splits: {found['splits_from']}"] if found["splits_from"] else []
    lines += _masks(found["masks"]) if "masks" in found else []
    skipped = found["skipped"]
    lines.append(f"skipped: {len(skipped)}")
    lines += [f"  {skip['where']}: {skip['reason']}" for skip in skipped[:SKIPS_SHOWN]]
    if len(skipped) > SKIPS_SHOWN:
        lines.append(f"  ... and {len(skipped) - SKIPS_SHOWN} more (--json lists all)")
    return "\n".join(lines)


def _masks(found: dict[str, Any]) -> list[str]:
    area = found["area"]
    lines = [
        f"masks: {found['count']:,} of {found['texts']:,} texts, declared {' and '.join(found['polarities'])}; "
        f"empty {found['empty']}, unusable {found['unusable']}"
    ]
    if area is not None:
        lines.append(
            f"part of the photo a mask marks: mean {100 * area['mean']:.1f} %, median {100 * area['median']:.1f} %, "
            f"most {100 * area['most']:.1f} %"
        )
    if found["nearly_all_foreground"]:
        lines.append("nearly everything is marked: probably inverted; declare it with DATA#polarity=background")
    return [*lines, *([f"the first unusable: {found['first_problem']}"] if found["unusable"] else [])]


def checked(found: dict[str, Any]) -> str:
    """Show what the doctor found, the gravest first."""
    images = found["images"]
    lines = [f"{found['name']}  ({found['origin']})", f"images: {images['files']:,}, readable: {images['readable']:,}"]
    for one in found["findings"]:
        total = f" of {one['of']:,}" if one["of"] else ""
        lines.append(f"\n{one['severity']}: {one['title']}: {one['count']:,}{total} {one['unit']}  [{one['code']}]")
        lines += [f"  {one['detail']}"] if one["detail"] else []
        lines += [f"  - {example['where']}: {example['what']}" for example in one["examples"][:EXAMPLES_SHOWN]]
        lines += [f"  what it does: {one['effect']}", f"  fix: {one['fix']}"]
    lines += ["", *(f"not checked: {sentence}" for sentence in found["cannot"])]
    counts = found["counts"]
    lines.append(f"{counts['error']} kinds of error, {counts['warning']} of warning, {counts['note']} notes")
    if "fixed" in found:
        fixed = found["fixed"]
        lines.append(f"cleaned: {fixed['images']:,} images, {fixed['captions']:,} captions in {fixed['out']}")
        lines += [f"  left out, {reason}: {number}" for reason, number in fixed["dropped"].items()]
    if "page" in found:
        lines.append(found["page"])
    return "\n".join(lines)


def cache(found: dict[str, Any]) -> str:
    """Show the token cache."""
    if not found["entries"]:
        return f"{found['root']}: empty"
    rows = [
        [e["name"][:12], e["what"], f"{e['items']:,}", f"{e['bytes'] / 2**20:,.0f}", "yes" if e["complete"] else "no"]
        for e in found["entries"]
    ]
    return f"{found['root']}\n" + table(rows, ["name", "what", "items", "MiB", "complete"])


def cleared(found: dict[str, Any]) -> str:
    """Show what was cleared."""
    return f"{found['root']}: {found['entries']} entries removed, {found['bytes'] / 2**20:,.0f} MiB freed"


def demo(found: dict[str, Any]) -> str:
    """Show the demo's two parts."""
    lines = ["", "1. Which fusion binds words to things? (generated scenes)", ""]
    lines += [comparison(found["results"], Path(found["out"])), ""]
    lines += ["2. The shipped model on real photos", "", matches(found["matches"], most=2), ""]
    lines.append(
        f"The shipped model gives {found['photos_right']} of {found['photos']} photos their own sentence. "
        f"All in {found['seconds']:.0f} s."
    )
    lines.append(f"Open the report in a browser: {found['report']}")
    return "\n".join(lines)


def _metrics(metrics: dict[str, float]) -> str:
    if "miou" in metrics:
        return mask_figures(metrics)
    lines = []
    for direction, words in (("t2i", "text to image"), ("i2t", "image to text")):
        recalls = ", ".join(f"R@{k} {metrics[f'{direction}_r{k}']:.1f}" for k in (1, 5, 10))
        lines.append(f"{words}: {recalls}, median rank {metrics[f'{direction}_median_rank']:g}")
    if "binding_accuracy" in metrics:
        lines.append(f"binding: {metrics['binding_accuracy']:.1f} % (chance 50)")
    return "\n".join(lines)


def probed(found: dict[str, Any]) -> str:
    """Show what a comparison's runs answered about a split."""
    chance = found["chance"]
    header = ["rank", "fusion", "tokens", "pairing", "loss, train", "loss, held out", "accuracy %", "separation"]
    header += ["own of five %", "trained well", "flags"]
    rows = [
        [
            str(row["rank"]),
            row["fusion"],
            row["tokens"],
            row["pairing"],
            f"{row['train_loss']:.2f}",
            f"{row['loss']['mean']:.2f}",
            _with_interval(row["accuracy"]),
            f"{row['separation']['mean']:.2f}",
            _with_interval(row["five_accuracy"]),
            "yes" if row["trained_well"] else "no",
            ", ".join(row["flags"]),
        ]
        for row in found["rows"]
    ]
    return (
        f"{found['photos']:,} photos of {found['split']} in batches of {found['batch']}; chance: loss "
        f"{chance['loss']:.2f}, accuracy {chance['accuracy']:.1f} %, own caption of {found['choices']} "
        f"{chance['five_accuracy']:.0f} %\n{table(rows, header)}"
    )


def probed_photo(rows: list[dict[str, Any]], captions: Sequence[str]) -> str:
    """Show what a comparison's runs said about one photo."""
    header = ["fusion", "seed", "best", "scores", "ratio", "gap", "trained well", "flags"]
    lines = [
        [
            row["fusion"],
            str(row["seed"]),
            captions[row["best"]],
            " ".join(f"{value:.2f}" for value in row["similarities"]),
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['gap']:.2f}",
            "yes" if row["trained_well"] else "no",
            ", ".join(row["flags"]),
        ]
        for row in rows
    ]
    return f"{table(lines, header)}\none photo says nothing about a model; ask many with --data"


def _with_interval(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"
