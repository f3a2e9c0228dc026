"""The head of matched pairs: a cosine of mean tokens."""

from __future__ import annotations

import torch

from plait.core.types import Fused, Tokens
from plait.heads.pair import PairCosineHead


def test_cosine_of_the_real_tokens_means() -> None:
    text = Tokens(
        torch.tensor([[[1.0, 0.0], [1.0, 2.0], [9.0, 9.0]]]), torch.tensor([[True, True, False]])
    )  # mean (1, 1)
    image = Tokens(torch.tensor([[[0.0, 3.0]]]), torch.tensor([[True]]))
    found = PairCosineHead()(Fused(text, image))
    assert found.kind == "cosine"
    torch.testing.assert_close(found.values, torch.tensor([0.5**0.5]))


def test_rows_that_pairs_share_are_read_for_each_pair() -> None:
    text = Tokens(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), torch.ones(2, 1, dtype=torch.bool))
    image = Tokens(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]]), torch.ones(3, 1, dtype=torch.bool))
    fused = Fused(text, image, text_row=torch.tensor([0, 1, 0]))
    assert PairCosineHead()(fused).values.tolist() == [1.0, 1.0, -1.0]


def test_a_side_without_real_tokens_scores_zero() -> None:
    text = Tokens(torch.ones(1, 2, 4), torch.zeros(1, 2, dtype=torch.bool))
    image = Tokens(torch.ones(1, 3, 4), torch.ones(1, 3, dtype=torch.bool))
    assert PairCosineHead()(Fused(text, image)).values.tolist() == [0.0]
