"""Sentences about a comparison: which fusion is better, by how much, how sure, and which do not differ."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.compare.differences import untested_pairs
from plait.compare.phrases import (
    MOST_NAMES,
    amount,
    certainty,
    chance,
    counted,
    estimate,
    interval,
    joined,
    size_range,
    sizes,
    some_of,
    spread,
)
from plait.compare.ranking import Gap, Gaps, gaps_of, mean_of, ranked
from plait.core.metric import FEW_IMAGES, Metric
from plait.report.words import few_images_sentence, power_sentence

__all__ = ["Verdict", "verdict"]

# More than this many single differences read as a list, not as a sentence.
_IN_DETAIL = 3
_ONE_SEED = "training noise is not measured: another training run may"


@dataclass(frozen=True)
class Verdict:
    """What a comparison found, in words.

    Fields:
        finding:  one clause, without a full stop
        rest:     the sentences that follow: how sure it is, and what is not distinguishable
        warnings: what limits it: seeds, images, fusions that were not tested, did not train or have read the answer
    """

    finding: str
    rest: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Give the whole as one paragraph."""
        return " ".join((f"{self.finding}.", *self.rest, *self.warnings))

    def to_json(self) -> dict[str, Any]:
        """Give the parts as results.json holds them under "verdict_parts"."""
        return {"finding": self.finding, "rest": list(self.rest), "warnings": list(self.warnings)}


@dataclass(frozen=True)
class _Found:
    """The fusions that can be ranked, best first, with the tests between them."""

    names: list[str]
    gaps: Gaps
    metric: Metric
    entries: dict[str, Mapping[str, Any]]
    means: dict[str, float]

    def gap(self, one: str, other: str) -> Gap | None:
        return self.gaps.get(frozenset((one, other)))

    def pairs(self, *, distinguishable: bool) -> list[Gap]:
        """Give the tests that are significant, or those that are not, in the order of the ranking."""
        every = (self.gap(a, b) for a, b in itertools.combinations(self.names, 2))
        return [gap for gap in every if gap is not None and gap.distinguishable == distinguishable]


def verdict(
    summary: Sequence[Mapping[str, Any]],
    tests: Sequence[Mapping[str, Any]],
    *,
    rows: Sequence[Mapping[str, Any]] = (),
    metric: Metric,
    power: Sequence[Mapping[str, Any]] = (),
) -> Verdict:
    """Put a comparison into a few sentences: only what the tests show is called better.

    Arguments:
        summary: results.json "summary": one mapping per fusion with "fusion", "seeds" and the metric's mean, low, high.
            A row without the metric, or whose mean is None, is a fusion that did not train.
        tests:   results.json "tests"; those of `metric` are read, in either direction
        rows:    results.json "rows": they name seeds, runs that did not train, and the flag "leaky". A leaky fusion has
            read the answer, so it takes no part in the ranking.
        metric:  the one that the sentences are about
        power:   results.json "power": how small a difference of `metric` could have been seen
    """
    leaky = {row["fusion"] for row in (*summary, *rows) if "leaky" in (row.get("flags") or ())}
    seen = {entry["fusion"]: mean for entry in summary if (mean := mean_of(entry, metric)) is not None}
    means = {name: mean for name, mean in seen.items() if name not in leaky}
    entries = {entry["fusion"]: entry for entry in summary if entry["fusion"] in means}
    gaps = {pair: gap for pair, gap in gaps_of(tests, metric, summary).items() if pair <= entries.keys()}
    found = _Found(ranked(means, metric, gaps), gaps, metric, entries, means)
    if len(entries) > 1:
        finding, rest = _comparison(found)
        rest += _contradictions(found)
        warnings = [*_untested(found, rows), *_one_seed(found)]
        # How small a difference could have been seen is itself a guess where few images were measured.
        few = _few_images(found)
        warnings += few or [power_sentence(row) for row in power if row["metric"] == metric.key]
    else:
        finding, rest, warnings = _alone(found, others=len(seen) > 1)
    if leaky:
        warnings.append(
            f"{joined(sorted(leaky))}: leaky (the score has read the answer), left out of the ranking. A leaky number "
            "says how well a fused pair is recognised, not how well the task is solved."
        )
    return Verdict(finding, tuple(rest), (*warnings, *_failures(summary, rows, metric)))


def _alone(found: _Found, *, others: bool) -> tuple[str, list[str], list[str]]:
    if not found.names:
        return "No fusion gave a result that can be ranked", [], []
    entry = found.entries[found.names[0]]
    finding = f"Only {entry['fusion']} {'can be ranked' if others else 'was trained'}: {estimate(entry, found.metric)}"
    one_seed = int(entry.get("seeds", 1)) == 1
    warnings = [f"With one seed, {_ONE_SEED} give another figure."] if one_seed else []
    return finding, ["There is nothing to compare it with."], warnings


def _comparison(found: _Found) -> tuple[str, list[str]]:
    """Say how the first of the ranking compares with the others, then how the others compare with each other."""
    best, others, label = found.names[0], found.names[1:], found.metric.label
    gaps = [gap for gap in (found.gap(best, name) for name in others) if gap is not None]
    beaten = [gap for gap in gaps if gap.distinguishable and gap.better == best]
    level = [gap.worse if gap.better == best else gap.better for gap in gaps if not gap.distinguishable]
    rest: list[str] = []
    if any(gap.beats(best) for gap in gaps):
        finding = f"No fusion stands out in {label}: tests on different seeds contradict each other"
        rest += _better_pairs(found)
    elif beaten:
        finding = f"{best} is better than {_whom(beaten, len(others))} by {size_range(beaten, found.metric)}"
        finding += f", but not distinguishable from {some_of(level)}" if level else ""
        rest.append(_details(beaten, found.metric))
    elif level:
        finding = f"No fusion stands out in {label}: {_level(found, level)}"
        rest += _better_pairs(found)
    elif gaps or found.gaps:
        finding = f"No fusion stands out in {label}: {best}, which has the best mean, was not tested against the others"
        rest += _better_pairs(found)
    else:
        finding = f"No fusion was tested against another in {label}"
    if len(level) == 1:
        rest += [_close(gap, found.metric) for gap in gaps if not gap.distinguishable]
    rest += _groups(found, [best, *level])
    return finding, rest


def _whom(beaten: list[Gap], others: int) -> str:
    if len(beaten) <= _IN_DETAIL:
        return joined([gap.worse for gap in beaten])
    return f"the other {others} fusions" if len(beaten) == others else f"{len(beaten)} of the other {others} fusions"


def _level(found: _Found, level: list[str]) -> str:
    names = [found.names[0], *level]
    inner = [found.gap(a, b) for a, b in itertools.combinations(names, 2)]
    if len(level) <= MOST_NAMES and all(gap is not None and not gap.distinguishable for gap in inner):
        return f"{joined(names)} are not distinguishable"
    return f"{names[0]} is not distinguishable from {some_of(level)}"


def _details(beaten: list[Gap], metric: Metric) -> str:
    if len(beaten) == 1:
        return f"The difference to {beaten[0].worse} has the {interval(beaten[0])} ({chance(beaten[0])})."
    told = [f"{amount(gap.size, metric)} to {gap.worse} ({certainty(gap)})" for gap in beaten[:_IN_DETAIL]]
    more = beaten[_IN_DETAIL:]
    if more:
        names = [gap.worse for gap in more]
        told.append(f"{sizes(more, metric)} to {joined(names) if len(names) <= MOST_NAMES else f'{len(names)} others'}")
    return f"The differences are {joined(told)}."


def _better_pairs(found: _Found) -> list[str]:
    """Name the pairs that differ where no fusion stands out."""
    pairs = sorted(found.pairs(distinguishable=True), key=lambda gap: -gap.size)
    told = [
        f"{gap.better} is better than {gap.worse} by {amount(gap.size, found.metric)} ({certainty(gap)})."
        for gap in pairs[:_IN_DETAIL]
    ]
    more = len(pairs) - len(told)
    return [*told, f"{more} more pair{'s differ' if more > 1 else ' differs'}."] if more else told


def _close(gap: Gap, metric: Metric) -> str:
    if gap.size == 0 and gap.low == gap.high == 0:
        return f"The results of {gap.better} and {gap.worse} are equal."
    return (
        f"With {counted(gap.seeds, 'seed')}, {gap.better} is ahead of {gap.worse} by {amount(gap.size, metric)} "
        f"({certainty(gap)})."
    )


def _groups(found: _Found, told: list[str]) -> list[str]:
    """Gather neighbours in the ranking whose pairs are all undecided; groups within `told` are known already."""
    undecided = {frozenset((gap.better, gap.worse)): gap for gap in found.pairs(distinguishable=False)}
    groups: list[list[str]] = []
    for start, name in enumerate(found.names):
        group = [name]
        for other in found.names[start + 1 :]:
            if all(frozenset((member, other)) in undecided for member in group):
                group.append(other)
        if len(group) > 1 and not any(set(group) <= set(known) for known in (told, *groups)):
            groups.append(group)
    sentences = []
    for group in groups:
        seeds = [undecided[frozenset(pair)].seeds for pair in itertools.combinations(group, 2)]
        sentences.append(f"{joined(group)} are not distinguishable with {spread(seeds)}.")
    return sentences


def _contradictions(found: _Found) -> list[str]:
    """Say where a test on the seeds that two fusions share and the means over all seeds of each disagree."""
    sentences = []
    sign, word = (1, "higher") if found.metric.higher_is_better else (-1, "lower")
    for gap in found.pairs(distinguishable=True):
        ahead, behind = found.means[gap.better], found.means[gap.worse]
        if sign * behind > sign * ahead:
            many, few = (counted(int(found.entries[n].get("seeds", 1)), "seed") for n in (gap.worse, gap.better))
            sentences.append(
                f"On the {counted(gap.seeds, 'seed')} they share, {gap.better} is better than {gap.worse} by "
                f"{amount(gap.size, found.metric)}, although the mean of {gap.worse} over its {many}, {behind:.1f}, "
                f"is {word} than that of {gap.better} over its {few}, {ahead:.1f}: train both with the same seeds."
            )
    if len(sentences) > _IN_DETAIL:
        more = len(sentences) - _IN_DETAIL
        return [*sentences[:_IN_DETAIL], f"The same holds for {counted(more, 'more pair')}."]
    return sentences


def _untested(found: _Found, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    apart = [pair for pair in untested_pairs(rows) if set(pair) <= set(found.names)]
    sentences = []
    if len(apart) == 1:
        sentences.append(f"{joined(apart[0])} share no seed and were not tested.")
    elif apart:
        told = f": {'; '.join(f'{a} and {b}' for a, b in apart)}" if len(apart) <= _IN_DETAIL else ""
        sentences.append(f"{len(apart)} pairs of fusions share no seed and were not tested{told}.")
    best = found.names[0]
    known = {frozenset(pair) for pair in apart} | set(found.gaps)
    others = [name for name in found.names[1:] if frozenset((best, name)) not in known]
    return [*sentences, f"{best} was not tested against {some_of(others)}."] if others else sentences


def _one_seed(found: _Found) -> list[str]:
    """Warn where the smallest number of seeds is one."""
    seeds = [gap.seeds for gap in found.gaps.values()] or [int(e.get("seeds", 1)) for e in found.entries.values()]
    if max(seeds) == 1:
        return [f"With one seed each, {_ONE_SEED} order them differently."]
    if min(seeds) == 1 and found.gaps:
        return [
            f"{seeds.count(1)} of {len(seeds)} tests {'rests' if seeds.count(1) == 1 else 'rest'} on one shared seed, "
            f"where {_ONE_SEED} order those fusions differently."
        ]
    return []


def _few_images(found: _Found) -> list[str]:
    images = min((gap.images for gap in found.gaps.values() if gap.images), default=FEW_IMAGES)
    if images >= FEW_IMAGES:
        return []
    return [few_images_sentence(images)]


def _failures(summary: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], metric: Metric) -> list[str]:
    """Say which fusions did not train or failed: those of all seeds in one sentence, those of some seeds each."""
    without = {entry["fusion"] for entry in summary if mean_of(entry, metric) is None}
    whole: dict[str, list[str]] = {"did not train": [], "failed": []}
    partly = []
    for name in dict.fromkeys(row["fusion"] for row in (*summary, *rows)):
        mine = [row for row in rows if row["fusion"] == name]
        bad = {status: sum(row.get("status") == status for row in mine) for status in whole}
        for status, many in bad.items():
            if many and many == len(mine):
                whole[status].append(name)
            elif many:
                partly.append(f"{name} {status} with {many} of {len(mine)} seeds.")
        if name in without and not any(bad.values()):
            whole["did not train"].append(name)
    return [*(f"{joined(names)} {status}." for status, names in whole.items() if names), *partly]
