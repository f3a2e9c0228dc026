"""Agreement of scores with caption similarity: ranks and correlations worked by hand, SciPy as a reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.core.errors import ShapeError
from plait.metrics.agreement import agreement, average_ranks, caption_relevance, word_vectors

OWNER = [0, 1, 2, 3]


def test_the_order_of_the_relevance_is_one_and_its_reverse_minus_one() -> None:
    relevance = np.array([[9.0, 1, 2, 3], [1, 9, 1, 2], [2, 2, 9, 1], [3, 3, 3, 9]])
    assert agreement(relevance, relevance, OWNER).tolist() == pytest.approx([1, 1, 1, 1])
    assert agreement(-relevance, relevance, OWNER).tolist() == pytest.approx([-1, -1, -1, -1])
    # only the order counts, and the own image does not
    bent = np.exp(relevance)
    bent[np.arange(4), np.arange(4)] = -1e6
    assert agreement(bent, relevance, OWNER).tolist() == pytest.approx([1, 1, 1, 1])


def test_constant_scores_agree_with_nothing() -> None:
    relevance = np.random.default_rng(0).random((4, 4))
    assert agreement(np.ones((4, 4)), relevance, OWNER).tolist() == [0, 0, 0, 0]
    assert agreement(relevance[:2, :2], relevance[:2, :2], [0, 1]).tolist() == [0, 0]


def test_it_is_spearmans_rho_with_ties() -> None:
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    random = np.random.default_rng(1)
    scores, relevance = random.integers(0, 5, (12, 6)).astype(float), random.integers(0, 4, (12, 6)).astype(float)
    owner = random.integers(0, 12, 6)
    found = agreement(torch.from_numpy(scores), relevance, owner)
    for c in range(6):
        kept = np.arange(12) != owner[c]
        expected = stats.spearmanr(scores[kept, c], relevance[kept, c]).statistic
        assert found[c] == pytest.approx(expected)


def test_ranks_share_ties() -> None:
    assert average_ranks(np.array([3.0, 1.0, 3.0, 2.0, 3.0])).tolist() == [4, 1, 4, 2, 4]


def test_rare_words_count_and_common_ones_do_not() -> None:
    vectors = word_vectors([["a", "dog"], ["a", "dog", "runs"], ["a", "cat"], ["a"]], device=torch.device("cpu"))
    cosine = vectors @ vectors.T
    assert cosine[0, 0].item() == pytest.approx(1)
    assert 0 < cosine[0, 1] < 1
    assert cosine[0, 2] == 0, "only the word that all have is shared"
    assert vectors[3].abs().sum() == 0


def test_an_image_is_as_relevant_as_its_most_alike_caption() -> None:
    vectors = torch.nn.functional.normalize(torch.rand(7, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    owner = np.array([0, 0, 2, 2, 2, 3, 0])
    found = caption_relevance(vectors, owner, 4)
    cosine = (vectors @ vectors.T).numpy()
    for image in range(4):
        mine = cosine[owner == image]
        expected = mine.max(0) if len(mine) else np.zeros(7)
        np.testing.assert_allclose(found[image], expected, rtol=1e-6)


def test_shapes_are_checked() -> None:
    with pytest.raises(ShapeError, match="images, captions"):
        agreement(np.ones((3, 4)), np.ones((3, 3)), [0, 1, 2])
