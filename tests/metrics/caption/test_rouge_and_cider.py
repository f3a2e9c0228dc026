"""ROUGE-L, CIDEr-D and variety by hand, and the COCO evaluation's own figures where that is installed."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.core.errors import InputError, ShapeError
from plait.metrics.caption.cider import CiderD
from plait.metrics.caption.rouge import common_length, rouge_l
from plait.metrics.caption.variety import most_common_parts, variety_parts
from tests.metrics.caption.sentences import SENTENCES, candidates, references

words = st.lists(st.sampled_from("abc"), max_size=7)


@settings(max_examples=60, deadline=None)
@given(one=words, other=words)
def test_common_length_is_that_of_the_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    subsequences = {tuple(c) for n in range(len(one) + 1) for c in combinations(one, n)}
    longest = max(len(c) for n in range(len(other) + 1) for c in combinations(other, n) if tuple(c) in subsequences)
    assert common_length(one, other) == longest


def test_rouge_by_hand() -> None:
    # LCS of "a b c d" with "a c d" is 3: P = 3/4, R = 3/3; F = 2.44 * 0.75 / (1 + 1.44 * 0.75).
    found = rouge_l([list("abcd"), list("xy")], [[list("acd")], [list("zz")]])
    assert found == pytest.approx([100 * 2.44 * 0.75 / (1 + 1.44 * 0.75), 0.0])


def test_rouge_takes_precision_and_recall_from_the_references_that_are_best_for_each() -> None:
    # With "a b x x" P = 2/2, R = 2/4; with "b" P = 1/2, R = 1: both maxima are 1.
    assert rouge_l([list("ab")], [[list("abxx"), list("b")]]) == pytest.approx([100.0])


def test_cider_by_hand() -> None:
    # Two images with one reference each: every n-gram is in one image, so each weighs log 2. Single words: c = (a, b),
    # s = (a, c), cosine 1/2; pairs differ; no triples. A quarter of 1/2, lengths equal, times 1000.
    scorer = CiderD([[["a", "c"]], [["x", "y"]]])
    assert scorer.score([["a", "b"], ["x", "y"]]) == pytest.approx([1000 * 0.5 / 4, 1000 * 2 / 4])


def test_cider_gives_no_weight_to_what_every_image_has() -> None:
    scorer = CiderD([[["a", "dog"]], [["a", "cat"]]])
    # "a" has log(2/2) = 0; the words left are "dog" and "cat", and the pairs agree for the first image alone.
    assert scorer.score([["a", "dog"], ["a", "dog"]]) == pytest.approx([500.0, 0.0])


def test_cider_falls_with_the_difference_in_length_and_clips_counts() -> None:
    scorer = CiderD([[["a", "b"]], [["x", "y"]]])
    longer = scorer.score([["a", "b", "b", "b"], ["x", "y"]])[0]
    # Counts (a 1, b 3) clipped to (1, 1) against (1, 1): 2 / (sqrt 10 sqrt 2); pairs (ab 1, bb 2): 1 / sqrt 5.
    near = math.exp(-(2**2) / 72)
    assert longer == pytest.approx(1000 * near * (2 / math.sqrt(20) + 1 / math.sqrt(5)) / 4)


def test_cider_of_one_image_is_0() -> None:
    assert CiderD([[["a"]]]).score([["a"]]).tolist() == [0.0]


def test_cider_refuses_another_number_of_captions() -> None:
    with pytest.raises(ShapeError, match="each of 2 images, got 1"):
        CiderD([[["a"]], [["b"]]]).score([["a"]])
    with pytest.raises(InputError, match="image 0 has no reference"):
        CiderD([[]])


def test_variety_by_hand() -> None:
    texts = ["a dog"] * 3 + ["a cat"]
    assert variety_parts(texts).mean() == pytest.approx(100 * 2 / 4)
    assert most_common_parts(texts).mean() == pytest.approx(75)
    for parts in (variety_parts, most_common_parts):
        with pytest.raises(InputError, match="at least one"):
            parts([])


def test_they_are_the_figures_of_the_coco_evaluation() -> None:
    cider = pytest.importorskip("pycocoevalcap.cider.cider")
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge")
    theirs = {i: [" ".join(one) for one in own] for i, (_, own) in enumerate(SENTENCES)}
    ours = {i: [" ".join(caption)] for i, (caption, _) in enumerate(SENTENCES)}
    _, scores = rouge.Rouge().compute_score(theirs, ours)
    assert rouge_l(candidates(), references()) == pytest.approx(100 * np.array(scores))
    _, scores = cider.Cider().compute_score(theirs, ours)  # the package's Cider is CIDEr-D with sigma 6
    assert CiderD(references()).score(candidates()) == pytest.approx(100 * np.array(scores), abs=1e-6)
