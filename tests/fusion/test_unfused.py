"""No fusion: neither side reads the other, and self-attention over the image leaves its padding out."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.fusion.unfused.unfused import Unfused
from plait.nn.precision import autocast_context
from tests.contracts.placement import NoImplicitDevice

WIDTH = 16


def sides() -> tuple[Tokens, Tokens]:
    torch.manual_seed(0)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 4:] = False
    text = Tokens(torch.randn(2, 3, WIDTH), torch.ones(2, 3, dtype=torch.bool))
    return text, Tokens(torch.randn(2, 6, WIDTH), valid, pooled=torch.randn(2, 5))


def test_both_sides_come_out_as_they_are() -> None:
    text, image = sides()
    fused = Unfused(WIDTH)(text, image, maps=True)
    assert fused.text is text
    torch.testing.assert_close(fused.image.values, image.values)
    assert fused.image.pooled is image.pooled
    assert fused.maps == ()
    assert not list(Unfused(WIDTH).parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_layers_read_the_image_alone(precision: str) -> None:
    text, image = sides()
    torch.manual_seed(1)
    fusion = Unfused(WIDTH, layers=2, heads=2).eval()
    with autocast_context(precision), NoImplicitDevice():  # type: ignore[arg-type]
        before = fusion(text, image).image.values
        other = fusion(Tokens(text.values + 5, text.valid), image).image.values
        padded = image.values.clone()
        padded[1, 4:] = 9
        same = fusion(text, Tokens(padded, image.valid)).image.values
    torch.testing.assert_close(other, before)
    torch.testing.assert_close(same[1, :4], before[1, :4])
    assert float((before - image.values)[0].detach().abs().max()) > 0.1


def test_fewer_than_no_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match="layers: expected at least 0"):
        Unfused(WIDTH, layers=-1)
