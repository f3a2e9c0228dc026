"""The verdict says what the tests carry, and no more."""

from __future__ import annotations

from typing import Any

from plait.compare.verdict import verdict


def _row(fusion: str, mean: float | None, seeds: int = 3, metric: str = "t2i_r1") -> dict[str, Any]:
    cell = None if mean is None else {"mean": mean, "low": mean - 1, "high": mean + 1}
    return {"fusion": fusion, "seeds": seeds, metric: cell}


def _test(a: str, b: str, difference: float, distinguishable: bool, metric: str = "t2i_r1") -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "metric": metric,
        "difference": difference,
        "low": difference - 0.8,
        "high": difference + 0.8,
        "p": 0.001 if distinguishable else 0.3,
        "p_holm": 0.002 if distinguishable else 0.6,
        "distinguishable": distinguishable,
    }


def test_names_the_best_and_what_cannot_be_told_apart() -> None:
    text = verdict(
        [_row("late", 20.0), _row("scan_t2i", 22.1), _row("cross", 19.0), _row("product", 18.8)],
        [
            _test("late", "scan_t2i", -2.1, True),
            _test("scan_t2i", "cross", 3.1, True),
            _test("scan_t2i", "product", 3.3, True),
            _test("late", "cross", 1.0, True),
            _test("late", "product", 1.2, True),
            _test("cross", "product", 0.2, False),
        ],
    )
    assert text == (
        "scan_t2i is better than late by 2.1 points of text-to-image R@1 (95 % interval 1.3 to 2.9, p = 0.002 after "
        "Holm), than cross by 3.1 points (95 % interval 2.3 to 3.9, p = 0.002 after Holm), than product by 3.3 points "
        "(95 % interval 2.5 to 4.1, p = 0.002 after Holm); cross and product are not distinguishable with 3 seeds."
    )


def test_no_winner_where_the_best_two_tie() -> None:
    text = verdict([_row("a", 20.0), _row("b", 20.4)], [_test("a", "b", -0.4, False)])
    assert text == (
        "No fusion stands out: by text-to-image R@1, b and a are not distinguishable with 3 seeds "
        "(difference 0.4 points, 95 % interval −0.4 to 1.2, p = 0.60 after Holm)."
    )
    equal = _test("a", "b", 0.0, False) | {"low": 0.0, "high": 0.0}
    assert "their results are equal" in verdict([_row("a", 20.0), _row("b", 20.0)], [equal])


def test_many_level_fusions_are_counted_not_named() -> None:
    names = [f"f{n}" for n in range(9)]
    tests = [_test(a, b, 0.1, False) for n, a in enumerate(names) for b in names[n + 1 :]]
    text = verdict([_row(name, 20.0 - n) for n, name in enumerate(names)], tests)
    assert text.startswith(
        "No fusion stands out: by text-to-image R@1, f0 and any of 8 others are not distinguishable with 3 seeds."
    )


def test_one_fusion_and_one_seed() -> None:
    text = verdict([_row("late", 20.0, seeds=1)], [])
    assert text.startswith("Only late was trained: 20.0 % of text-to-image R@1 (95 % interval 19.0 to 21.0)")
    assert "nothing to compare" in text
    assert "With one seed each, training noise is not measured" in text


def test_tells_what_did_not_train_failed_or_leaks() -> None:
    rows = [
        {"fusion": "a", "status": "ok", "flags": []},
        {"fusion": "b", "status": "did not train", "flags": []},
        {"fusion": "b", "status": "did not train", "flags": []},
        {"fusion": "c", "status": "failed", "flags": []},
        {"fusion": "c", "status": "ok", "flags": []},
        {"fusion": "d", "status": "ok", "flags": ["leaky"]},
    ]
    text = verdict([_row("a", 20.0), _row("b", None), _row("c", 18.0), _row("d", 99.0)], [], rows=rows)
    assert "b did not train." in text
    assert "c failed with 1 of 2 seeds." in text
    assert "d: leaky (the score has read the answer), left out of the ranking." in text
    assert "a was not tested against c" in text
    assert "99" not in text


def test_a_summary_without_rows_still_names_what_did_not_train() -> None:
    assert verdict([_row("a", 20.0), _row("b", float("nan"))], []).endswith("b did not train.")
    assert verdict([_row("b", None)], []) == "No fusion gave a result that can be ranked. b did not train."
    assert "Only a can be ranked" in verdict([_row("a", 20.0), _row("d", 90.0) | {"flags": ["leaky"]}], [])


def test_many_beaten_fusions_become_a_list() -> None:
    names = ["best", "n1", "n2", "n3", "n4", "n5"]
    summary = [_row(name, 30.0 - n) for n, name in enumerate(names)]
    tests = [_test("best", name, float(n), True) for n, name in enumerate(names[1:], start=1)]
    text = verdict(summary, tests)
    assert text.endswith(", and than n4 and n5 by 4.0 to 5.0.")


def test_a_median_rank_is_better_when_lower() -> None:
    summary = [_row("a", 9.0, metric="t2i_median_rank"), _row("b", 4.0, metric="t2i_median_rank")]
    text = verdict(summary, [_test("a", "b", 5.0, True, "t2i_median_rank")], metric="t2i_median_rank")
    assert text.startswith("b is lower than a by 5.0 of text-to-image median rank (95 % interval 4.2 to 5.8, ")


def test_says_how_small_a_difference_could_have_been_seen() -> None:
    row = {"metric": "t2i_r1", "photos": 1000, "seeds": 3, "tests": 2, "detectable": 1.44, "seeds_counted": True}
    summary, tests = [_row("late", 20.0), _row("cross", 20.5)], [_test("cross", "late", 0.5, False)]
    told = verdict(summary, tests, power=[row, {**row, "metric": "i2t_r1", "detectable": 9.9}])
    assert (
        "With 3 seeds and 1,000 photos, a true difference under 1.4 points would be missed more than one time in five "
        "after correction for 2 tests."
    ) in told
    assert "9.9" not in told
    assert "missed" not in verdict(summary[:1], [], power=[row])
