"""Say in words what a comparison found: who is better, by how much, how sure, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.metrics.effects import power_sentence

__all__ = ["METRIC_NAMES", "verdict"]

METRIC_NAMES = {
    "t2i_r1": "text-to-image R@1",
    "t2i_r5": "text-to-image R@5",
    "t2i_r10": "text-to-image R@10",
    "t2i_median_rank": "text-to-image median rank",
    "t2i_map": "text-to-image mAP",
    "i2t_r1": "image-to-text R@1",
    "i2t_r5": "image-to-text R@5",
    "i2t_r10": "image-to-text R@10",
    "i2t_median_rank": "image-to-text median rank",
    "i2t_map": "image-to-text mAP",
    "binding_accuracy": "binding accuracy",
    "miou": "mIoU",
    "oiou": "oIoU",
    "p50": "precision at IoU 0.5",
    "p70": "precision at IoU 0.7",
    "p90": "precision at IoU 0.9",
    "dice": "Dice",
    "boundary_f": "boundary F",
    "miou_text_shuffled": "mIoU with another's text",
    "miou_text_removed": "mIoU without the text",
    "miou_image_removed": "mIoU without the photo",
    "miou_all_foreground": "mIoU of all foreground",
    "miou_all_background": "mIoU of all background",
    "miou_mean_mask": "mIoU of the mean mask",
}
# More than this many single differences read as a list, not as a sentence.
_IN_DETAIL = 3
# More names than this, where they are all there are, say less than their number.
_BY_NAME = 7


def verdict(
    summary: Sequence[Mapping[str, Any]],
    tests: Sequence[Mapping[str, Any]],
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    metric: str = "t2i_r1",
    power: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Put a comparison into a few sentences: only what the tests carry is called better.

    Arguments:
        summary: results.json "summary": one mapping a fusion with "fusion", "seeds" and the metric's mean, low, high. A
            row without the metric, or whose mean is None, is a fusion that did not train.
        tests:   results.json "tests"; those of `metric` are read, in either direction
        rows:    results.json "rows": tell of runs that did not train, and of the flag "leaky". A leaky fusion has read
            the answer, so it takes no part in the ranking.
        metric:  a name of `METRIC_NAMES`; higher is better unless it is a median rank
        power:   results.json "power": how small a difference of `metric` could have been seen
    Example:
        >>> verdict([{"fusion": "late", "seeds": 1, "t2i_r1": {"mean": 20.0, "low": 18.0, "high": 22.0}}], [])[:52]
        'Only late was trained: 20.0 % of text-to-image R@1 ('
    """
    leaky = _leaky(summary, rows)
    seen = [row for row in summary if _mean(row, metric) is not None]
    ranked = [row for row in seen if row["fusion"] not in leaky]
    sign = -1.0 if metric.endswith("median_rank") else 1.0
    ranked.sort(key=lambda row: -sign * float(row[metric]["mean"]))
    parts = []
    if not ranked:
        parts.append("No fusion gave a result that can be ranked.")
    elif len(ranked) == 1:
        others = "Only " + ranked[0]["fusion"] + (" can be ranked: " if len(seen) > 1 else " was trained: ")
        parts.append(f"{others}{_estimate(ranked[0], metric)}. There is nothing to compare it with.")
    else:
        parts.append(_comparison(ranked, [test for test in tests if test["metric"] == metric], metric, sign))
    if ranked and max(int(row.get("seeds", 1)) for row in ranked) == 1:
        parts.append(
            "With one seed each, training noise is not measured: another training run may order them differently."
        )
    parts.extend(power_sentence(row) for row in power if row["metric"] == metric and len(ranked) > 1)
    if leaky:
        parts.append(
            f"{_join(sorted(leaky))}: leaky (the score has read the answer), left out of the ranking. A leaky number "
            "is not a matching result: it says how well a fused pair is recognised, not how well one is found."
        )
    parts.extend(_failures(summary, rows, metric))
    return " ".join(parts)


def _comparison(ranked: list[Mapping[str, Any]], tests: list[Mapping[str, Any]], metric: str, sign: float) -> str:
    names = [row["fusion"] for row in ranked]
    best, label = names[0], METRIC_NAMES.get(metric, metric)
    found = {}
    for test in tests:
        found[test["a"], test["b"]] = _gap(test, 1.0)
        found[test["b"], test["a"]] = _gap(test, -1.0)
    beaten = [name for name in names[1:] if (best, name) in found and found[best, name]["distinguishable"]]
    level = [name for name in names[1:] if (best, name) in found and not found[best, name]["distinguishable"]]
    untested = [name for name in names[1:] if (best, name) not in found]
    pieces = []
    better = "lower" if sign < 0 else "better"
    unit = "" if sign < 0 else " points"
    if beaten:
        detailed = [
            f"than {name} by {_size(found[best, name])}{unit}"
            f"{f' of {label}' if place == 0 else ''} ({_certainty(found[best, name])})"
            for place, name in enumerate(beaten[:_IN_DETAIL])
        ]
        sentence = f"{best} is {better} {', '.join(detailed)}"
        if beaten[_IN_DETAIL:]:
            sizes = [abs(found[best, name]["difference"]) for name in beaten[_IN_DETAIL:]]
            sentence += f", and than {_join(beaten[_IN_DETAIL:])} by {min(sizes):.1f} to {max(sizes):.1f}"
        pieces.append(sentence)
    seeds = sorted({int(row.get("seeds", 1)) for row in ranked})
    seed_text = (
        f"{seeds[0]} seed{'s' if seeds[0] > 1 else ''}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    )
    if level:
        closest = found[best, level[0]]
        detail = f" ({_even(closest, unit)})" if len(level) == 1 else ""
        head = "" if beaten else f"no fusion stands out: by {label}, "
        many = len(level) == len(names) - 1 and len(level) > _BY_NAME
        whom = f"{best} and any of {len(level)} others" if many else _join([best, *level])
        pieces.append(f"{head}{whom} are not distinguishable with {seed_text}{detail}")
    if untested:
        pieces.append(f"{best} was not tested against {_join(untested)}")
    rest = [
        (a, b)
        for place, a in enumerate(names[1:], start=1)
        for b in names[place + 1 :]
        if (a, b) in found and not found[a, b]["distinguishable"] and not (a in level and b in level)
    ]
    for group in _groups(rest, names):
        pieces.append(f"{_join(group)} are not distinguishable" + ("" if level else f" with {seed_text}"))
    text = "; ".join(pieces)
    # a fusion's name keeps its case; our own words begin a sentence
    return text[0].upper() + text[1:] + "." if text.startswith("no fusion") else text + "."


def _groups(pairs: list[tuple[str, str]], names: list[str]) -> list[list[str]]:
    """Gather neighbours in the ranking whose pairs are all undecided, largest groups first in ranking order."""
    undecided = set(pairs)
    groups: list[list[str]] = []
    for start in range(len(names)):
        group = [names[start]]
        for name in names[start + 1 :]:
            if all((member, name) in undecided for member in group):
                group.append(name)
        if len(group) > 1 and not any(set(group) <= set(known) for known in groups):
            groups.append(group)
    return groups


def _gap(test: Mapping[str, Any], sign: float) -> dict[str, Any]:
    low, high = sign * float(test["low"]), sign * float(test["high"])
    return {
        "difference": sign * float(test["difference"]),
        "low": min(low, high),
        "high": max(low, high),
        "p": float(test.get("p_holm", test["p"])),
        "corrected": "p_holm" in test,
        "distinguishable": bool(test["distinguishable"]),
    }


def _size(gap: Mapping[str, Any]) -> str:
    return f"{abs(gap['difference']):.1f}"


def _certainty(gap: Mapping[str, Any]) -> str:
    ends = sorted([gap["low"], gap["high"]]) if gap["difference"] >= 0 else sorted([-gap["low"], -gap["high"]])
    p = "p < 0.001" if gap["p"] < 0.001 else f"p = {gap['p']:.3f}" if gap["p"] < 0.1 else f"p = {gap['p']:.2f}"
    after = " after Holm" if gap["corrected"] else ""
    return f"95 % interval {_number(ends[0])} to {_number(ends[1])}, {p}{after}"


def _even(gap: Mapping[str, Any], unit: str) -> str:
    if gap["difference"] == 0 and gap["low"] == gap["high"] == 0:
        return "their results are equal"
    return f"difference {_size(gap)}{unit}, {_certainty(gap)}"


def _number(value: float) -> str:
    return f"{value:.1f}".replace("-", "−") if round(value, 1) != 0 else "0.0"


def _estimate(row: Mapping[str, Any], metric: str) -> str:
    cell, rank = row[metric], metric.endswith("median_rank")
    label = METRIC_NAMES.get(metric, metric)
    text = f"{label} {cell['mean']:.1f}" if rank else f"{cell['mean']:.1f} % of {label}"
    if cell.get("low") is None or cell.get("high") is None:
        return text
    return f"{text} (95 % interval {cell['low']:.1f} to {cell['high']:.1f})"


def _mean(row: Mapping[str, Any], metric: str) -> float | None:
    cell = row.get(metric)
    mean = cell.get("mean") if isinstance(cell, Mapping) else None
    # NaN is no result either, and it is the one number that does not equal itself
    return None if mean is None or mean != mean else float(mean)


def _leaky(summary: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {row["fusion"] for row in (*summary, *rows) if "leaky" in (row.get("flags") or ())}


def _failures(summary: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], metric: str) -> list[str]:
    names = list(dict.fromkeys(row["fusion"] for row in (*summary, *rows)))
    without = {row["fusion"] for row in summary if _mean(row, metric) is None}
    sentences = []
    for name in names:
        mine = [row for row in rows if row["fusion"] == name]
        for status, words in (("did not train", "did not train"), ("failed", "failed")):
            bad = [row for row in mine if row.get("status") == status]
            if bad:
                share = "" if len(bad) == len(mine) else f" with {len(bad)} of {len(mine)} seeds"
                sentences.append(f"{name} {words}{share}.")
        if name in without and not any(row.get("status") in ("did not train", "failed") for row in mine):
            sentences.append(f"{name} did not train.")
    return sentences


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
