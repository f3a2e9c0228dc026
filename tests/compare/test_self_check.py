"""Simulated comparisons through the whole of compare's mathematics: error rates, coverage, and the signs of verdicts.

`benchmarks/self_check.py` holds the cases and, in full size, their bounds. Here each case is drawn 90 times: about 270
tests of pairs, whose binomial deviation is 1.3 points at 5 %. So single cases are held to their bounds within three of
their standard errors, and all cases of a kind together to the bounds themselves: 1,170 tests of equal pairs with one
seed and 1,890 with several, deviations 0.6 and 0.5 points if the pairs of a comparison were independent.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import self_check
from benchmarks.self_check import CASES, COVERAGE, TYPE_1, Case, Rates, check, faults

REPEATS = 90


@pytest.fixture(scope="module")
def measured() -> dict[str, Rates]:
    return {case.name: check(case, repeats=REPEATS, resamples=1000) for case in CASES}


def _all(measured: dict[str, Rates], kind: str, rate: str) -> list[float]:
    lists = (getattr(measured[case.name], rate) for case in CASES if case.kind == kind)
    return list(itertools.chain(*lists))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_keeps_its_bounds_within_noise(case: Case, measured: dict[str, Rates]) -> None:
    assert faults(case, measured[case.name]) == []


@pytest.mark.parametrize("kind", ["one seed", "several seeds"])
def test_equal_fusions_look_different_3_to_7_times_in_100(kind: str, measured: dict[str, Rates]) -> None:
    assert TYPE_1[0] <= np.mean(_all(measured, kind, "type_1")) <= TYPE_1[1]


@pytest.mark.parametrize("kind", ["one seed", "several seeds"])
@pytest.mark.parametrize("rate", ["coverage", "coverage_of_means"])
def test_intervals_hold_the_truth(kind: str, rate: str, measured: dict[str, Rates]) -> None:
    assert np.mean(_all(measured, kind, rate)) >= COVERAGE


def test_verdicts_are_right_where_the_truth_is_clear(measured: dict[str, Rates]) -> None:
    clear = [case for case in CASES if case.clear]
    assert len(clear) >= 3
    for case in clear:
        assert not any(measured[case.name].wrong_direction)
        assert np.mean(measured[case.name].power) > 0.9
    assert not any(rates.against_tests for rates in measured.values())


def test_unequal_seeds_do_contradict_their_means(measured: dict[str, Rates]) -> None:
    (case,) = (case for case in CASES if case.kind == "unequal seeds")
    assert np.mean(measured[case.name].contradictions) > 0.05, "the case must show what the verdict has to say plainly"


def test_faults_are_found() -> None:
    many = [0.0, 1.0] * 50
    rates = Rates(type_1=many, coverage=many, coverage_of_means=[1.0] * 100, against_tests=["a is better than b"])
    told = faults(CASES[0], rates)
    assert [one.split(": ")[1].split(" is ")[0] for one in told] == ["against the tests", "type_1", "coverage"]


def test_the_command_writes_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(self_check, "CASES", CASES[:1])
    out = tmp_path / "self_check.json"
    assert self_check.main(["--repeats", "60", "--resamples", "200", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["repeats"] == 60
    assert found["cases"][0]["name"] == CASES[0].name
    assert found["cases"][0]["coverage"]["rate"] >= 85
    assert "All bounds hold" in capsys.readouterr().out


def test_results_of_the_full_size_keep_the_bounds() -> None:
    results = json.loads(self_check.OUT.read_text())
    assert results["repeats"] >= 1000
    assert [case["name"] for case in results["cases"]] == [case.name for case in CASES], "run the command again"
    for case in results["cases"]:
        assert case["against_tests"] == 0
        if case["kind"] == "limit":
            continue
        assert case["coverage"]["rate"] >= 100 * COVERAGE - 3 * case["coverage"]["error"], case["name"]
        if case["type_1"] is not None:
            low, high = (100 * end for end in TYPE_1)
            slack = 3 * case["type_1"]["error"]
            assert low - slack <= case["type_1"]["rate"] <= high + slack, case["name"]
