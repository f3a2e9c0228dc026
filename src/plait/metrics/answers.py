"""Scores of answers to questions: VQA's soft accuracy, exact match, and the words that answers are compared by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["FEWEST_FOR_SOFT", "common_answer", "exact_match", "normalised_answer", "question_type", "soft_accuracy"]

# With fewer answers to a question, agreement of three cannot be measured.
FEWEST_FOR_SOFT = 4
_ARTICLES = {"a", "an", "the"}
_NUMBERS = {
    "none": "0",
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
}
# Removed between words; a comma between digits, and a point that is not between digits, are removed as well.
_PUNCTUATION = re.compile(r"""[;/\[\]"{}()=+\\_><@`?!]""")
_POINT = re.compile(r"(?<!\d)\.(?!\d)|\.$")
_COMMA = re.compile(r"(?<=\d),(?=\d)")


def normalised_answer(text: str) -> str:
    """Give an answer as it is compared: lower case, without punctuation and articles, number words as digits.

    Commas between words stay, as DAQUAR divides several things by them.

    Source: the evaluation script of Antol et al. 2015 (VQA). Differs: its list of misspelt contractions ("dont") is
    left out; "-" stays; an answer of articles alone stays as it is.
    Example:
        >>> normalised_answer("The Two  dogs!")
        '2 dogs'
    """
    plain = _PUNCTUATION.sub(" ", _COMMA.sub("", _POINT.sub("", text.lower().strip())))
    words = [_NUMBERS.get(word, word) for word in plain.split()]
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def soft_accuracy(answer: str, given: Sequence[str]) -> float:
    """Score an answer by how many people gave it.

    Formula: the mean over all choices of n - 1 of the n given answers of min(m / 3, 1), m = how many of them it equals:
        (m min((m - 1) / 3, 1) + (n - m) min(m / 3, 1)) / n.
    For fewer than 4 given answers: 1 if it is one of them, else 0.

    Returns: in [0, 1]; 0 where none was given.
    Source: the evaluation script of Antol et al. 2015 (VQA), n = 10.
    Example:
        >>> round(soft_accuracy("tree", ["tree"] * 3 + ["log"] * 7), 3)
        0.9
    """
    matches, count = sum(one == answer for one in given), len(given)
    if count < FEWEST_FOR_SOFT:
        return float(matches > 0)
    return (matches * min((matches - 1) / 3, 1.0) + (count - matches) * min(matches / 3, 1.0)) / count


def exact_match(answer: str, given: Sequence[str]) -> float:
    """Give 1 if an answer equals the most common given one, else 0."""
    return float(bool(given) and answer == common_answer(given))


def common_answer(given: Sequence[str]) -> str:
    """Give the most common answer; of those given as often, the first. Raises ValueError where there is none."""
    if not given:
        raise ValueError("expected at least one answer")
    return Counter(given).most_common(1)[0][0]


def question_type(text: str, *, words: int = 2) -> str:
    """Give a question's first words, in lower case and without punctuation: "how many", "what color".

    Example:
        >>> question_type("How many dogs are there?")
        'how many'
    """
    return " ".join(re.findall(r"[^\W_]+", text.lower())[:words])
