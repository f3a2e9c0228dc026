"""The verdict says what the tests show, in their direction, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from plait.compare.differences import differences
from plait.compare.ranking import gaps_of, ranked
from plait.compare.summary import summarise
from plait.compare.verdict import Verdict, verdict
from plait.core.metric import Metric
from plait.metrics.effects import power_of_tests
from plait.tasks.match.metrics import METRIC_OF
from tests.compare.memory import ACCURACY, OUT, Memory

RECALL = METRIC_OF["t2i_r1"]
RANK = replace(METRIC_OF["t2i_median_rank"], tested=True)


def _row(fusion: str, mean: float | None, seeds: int = 3, metric: Metric = RECALL) -> dict[str, Any]:
    cell = None if mean is None else {"mean": mean, "low": mean - 1, "high": mean + 1}
    return {"fusion": fusion, "seeds": seeds, metric.key: cell}


def _test(
    a: str, b: str, difference: float, distinguishable: bool, *, metric: Metric = RECALL, **changes: Any
) -> dict[str, Any]:
    row = {
        "a": a,
        "b": b,
        "metric": metric.key,
        "difference": difference,
        "low": difference - 0.8,
        "high": difference + 0.8,
        "p": 0.001 if distinguishable else 0.3,
        "p_holm": 0.002 if distinguishable else 0.6,
        "distinguishable": distinguishable,
        "seeds": 3,
        "photos": 1000,
    }
    return {**row, **changes}


def _say(*arguments: Any, metric: Metric = RECALL, **options: Any) -> str:
    return verdict(*arguments, metric=metric, **options).text


def test_names_the_best_and_what_cannot_be_told_apart() -> None:
    found = verdict(
        [_row("late", 20.0), _row("scan_t2i", 22.1), _row("cross", 19.0), _row("product", 18.8)],
        [
            _test("late", "scan_t2i", -2.1, True),
            _test("scan_t2i", "cross", 3.1, True),
            _test("scan_t2i", "product", 3.3, True),
            _test("late", "cross", 1.0, True),
            _test("late", "product", 1.2, True),
            _test("cross", "product", 0.2, False),
        ],
        metric=RECALL,
    )
    assert found.finding == "scan_t2i is better than late, cross and product by 2.1 to 3.3 points of text-to-image R@1"
    assert found.rest == (
        "The differences are 2.1 points to late (95 % interval 1.3 to 2.9, p = 0.002 after Holm), 3.1 points to cross "
        "(95 % interval 2.3 to 3.9, p = 0.002 after Holm) and 3.3 points to product (95 % interval 2.5 to 4.1, "
        "p = 0.002 after Holm).",
        "cross and product are not distinguishable with 3 seeds.",
    )
    assert found.text == f"{found.finding}. {' '.join(found.rest)}"
    assert found.to_json() == {"finding": found.finding, "rest": list(found.rest), "warnings": []}


def test_no_winner_where_the_best_two_tie() -> None:
    found = verdict([_row("a", 20.0), _row("b", 20.4)], [_test("a", "b", -0.4, False)], metric=RECALL)
    assert found.finding == "No fusion stands out in text-to-image R@1: b and a are not distinguishable"
    assert found.rest == (
        "With 3 seeds, b is ahead of a by 0.4 points (95 % interval −0.4 to 1.2, p = 0.60 after Holm).",
    )
    equal = _test("a", "b", 0.0, False, low=0.0, high=0.0)
    assert "are equal" in _say([_row("a", 20.0), _row("b", 20.0)], [equal])


def test_better_than_some_and_level_with_others() -> None:
    found = verdict(
        [_row("a", 20.0), _row("b", 19.9), _row("c", 15.0)],
        [_test("a", "b", 0.1, False), _test("a", "c", 5.0, True), _test("b", "c", 4.9, True)],
        metric=RECALL,
    )
    assert found.finding == "a is better than c by 5.0 points of text-to-image R@1, but not distinguishable from b"
    assert "The difference to c has the 95 % interval 4.2 to 5.8 (p = 0.002 after Holm)." in found.rest


def test_fusions_that_differ_are_not_called_level() -> None:
    # a is level with b and with c, but b beats c
    found = verdict(
        [_row("a", 20.0), _row("b", 19.9), _row("c", 18.0)],
        [_test("a", "b", 0.1, False), _test("a", "c", 2.0, False), _test("b", "c", 1.9, True)],
        metric=RECALL,
    )
    assert found.finding.endswith("a is not distinguishable from b and c")
    assert any(told.startswith("b is better than c by 1.9 points") for told in found.rest)


def test_many_level_fusions_are_counted_not_named() -> None:
    names = [f"f{n}" for n in range(9)]
    tests = [_test(a, b, 0.1, False) for n, a in enumerate(names) for b in names[n + 1 :]]
    found = verdict([_row(name, 20.0 - n) for n, name in enumerate(names)], tests, metric=RECALL)
    assert found.finding.endswith("f0 is not distinguishable from any of 8 others")
    assert found.rest == ()


def test_one_fusion_and_one_seed() -> None:
    text = _say([_row("late", 20.0, seeds=1)], [])
    assert text.startswith("Only late was trained: 20.0 % of text-to-image R@1 (95 % interval 19.0 to 21.0)")
    assert "nothing to compare" in text
    assert "With one seed, training noise is not measured" in text


def test_tells_what_did_not_train_failed_or_leaks() -> None:
    rows = [
        {"fusion": "a", "status": "ok", "flags": []},
        {"fusion": "b", "status": "did not train", "flags": []},
        {"fusion": "b", "status": "did not train", "flags": []},
        {"fusion": "c", "status": "failed", "flags": []},
        {"fusion": "c", "status": "ok", "flags": []},
        {"fusion": "d", "status": "ok", "flags": ["leaky"]},
    ]
    text = _say([_row("a", 20.0), _row("b", None), _row("c", 18.0), _row("d", 99.0)], [], rows=rows)
    assert "b did not train." in text
    assert "c failed with 1 of 2 seeds." in text
    assert "d: leaky (the score has read the answer), left out of the ranking." in text
    assert "a was not tested against c" in text
    assert "99" not in text


def test_a_summary_without_rows_still_names_what_did_not_train() -> None:
    assert _say([_row("a", 20.0), _row("b", float("nan"))], []).endswith("b did not train.")
    assert _say([_row("b", None)], []) == "No fusion gave a result that can be ranked. b did not train."
    assert "Only a can be ranked" in _say([_row("a", 20.0), _row("d", 90.0) | {"flags": ["leaky"]}], [])


def test_many_beaten_fusions_become_a_list() -> None:
    names = ["best", "n1", "n2", "n3", "n4", "n5"]
    summary = [_row(name, 30.0 - n) for n, name in enumerate(names)]
    tests = [_test("best", name, float(n), True) for n, name in enumerate(names[1:], start=1)]
    found = verdict(summary, tests, metric=RECALL)
    assert found.finding == "best is better than the other 5 fusions by 1.0 to 5.0 points of text-to-image R@1"
    assert found.rest[0].endswith(" and 4.0 to 5.0 points to n4 and n5.")
    fewer = verdict(summary, [*tests[:4], _test("best", "n5", 5.0, False)], metric=RECALL)
    assert "better than 4 of the other 5 fusions" in fewer.finding


def test_a_median_rank_is_better_when_lower() -> None:
    summary = [_row("a", 9.0, metric=RANK), _row("b", 4.0, metric=RANK)]
    found = verdict(summary, [_test("a", "b", 5.0, True, metric=RANK)], metric=RANK)
    assert found.finding == "b is better than a by 5.0 in text-to-image median rank (lower is better)"
    assert "95 % interval 4.2 to 5.8" in found.text


def test_says_how_small_a_difference_could_have_been_seen() -> None:
    row = {"metric": "t2i_r1", "photos": 1000, "seeds": 3, "tests": 2, "detectable": 1.44, "seeds_counted": True}
    summary, tests = [_row("late", 20.0), _row("cross", 20.5)], [_test("cross", "late", 0.5, False)]
    told = _say(summary, tests, power=[row, {**row, "metric": "i2t_r1", "detectable": 9.9}])
    assert "1.4 points would be missed more than one time in five" in told
    assert "9.9" not in told
    assert "missed" not in _say(summary[:1], [], power=[row])


def test_few_images_are_warned_of() -> None:
    summary, test = [_row("a", 20.0), _row("b", 21.0)], _test("a", "b", -1.0, False, photos=8)
    assert "Only 8 photos were measured" in _say(summary, [test])
    assert "Only" not in _say(summary, [{**test, "photos": 50}])


def test_eight_images_promise_no_impossible_difference() -> None:
    memory = Memory()
    for place, fusion in enumerate(("a", "b", "c")):
        memory.add(fusion, 0, values=np.roll([100.0, 0, 0, 100, 100, 0, 0, 100], place))
    told = _whole(memory)
    assert "true difference" not in told.text
    assert "points" not in told.text
    assert "Only 8 photos were measured" in told.warnings[-1]


def _whole(memory: Memory) -> Verdict:
    summary = summarise(memory.rows, OUT, [ACCURACY], read=memory.read)
    tests = differences(memory.rows, OUT, [ACCURACY], read=memory.read)
    power = power_of_tests(tests, metrics={ACCURACY.key: ACCURACY})
    return verdict(summary, tests, rows=memory.rows, metric=ACCURACY, power=power)


def test_the_loser_of_a_test_is_never_called_better() -> None:
    # cross has by far the best mean over its three seeds, but loses on the one seed that it shares with scan
    memory, generator = Memory(), np.random.default_rng(0)
    image = generator.normal(50, 10, size=200)
    for seed, shift in enumerate((0.0, 9.0, 9.0)):
        memory.add("cross", seed, values=image + shift + generator.normal(size=200))
    memory.add("scan", 0, values=image + 3.2 + generator.normal(size=200))
    (test,) = differences(memory.rows, OUT, [ACCURACY], read=memory.read)
    assert test["difference"] < -3
    assert test["distinguishable"]
    found = _whole(memory)
    assert found.finding.startswith("scan is better than cross by 3.")
    assert "cross is better" not in found.text
    told = next(told for told in found.rest if told.startswith("On the 1 seed they share, scan is better than cross"))
    assert "over its 3 seeds" in told
    assert "over its 1 seed" in told
    assert "is higher than that of scan" in told


def test_the_order_follows_the_tests_then_the_means() -> None:
    means = {"a": 30.0, "b": 20.0, "c": 10.0, "d": 25.0}
    tests = [_test("a", "b", -2.0, True), _test("b", "c", -1.0, False)]
    assert ranked(means, RECALL, gaps_of(tests, RECALL, [])) == ["d", "b", "a", "c"]
    assert ranked(means, RANK, {}) == ["c", "b", "d", "a"]
    # a beats b beats c beats a, on different seeds: no order fits, the means decide where it breaks
    ring = [_test("a", "b", 1.0, True), _test("b", "c", 1.0, True), _test("c", "a", 1.0, True)]
    found = verdict([_row("a", 30.0), _row("b", 20.0), _row("c", 10.0)], ring, metric=RECALL)
    assert "contradict each other" in found.finding
    assert {"a is better than b", "b is better than c", "c is better than a"} == {
        " ".join(told.split()[:5]) for told in found.rest[:3]
    }


def test_the_smallest_number_of_seeds_is_warned_of() -> None:
    summary = [_row("a", 20.0, seeds=3), _row("b", 19.0, seeds=3), _row("c", 10.0, seeds=1)]
    tests = [
        _test("a", "b", 1.0, False),
        _test("a", "c", 10.0, True, seeds=1),
        _test("b", "c", 9.0, True, seeds=1),
    ]
    text = _say(summary, tests)
    assert "2 of 3 tests rest on one shared seed, where training noise is not measured" in text
    assert "a and b are not distinguishable" not in text  # said once, in the finding
    each = _say(summary, [{**test, "seeds": 1} for test in tests])
    assert "With one seed each, training noise is not measured" in each
    # results of earlier versions do not say a test's seeds: the smaller number of the two fusions counts
    older = [{key: value for key, value in test.items() if key != "seeds"} for test in tests]
    assert "2 of 3 tests rest on one shared seed" in _say(summary, older)
    assert "one seed" not in _say(summary[:2], tests[:1])


def test_pairs_without_a_common_seed_are_named() -> None:
    rows = [
        {"fusion": name, "seed": seed, "status": "ok", "flags": []} for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    summary = [_row("c", 30.0, seeds=1), _row("a", 20.0, seeds=1), _row("b", 10.0, seeds=1)]
    found = verdict(summary, [_test("a", "b", 10.0, True, seeds=1)], rows=rows, metric=RECALL)
    assert found.finding.endswith("c, which has the best mean, was not tested against the others")
    assert "a is better than b by 10.0 points" in found.text
    assert "2 pairs of fusions share no seed and were not tested: a and c; b and c." in found.text
    alone = verdict(summary[:2], [], rows=rows, metric=RECALL)
    assert alone.finding == "No fusion was tested against another in text-to-image R@1"


def test_fusions_that_did_not_train_share_a_sentence_and_those_of_some_seeds_have_their_own() -> None:
    rows = [{"fusion": name, "seed": seed, "status": "did not train", "flags": []} for name in "ab" for seed in (0, 1)]
    rows += [{"fusion": "c", "seed": 0, "status": "did not train", "flags": []}]
    rows += [{"fusion": "c", "seed": 1, "status": "ok", "flags": []}]
    summary = [_row("a", 1.0), _row("b", 1.1), _row("c", 1.2)]
    tests = [_test("a", "b", -0.1, False), _test("a", "c", -0.2, False), _test("b", "c", -0.1, False)]
    told = verdict(summary, tests, rows=rows, metric=RECALL)
    assert told.warnings == ("a and b did not train.", "c did not train with 1 of 2 seeds.")
    assert not any(name in told.finding for name in ("train", "seed"))
