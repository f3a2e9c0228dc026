"""Scores of answers: VQA's formula against its own loop, hand-worked numbers, and the words that are compared."""

from __future__ import annotations

from itertools import combinations

import pytest

from plait.metrics.answers import common_answer, exact_match, normalised_answer, question_type, soft_accuracy
from plait.metrics.wups import wordnet_similarity, wups


def official(answer: str, given: list[str]) -> float:
    """Average min(matches / 3, 1) over all choices of n - 1 people, as VQA's script does."""
    chosen = list(combinations(given, len(given) - 1))
    return sum(min(1.0, group.count(answer) / 3) for group in chosen) / len(chosen)


@pytest.mark.parametrize("matches", range(11))
def test_soft_accuracy_is_the_official_average(matches: int) -> None:
    given = ["yes"] * matches + ["no"] * (10 - matches)
    assert soft_accuracy("yes", given) == pytest.approx(official("yes", given))


@pytest.mark.parametrize(("matches", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_soft_accuracy_of_ten_people(matches: int, score: float) -> None:
    assert soft_accuracy("a", ["a"] * matches + ["b"] * (10 - matches)) == pytest.approx(score)


def test_few_answers_are_compared_exactly() -> None:
    assert soft_accuracy("a", ["a"]) == 1.0
    assert soft_accuracy("a", ["b", "a", "b"]) == 1.0
    assert soft_accuracy("c", ["b", "a", "b"]) == 0.0
    assert soft_accuracy("a", []) == 0.0
    assert soft_accuracy("a", ["a", "b", "b", "b"]) == pytest.approx(3 / 4 / 3)


def test_exact_match_takes_the_most_common_answer_and_the_first_of_equals() -> None:
    assert common_answer(["b", "a", "a"]) == "a"
    assert common_answer(["b", "a", "a", "b"]) == "b"
    assert exact_match("a", ["b", "a", "a"]) == 1.0
    assert exact_match("b", ["b", "a", "a"]) == 0.0
    assert exact_match("b", []) == 0.0
    with pytest.raises(ValueError, match="at least one"):
        common_answer([])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Yes.", "yes"),
        ("The two  dogs!", "2 dogs"),
        ("none", "0"),
        ("1,000", "1000"),
        ("2.5", "2.5"),
        ("chair, table", "chair, table"),
        ("the", "the"),
        ("night stand", "night stand"),
    ],
)
def test_answers_are_compared_without_case_articles_and_punctuation(text: str, plain: str) -> None:
    assert normalised_answer(text) == plain


def test_question_types_are_the_first_two_words() -> None:
    assert question_type("How many, exactly, are there?") == "how many"
    assert question_type("why?") == "why"
    assert question_type("?") == ""


def near(one: str, other: str) -> float:
    """A WordNet of three words."""
    return {frozenset(("chair", "sofa")): 0.92, frozenset(("chair", "lamp")): 0.5}.get(frozenset((one, other)), 0.0)


def test_wups_worked_by_hand() -> None:
    assert wups("chair", "chair", near, threshold=0.9) == 1.0
    assert wups("chair", "sofa", near, threshold=0.9) == pytest.approx(0.92)
    assert wups("chair", "lamp", near, threshold=0.9) == pytest.approx(0.05)
    assert wups("chair", "lamp", near, threshold=0.0) == pytest.approx(0.5)
    assert wups("chair", "cup", near, threshold=0.0) == 0.0
    # of two things one is right: the other one's nearest is the chair at 0.5
    assert wups("chair", "chair, lamp", near, threshold=0.0) == pytest.approx(0.5)
    assert wups("lamp, chair", "chair, lamp", near, threshold=0.9) == 1.0
    assert wups("", "chair", near, threshold=0.0) == 0.0


def test_wordnet_is_used_only_where_it_is_installed() -> None:
    found = wordnet_similarity()
    if found is not None:
        assert found("chair", "chair") == 1.0
        assert 0 < found("chair", "sofa") < 1
