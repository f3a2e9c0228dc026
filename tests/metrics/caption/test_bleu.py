"""BLEU by hand, its linear parts, and the COCO evaluation's own figure where that is installed."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.metrics.caption.bleu import bleu, bleu_counts, bleu_parts
from tests.metrics.caption.sentences import SENTENCES, candidates, references


def test_counts_are_clipped_by_the_reference_that_has_most() -> None:
    # The paper's own example: "the" occurs at most twice in a reference.
    counts = bleu_counts(
        [["the", "the", "the", "the", "the", "the", "the"]],
        [[["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]],
    )
    assert counts.matched[0].tolist() == [2, 0, 0, 0]
    assert counts.total[0].tolist() == [7, 6, 5, 4]
    assert (counts.length[0], counts.closest[0]) == (7, 7)


def test_one_caption_by_hand() -> None:
    # caption: a b c d (4); reference: a b c e f (5). Matches 3 of 4, 2 of 3, 1 of 2, 0 of 1; brevity exp(1 - 5/4).
    found = bleu(bleu_counts([list("abcd")], [[list("abcef")]]))
    brevity = np.exp(-0.25)
    expected = [0.75, np.sqrt(0.75 * 2 / 3), np.cbrt(0.75 * 2 / 3 * 0.5), 0.0]
    assert found == pytest.approx(100 * brevity * np.array(expected))


def test_two_captions_are_summed_before_they_are_divided() -> None:
    # 1 of 1 and 1 of 3 words: 2 of 4 together, not the mean of 1 and 1/3. Lengths 4 against 1 + 3.
    found = bleu(bleu_counts([["a"], list("axy")], [[["a"]], [list("abc")]]))
    assert found[0] == pytest.approx(50.0)


def test_the_closest_length_is_the_shorter_of_two() -> None:
    assert bleu_counts([list("abc")], [[list("ab"), list("abcd")]]).closest.tolist() == [2]


def test_a_perfect_caption_has_100_and_an_empty_one_0() -> None:
    assert bleu(bleu_counts([list("abcde")], [[list("abcde")]])) == pytest.approx(np.full(4, 100.0))
    assert bleu(bleu_counts([[]], [[list("abcde")]])).tolist() == [0, 0, 0, 0]


def test_parts_have_bleu_as_their_mean() -> None:
    counts = bleu_counts(candidates(), references())
    assert bleu_parts(counts).mean(0) == pytest.approx(bleu(counts))


@pytest.mark.parametrize("longer", [False, True], ids=["captions shorter", "captions longer"])
def test_parts_say_how_bleu_changes_when_an_image_counts_more(longer: bool) -> None:
    # The derivative by the weight of one image, by differences: part_i - BLEU = I * d BLEU / d weight_i.
    counts = bleu_counts([[*words, *["so"] * 5 * longer] for words in candidates()], references())
    assert bool(counts.length.sum() > counts.closest.sum()) == longer
    images, step = len(counts.length), 1e-6
    for image in range(images):
        weight = np.ones(images)
        weight[image] += step
        moved = type(counts)(
            counts.matched * weight[:, None],
            counts.total * weight[:, None],
            counts.length * weight,
            counts.closest * weight,
        )
        slope = images * (bleu(moved) - bleu(counts)) / step
        assert bleu_parts(counts)[image] - bleu(counts) == pytest.approx(slope, abs=1e-2)


def test_parts_of_a_zero_are_zeros() -> None:
    parts = bleu_parts(bleu_counts([list("ab"), list("xy")], [[list("ac")], [list("xz")]]))
    assert parts[:, 1:].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert parts[:, 0].mean() == pytest.approx(50)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(InputError, match="at least one image"):
        bleu_counts([], [])
    with pytest.raises(InputError, match="image 1 has no reference"):
        bleu_counts([["a"], ["b"]], [[["a"]], []])
    with pytest.raises(ShapeError, match="each of 1 images, got 2"):
        bleu_counts([["a"], ["b"]], [[["a"]]])


def test_it_is_the_figure_of_the_coco_evaluation() -> None:
    scorer = pytest.importorskip("pycocoevalcap.bleu.bleu")
    theirs, _ = scorer.Bleu(4).compute_score(
        {i: [" ".join(words) for words in own] for i, (_, own) in enumerate(SENTENCES)},
        {i: [" ".join(words)] for i, (words, _) in enumerate(SENTENCES)},
        verbose=0,
    )
    assert bleu(bleu_counts(candidates(), references())) == pytest.approx(100 * np.array(theirs), abs=1e-4)
