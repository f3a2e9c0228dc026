"""The compare head: its terms worked by hand, pairs that share rows, masked tokens."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Tokens
from plait.heads.compare import CompareHead


def tokens(rows: int, length: int, seed: int, width: int = 8) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, length, width, generator=generator)
    valid = torch.ones(rows, length, dtype=torch.bool)
    valid[0, length - 1] = False
    return Tokens(values, valid)


def test_it_is_a_network_on_the_terms_of_its_formula() -> None:
    torch.manual_seed(0)
    head = CompareHead(8).eval()
    text, image = tokens(3, 4, 1), tokens(3, 5, 2)
    t, i = (torch.stack([v[m].mean(0) for v, m in zip(s.values, s.valid, strict=True)]) for s in (text, image))
    cosine = torch.nn.functional.cosine_similarity(t, i)[:, None]
    terms = torch.nn.functional.layer_norm(torch.cat([t, i, t * i, (t - i).abs()], 1), (32,))
    expected = head.mlp(torch.cat([terms, cosine], 1)).squeeze(1)
    found = head(Fused(text, image))
    assert found.kind == "logit"
    torch.testing.assert_close(found.values, expected)


def test_pairs_that_share_rows_score_as_if_each_had_its_own() -> None:
    torch.manual_seed(0)
    head = CompareHead(8, pool="attention").eval()
    text, image = tokens(4, 3, 1), tokens(2, 5, 2)
    row = torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(
        head(Fused(text, image, image_row=row)).values, head(Fused(text, image.take(row))).values
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_parameter_gets_a_gradient_in_both_precisions(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    head = CompareHead(8, pool="attention").to(dtype)
    text, image = (Tokens(s.values.to(dtype), s.valid) for s in (tokens(3, 4, 1), tokens(3, 5, 2)))
    head(Fused(text, image)).values.float().square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head.parameters())


def test_a_side_of_zeros_is_no_division_by_zero() -> None:
    head = CompareHead(8)
    text = tokens(2, 3, 1)
    empty = Tokens(torch.zeros(2, 3, 8), torch.ones(2, 3, dtype=torch.bool))
    assert torch.isfinite(head(Fused(text, empty)).values).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pool.*mean, max or attention.*'sum'"):
        CompareHead(8, pool="sum")
    with pytest.raises(ShapeError, match="width 8, got 4"):
        CompareHead(8)(Fused(tokens(2, 3, 1, width=4), tokens(2, 3, 2)))
    with pytest.raises(ShapeError, match="row by row"):
        CompareHead(8)(Fused(tokens(3, 3, 1), tokens(2, 3, 2)))
