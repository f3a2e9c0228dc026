"""The adapters: what changes, what stays, and what positions do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Tokens
from plait.encoders.adapters import BottleneckAdapter, LinearAdapter, TransformerAdapter
from plait.nn.precision import Precision, autocast_context

CLASSES = [LinearAdapter, BottleneckAdapter, TransformerAdapter]


def image_tokens(dtype=torch.float32):
    g = torch.Generator().manual_seed(0)
    return Tokens(
        torch.randn(2, 6, 12, generator=g).to(dtype),
        torch.ones(2, 6, dtype=torch.bool),
        grid=(2, 3),
        boxes=torch.rand(2, 6, 4, generator=g),
        pooled=torch.randn(2, 20, generator=g).to(dtype),
    )


@pytest.mark.parametrize("adapter", CLASSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_width_changes_and_the_rest_stays(adapter, dtype):
    tokens = image_tokens(dtype)
    out = adapter(12, width=16, pooled_width_in=20, modality="image").eval()(tokens)
    assert out.values.shape == (2, 6, 16)
    assert out.pooled.shape == (2, 16)
    assert out.values.dtype == torch.float32
    assert out.grid == (2, 3)
    assert out.valid is tokens.valid
    assert out.boxes is tokens.boxes
    assert adapter(12, width=16, modality="image").eval()(tokens).pooled is None


@pytest.mark.parametrize("adapter", CLASSES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_parameter_gets_a_gradient(adapter, precision: Precision):
    torch.manual_seed(0)
    module = adapter(12, width=16, pooled_width_in=20, modality="image")
    if isinstance(module, BottleneckAdapter):
        torch.nn.init.normal_(module.up.weight)  # at 0 it lets no gradient through to `down`
    with autocast_context(precision):
        out = module(image_tokens())
    (out.values.mul(torch.randn_like(out.values)).sum() + out.pooled.mul(torch.randn_like(out.pooled)).sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("adapter", CLASSES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_tokens_that_are_not_valid_are_never_read(adapter, precision: Precision):
    module = adapter(12, width=16, modality="text").eval()
    tokens = image_tokens()
    valid = tokens.valid.clone()
    valid[:, 4:] = False
    other = tokens.values.clone()
    other[:, 4:] = 99.0
    with autocast_context(precision):
        a, b = module(Tokens(tokens.values, valid)), module(Tokens(other, valid))
    assert torch.allclose(a.values[:, :4], b.values[:, :4], atol=1e-6 if precision == "fp32" else 0.03)


@pytest.mark.parametrize("adapter", CLASSES)
def test_positions_tell_equal_cells_apart_on_images_only(adapter):
    same = Tokens(torch.randn(1, 1, 12).expand(1, 6, 12), torch.ones(1, 6, dtype=torch.bool), grid=(2, 3))
    image = adapter(12, width=16, modality="image", positions=True).eval()(same).values[0]
    assert torch.pdist(image).min() > 1e-2
    text = adapter(12, width=16, modality="text", positions=True).eval()(same).values[0]
    assert torch.pdist(text).max() < 1e-4


def test_bottleneck_starts_as_the_plain_projection():
    module = BottleneckAdapter(12, width=16, modality="image").eval()
    tokens = image_tokens()
    want = module.linear(torch.nn.functional.layer_norm(tokens.values, (12,)))
    assert torch.allclose(module(tokens).values, want, atol=1e-6)


def test_transformer_lets_tokens_read_each_other_and_linear_does_not():
    tokens = image_tokens()
    other = Tokens(tokens.values.clone(), tokens.valid, grid=tokens.grid)
    other.values[:, 5] = 0.0
    for adapter, reads in ((LinearAdapter, False), (TransformerAdapter, True)):
        module = adapter(12, width=16, modality="image").eval()
        assert (module(tokens).values[:, 0] - module(other).values[:, 0]).abs().max().item() > 1e-5 or not reads
        assert module(tokens).values[:, 0].equal(module(other).values[:, 0]) is not reads


def test_dropout_acts_in_training_only():
    module = LinearAdapter(12, width=16, dropout=0.5)
    assert (module(image_tokens()).values == 0).float().mean() > 0.3
    assert (module.eval()(image_tokens()).values == 0).float().mean() == 0


@pytest.mark.parametrize("adapter", CLASSES)
def test_refusals(adapter):
    with pytest.raises(ConfigError, match=r"fusion.width: expected a multiple of 4 for positions on a grid, got 18"):
        adapter(12, width=18, positions=True, **({"heads": 2} if adapter is TransformerAdapter else {}))
    bare = Tokens(torch.zeros(1, 6, 12), torch.ones(1, 6, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"image tokens on a grid.*positions = false"):
        adapter(12, width=16, modality="image", positions=True)(bare)
    with pytest.raises(ShapeError, match=r"expected tokens with a pooled vector.*got none"):
        adapter(12, width=16, pooled_width_in=20)(bare)


def test_option_refusals():
    with pytest.raises(ConfigError, match="adapter option bottleneck: expected at least 1, got 0"):
        BottleneckAdapter(12, width=16, bottleneck=0)
    with pytest.raises(ConfigError, match="adapter option layers: expected at least 1, got 0"):
        TransformerAdapter(12, width=16, layers=0)


@pytest.mark.parametrize("make", [LinearAdapter, TransformerAdapter])
def test_padding_is_left_out_and_comes_back_as_zero(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    adapter = make(12, width=8).eval()
    values, valid = torch.randn(3, 5, 12), torch.ones(3, 5).bool()
    valid[0, 2:] = False
    valid[2, 1:] = False
    padded = adapter(Tokens(values, valid)).values
    alone = adapter(Tokens(values[:1, :2], valid[:1, :2])).values
    torch.testing.assert_close(padded[:1, :2], alone)
    if make is LinearAdapter:
        assert padded[~valid].eq(0).all()
