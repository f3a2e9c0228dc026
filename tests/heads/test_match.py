"""The matching heads: pooled cosines worked by hand, logits over masked tokens."""

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Similarities, Tokens
from plait.heads.match import LogitHead, SimilarityHead


def tokens(values: list[list[float]], valid: list[bool] | None = None) -> Tokens:
    return Tokens(torch.tensor([values]), torch.tensor([[True] * len(values) if valid is None else valid]))


# cosines 1, 0, -1 and, in the padding, 1
PAIR = Fused(
    tokens([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 1.0]], [True, True, True, False]),
    tokens([[5.0, 0.0], [0.0, 1.0], [0.0, -1.0], [1.0, 1.0]], [True, True, True, False]),
)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("mean", 0.0),
        ("sum", 0.0),
        ("lse", math.log(math.exp(2) + 1 + math.exp(-2)) / 2),
    ],
)
def test_pools_worked_by_hand(pool: str, expected: float) -> None:
    head = SimilarityHead(pool=pool, lse_scale=2.0)
    scores = head(PAIR)
    assert scores.kind == "cosine"
    assert scores.values.tolist() == pytest.approx([expected], abs=1e-6)
    similarities = Similarities(torch.tensor([[[1.0, 0.0, -1.0, 0.9]]]), PAIR.text.valid[None])
    assert head.pool(similarities).values.tolist() == [pytest.approx([expected], abs=1e-6)]


def test_mean_and_sum_differ_by_the_number_of_real_tokens() -> None:
    fused = Fused(PAIR.text.take(slice(None)), PAIR.text)
    assert SimilarityHead()(fused).values.item() == pytest.approx(1.0)
    assert SimilarityHead(pool="sum")(fused).values.item() == pytest.approx(3.0)


def test_a_pair_without_real_tokens_scores_zero() -> None:
    empty = tokens([[1.0, 0.0]], [False])
    for pool in ("mean", "sum", "lse"):
        assert SimilarityHead(pool=pool)(Fused(empty, empty)).values.item() == 0


def test_similarity_head_refuses_what_is_not_aligned() -> None:
    with pytest.raises(ShapeError, match=r"aligned.*\(1, 1, 2\) and \(1, 2, 2\)"):
        SimilarityHead()(Fused(tokens([[1.0, 0.0]]), tokens([[1.0, 0.0], [0.0, 1.0]])))


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"pool.*mean, sum or lse.*'max'"):
        SimilarityHead(pool="max")
    with pytest.raises(ConfigError, match=r"lse_scale.*above 0.*0"):
        SimilarityHead(lse_scale=0.0)
    with pytest.raises(ConfigError, match=r"pool.*mean, max or attention.*'lse'"):
        LogitHead(4, pool="lse")


@pytest.mark.parametrize("pool", ["mean", "max", "attention"])
def test_logit_head_sees_real_tokens_only(pool: str) -> None:
    torch.manual_seed(0)
    head = LogitHead(8, pool=pool, hidden=4)
    text, image = torch.randn(3, 5, 8), torch.randn(3, 2, 8)
    valid = torch.tensor([[True, True, False, False, False]] * 3)
    whole = torch.ones(3, 2).bool()
    scores = head(Fused(Tokens(text, valid), Tokens(image, whole)))
    assert scores.kind == "logit"
    assert scores.values.shape == (3,)
    cut = head(Fused(Tokens(text[:, :2], valid[:, :2]), Tokens(image, whole)))
    torch.testing.assert_close(scores.values, cut.values)
    assert scores.values.std() > 0
    scores.values.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head.parameters())


def test_logit_head_prefers_the_fusions_own_summary() -> None:
    torch.manual_seed(0)
    head = LogitHead(4)
    summary = torch.randn(1, 4)
    side = Tokens(torch.randn(1, 3, 4), torch.ones(1, 3).bool(), pooled=summary)
    same = Tokens(summary[:, None], torch.ones(1, 1).bool())
    torch.testing.assert_close(head(Fused(side, side)).values, head(Fused(same, same)).values)


def test_logit_head_names_a_wrong_width() -> None:
    with pytest.raises(ShapeError, match=r"text of width 4, got 2"):
        LogitHead(4)(PAIR)
