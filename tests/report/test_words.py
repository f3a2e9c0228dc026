"""Sentences about tests and verdicts."""

from __future__ import annotations

from typing import Any

from plait.core.metric import FEW_IMAGES
from plait.report.words import few_images_sentence, power_sentence, verdict_of

ROW: dict[str, Any] = {"photos": 1000, "seeds": 3, "tests": 1, "detectable": 1.44, "seeds_counted": True}


def test_power_in_words() -> None:
    assert power_sentence(ROW) == (
        "With 3 seeds and 1,000 photos, a true difference under 1.4 points would be missed more than one time in five."
    )
    several = power_sentence({**ROW, "seeds": 1, "tests": 6, "seeds_counted": False})
    assert "With 1 seed and" in several
    assert "after correction for 6 tests; training noise, unknown with one seed, comes on top." in several
    assert "under 0.03 points" in power_sentence({**ROW, "detectable": 0.03})
    assert "a true difference under 1.4 would be" in power_sentence({**ROW, "unit": ""})
    assert "nearly 100 points, the whole scale" in power_sentence({**ROW, "detectable": 100.0, "limit": 100.0})
    assert "is unknown" in power_sentence({**ROW, "detectable": 0})


def test_few_photos_are_a_warning_in_place_of_a_power() -> None:
    few = power_sentence({**ROW, "photos": 5, "detectable": 164.0})
    assert few == few_images_sentence(5)
    assert "Only 5 photos were measured" in few
    assert "164" not in few
    assert "true difference" in power_sentence({**ROW, "photos": FEW_IMAGES})


def test_a_verdict_is_a_finding_the_rest_and_warnings() -> None:
    parts = {"finding": "a is better than b", "rest": ["One.", "Two."], "warnings": ["Three."]}
    assert verdict_of({"verdict": "x", "verdict_parts": parts}) == (
        "a is better than b.",
        ["One.", "Two."],
        ["Three."],
    )
    assert verdict_of({"verdict_parts": {"finding": "a is best"}}) == ("a is best.", [], [])


def test_a_text_of_earlier_versions_is_not_taken_apart() -> None:
    text = "a is better by 5.2 points. With one seed (p = 0.2). More."
    assert verdict_of({"verdict": text}) == ("", [text], [])
    assert verdict_of({}) == ("", [], [])
