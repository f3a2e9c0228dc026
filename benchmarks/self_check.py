"""Check the statistics of `compare` on simulated comparisons whose truth is known.

    python -m benchmarks.self_check --repeats 4000

Each case draws many comparisons of three fusions and passes them through the same functions as a real one: summary,
paired tests with Holm's correction, power, verdict. An answer is right with a chance whose log-odds are a sum of normal
terms: the image (shared by all fusions), the fusion on the image, training noise (one draw per fusion and seed), and
noise of the image under the seed. Images have 3 to 5 answers.

What is true depends on the seeds that a pair shares. With several seeds the truth is the difference of the fusions,
trained again and again. With one it is the difference of these two trained models on all images there are.

The command writes benchmarks/results/self_check.json and exits with 1 where a bound does not hold:

- type_1: of pairs that are truly equal, those with p < 0.05; from 3 to 7 %
- coverage, coverage_of_means: 95 % intervals of differences and of means that hold the truth; at least 93 %
- against_tests: verdicts that call a fusion better without a significant test that says so; none
- wrong_direction: verdicts that call a fusion better which is truly worse; at most 2.5 %, one tail of a test at 5 %,
  and none where the true differences are large

`family` (any false alarm in a comparison after Holm's correction), `power`, and `contradictions` (comparisons in which
the means over all seeds contradict a test on shared ones) are given for information. Each rate is allowed `ERRORS` of
its own standard errors beyond a bound, as measured over comparisons.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from plait.compare.differences import differences
from plait.compare.ranking import gaps_of
from plait.compare.summary import summarise
from plait.compare.verdict import verdict
from plait.core.files import write_json
from plait.core.metric import Metric
from plait.metrics.effects import power_of_tests
from plait.runs.items import ITEMS_FILE

__all__ = ["CASES", "METRIC", "Case", "Rates", "check", "faults", "main"]

METRIC = Metric(key="accuracy", label="accuracy", column="Accuracy", headline=True, tested=True)
TYPE_1, COVERAGE, WRONG, ERRORS = (0.03, 0.07), 0.93, 0.025, 3.0
OUT = Path(__file__).parent / "results" / "self_check.json"
_NAMES = ("a", "b", "c")
_BLOCK = 200
_FOLDER = Path("simulated")
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


@dataclass(frozen=True)
class Case:
    """A kind of comparison that is simulated.

    Fields:
        kind:     "one seed" (about these trained models), "several seeds" (about the fusions), "unequal seeds" (both;
                  with so much training noise that means are at the limit), or "limit": measured, not held to bounds
        seeds:    how many seeds each of the three fusions has, from seed 0 on
        images:   how many are measured
        effects:  log-odds that each fusion adds
        base:     log-odds of an answer
        image_sd, fusion_sd, training_sd, own_sd: deviations of the four terms
        clear:    the true differences are so large that no verdict may be wrong
    """

    name: str
    kind: str
    seeds: tuple[int, int, int] = (1, 1, 1)
    images: int = 200
    effects: tuple[float, float, float] = (0.0, 0.0, 0.0)
    base: float = -0.7
    image_sd: float = 1.5
    fusion_sd: float = 0.5
    training_sd: float = 0.0
    own_sd: float = 1.0
    clear: bool = False


CASES = (
    Case("one seed, equal", "one seed"),
    Case("one seed, different", "one seed", effects=(0.0, 0.7, 1.5), clear=True),
    Case("one seed, one equal pair", "one seed", effects=(0.0, 0.0, 1.5), clear=True),
    Case("one seed, 30 images", "one seed", images=30),
    Case("one seed, 12 images", "one seed", images=12),
    Case("one seed, 30 images, few right", "one seed", images=30, base=-3.0),
    Case("2 seeds, equal", "several seeds", seeds=(2, 2, 2), training_sd=0.1),
    Case("3 seeds, equal, no training noise", "several seeds", seeds=(3, 3, 3)),
    Case("3 seeds, equal", "several seeds", seeds=(3, 3, 3), training_sd=0.15),
    Case("3 seeds, equal, more training noise", "several seeds", seeds=(3, 3, 3), training_sd=0.3),
    Case("5 seeds, equal", "several seeds", seeds=(5, 5, 5), training_sd=0.15),
    Case("3 seeds, different", "several seeds", seeds=(3, 3, 3), training_sd=0.1, effects=(0.0, 1.0, 2.0), clear=True),
    Case("3 seeds, equal, 30 images", "several seeds", seeds=(3, 3, 3), images=30, training_sd=0.15),
    Case("5, 3 and 3 seeds, equal", "several seeds", seeds=(5, 3, 3), training_sd=0.15),
    # Two pairs share one seed; the means over all seeds often contradict their tests.
    Case("3, 3 and 1 seeds, different", "unequal seeds", seeds=(3, 3, 1), training_sd=0.8, effects=(0.0, 0.3, 0.3)),
    # Hardly anything but training noise (about 10 points): where two or three seeds happen to agree, nothing shows it.
    Case("3 seeds, equal, much training noise", "limit", seeds=(3, 3, 3), training_sd=0.5),
    Case("2 seeds, equal, much training noise", "limit", seeds=(2, 2, 2), training_sd=0.5),
)


@dataclass
class Rates:
    """What a case counted: a list per rate, one entry per comparison to which it applies; see the module."""

    type_1: list[float] = field(default_factory=list)
    family: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    coverage_of_means: list[float] = field(default_factory=list)
    power: list[float] = field(default_factory=list)
    contradictions: list[float] = field(default_factory=list)
    wrong_direction: list[float] = field(default_factory=list)
    against_tests: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give each rate in percent with its standard error over comparisons, None where nothing was counted."""
        lists = {name: values for name, values in asdict(self).items() if name != "against_tests"}
        found: dict[str, Any] = {
            name: {"rate": 100 * float(np.mean(values)), "error": 100 * _error(values)} if values else None
            for name, values in lists.items()
        }
        return {**found, "against_tests": len(self.against_tests)}


@dataclass(frozen=True)
class _Simulated:
    """One comparison, with what is true of it.

    Fields:
        rows:  as results.json has them
        items: file -> (items, weights)
        means: fusion -> its true figure, of all trainings or, with one seed, of this one
        pairs: pair of fusions -> true difference a - b
    """

    rows: list[dict[str, Any]]
    items: dict[Path, tuple[np.ndarray, np.ndarray]]
    means: dict[str, float]
    pairs: dict[tuple[str, str], float]

    def read(self, path: Path, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
        """Give the items of a run, as `plait.runs.items.read_items` does from a file."""
        return self.items[path]


def check(case: Case, *, repeats: int, seed: int = 0, resamples: int = 2000) -> Rates:
    """Simulate a case and count."""
    generator = np.random.default_rng(seed)
    rates = Rates()
    for start in range(0, repeats, _BLOCK):
        drawn = [_simulate(case, generator) for _ in range(min(_BLOCK, repeats - start))]
        # one after the other: draws of images are kept between calls of the same size
        summaries = [summarise(one.rows, _FOLDER, [METRIC], read=one.read) for one in drawn]
        tests = [differences(one.rows, _FOLDER, [METRIC], read=one.read, resamples=resamples) for one in drawn]
        for one, summary, tested in zip(drawn, summaries, tests, strict=True):
            _count(one, summary, tested, rates)
    return rates


def faults(case: Case, rates: Rates) -> list[str]:
    """Say which bounds do not hold; verdicts must agree with their tests in every case."""
    most_wrong = 0.0 if case.clear else WRONG
    bounds = {
        "type_1": TYPE_1,
        "coverage": (COVERAGE, 1.0),
        "coverage_of_means": (COVERAGE, 1.0),
        "wrong_direction": (0.0, most_wrong),
    }
    found = [f"{case.name}: against the tests: {text}" for text in rates.against_tests[:3]]
    for name, (low, high) in bounds.items():
        values = getattr(rates, name)
        means_of_few = name == "coverage_of_means" and case.kind == "unequal seeds"
        if not values or case.kind == "limit" or means_of_few:
            continue
        rate, allowed = float(np.mean(values)), ERRORS * _error(values) if high > 0 else 0.0
        if not low - allowed <= rate <= high + allowed:
            found.append(
                f"{case.name}: {name} is {100 * rate:.1f} %, expected {100 * low:.1f} to {100 * high:.1f} "
                f"(allowed beyond: {100 * allowed:.1f})"
            )
    return found


def _error(values: Sequence[float]) -> float:
    return float(np.std(values) / len(values) ** 0.5)


def _simulate(case: Case, generator: np.random.Generator) -> _Simulated:
    answers = generator.integers(3, 6, size=case.images)
    image = generator.normal(scale=case.image_sd, size=case.images)
    within = (case.image_sd**2 + case.fusion_sd**2 + case.own_sd**2) ** 0.5
    rows, items, means, trained = [], {}, {}, {}
    for name, seeds, effect in zip(_NAMES, case.seeds, case.effects, strict=True):
        level = case.base + effect
        own_image = image + generator.normal(scale=case.fusion_sd, size=case.images)
        for seed in range(seeds):
            noise = float(generator.normal(scale=case.training_sd)) if case.training_sd else 0.0
            odds = level + noise + own_image + generator.normal(scale=case.own_sd, size=case.images)
            values = 100.0 * generator.binomial(answers, 1 / (1 + np.exp(-odds))) / answers
            run = f"runs/{name}-s{seed}"
            items[_FOLDER / run / ITEMS_FILE] = (values, answers)
            rows.append(_row(name, seed, run, float(np.average(values, weights=answers))))
            if seed == 0:
                trained[name] = _expected(level + noise, within)
        means[name] = _expected(level, (within**2 + case.training_sd**2) ** 0.5) if seeds > 1 else trained[name]
    pairs = {}
    for (a, many), (b, few) in itertools.combinations(zip(_NAMES, case.seeds, strict=True), 2):
        true = trained if min(many, few) == 1 else means
        pairs[a, b] = true[a] - true[b]
    return _Simulated(rows, items, means, pairs)


def _row(fusion: str, seed: int, run: str, value: float) -> dict[str, Any]:
    costs = dict.fromkeys(("params", "step_ms", "train_s", "eval_s", "peak_mb"), 1)
    told = {"fusion": fusion, "seed": seed, "run": run, "status": "ok", "flags": [], "metrics": {METRIC.key: value}}
    return {**told, **costs}


@lru_cache
def _expected(level: float, deviation: float) -> float:
    """Give the mean chance, in percent, of log-odds that are normal."""
    odds = level + deviation * _NODES
    return float(100 * (_NODE_WEIGHTS / (1 + np.exp(-odds))).sum() / _NODE_WEIGHTS.sum())


def _count(one: _Simulated, summary: list[dict[str, Any]], tests: list[dict[str, Any]], rates: Rates) -> None:
    equal = [test for test in tests if abs(one.pairs[test["a"], test["b"]]) < 1e-9]
    different = [test for test in tests if abs(one.pairs[test["a"], test["b"]]) >= 1e-9]
    if equal:
        rates.type_1.append(float(np.mean([test["p"] < 0.05 for test in equal])))
        rates.family.append(float(any(test["distinguishable"] for test in equal)))
    inside = [test["low"] <= one.pairs[test["a"], test["b"]] <= test["high"] for test in tests]
    rates.coverage.append(float(np.mean(inside)))
    cells = [(entry[METRIC.key], one.means[entry["fusion"]]) for entry in summary]
    rates.coverage_of_means.append(float(np.mean([cell["low"] <= true <= cell["high"] for cell, true in cells])))
    power = power_of_tests(tests, metrics={METRIC.key: METRIC})
    text = verdict(summary, tests, rows=one.rows, metric=METRIC, power=power).text
    rates.contradictions.append(float(" they share, " in text))
    gaps = gaps_of(tests, METRIC, summary)
    wrong = 0
    for better, worse in _claims(text):
        gap = gaps[frozenset((better, worse))]
        if gap.better != better or not gap.distinguishable:
            rates.against_tests.append(text)
        true = one.pairs[better, worse] if (better, worse) in one.pairs else -one.pairs[worse, better]
        wrong += true < -1e-9
    if different:
        rates.power.append(float(np.mean([test["distinguishable"] for test in different])))
        rates.wrong_direction.append(float(wrong > 0))


def _claims(text: str) -> Iterator[tuple[str, str]]:
    """Give the pairs (better, worse) that a verdict names."""
    for better, others in re.findall(r"\b([abc]) is better than ([abc](?:(?:, | and )[abc])*)", text):
        for worse in re.findall(r"\b[abc]\b", others):
            yield better, worse


def main(argv: Sequence[str] | None = None) -> int:
    """Run all cases, write the rates, and say what does not hold. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.self_check", description=__doc__, allow_abbrev=False)
    parser.add_argument("--repeats", type=int, default=4000, help="comparisons per case (4000)")
    parser.add_argument("--resamples", type=int, default=2000, help="resamples per test (2000; real ones take 10,000)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the rates go ({OUT})")
    options = parser.parse_args(argv)
    found: list[str] = []
    cases = []
    for case in CASES:
        rates = check(case, repeats=options.repeats, resamples=options.resamples)
        found += faults(case, rates)
        cases.append({**asdict(case), **rates.to_json()})
        shown = {name: one["rate"] for name, one in rates.to_json().items() if isinstance(one, dict)}
        print(f"{case.name}: {json.dumps({k: round(v, 1) for k, v in shown.items()})}", file=sys.stderr, flush=True)
    bounds = {"type_1": [100 * end for end in TYPE_1], "coverage": 100 * COVERAGE, "allowed_errors": ERRORS}
    write_json(
        options.out, {"repeats": options.repeats, "resamples": options.resamples, "bounds": bounds, "cases": cases}
    )
    print("\n".join(found) or "All bounds hold.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
