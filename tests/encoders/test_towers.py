"""The encoders trained from scratch: shapes, masks, padding, positions and refusals."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.encoders.cnn import SmallCnn, cnn_small
from plait.encoders.vit import SmallVit, vit_small
from plait.encoders.words.gru import WordGru, words
from plait.encoders.words.transformer import WordTransformer, words_transformer
from plait.nn.precision import Precision, autocast_context

IDS = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 2, 0, 0]])
VALID = IDS != 0


def text_towers():
    torch.manual_seed(0)
    return [WordGru(9, width=8, embedding_width=6).eval(), WordTransformer(9, width=8, heads=2).eval()]


def image_towers():
    torch.manual_seed(0)
    return [SmallVit(patch_px=8, width=16, depth=1, heads=2).eval(), SmallCnn(width=32).eval()]


@pytest.mark.parametrize("tower", text_towers(), ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_words_are_valid_and_start_and_end_are_not(tower, precision: Precision):
    with autocast_context(precision):
        tokens = tower(IDS, VALID)
    assert tokens.values.shape == (2, 5, 8)
    assert tokens.valid.tolist() == [[False, True, True, True, False], [False, True, False, False, False]]
    assert tokens.grid is None


@pytest.mark.parametrize("tower", text_towers(), ids=lambda t: type(t).__name__)
@pytest.mark.parametrize(("precision", "near"), [("fp32", 1e-6), ("bf16", 0.03)])
def test_padding_changes_nothing(tower, precision: Precision, near: float):
    more = torch.nn.functional.pad(IDS, (0, 4)), torch.nn.functional.pad(VALID, (0, 4))
    with autocast_context(precision):
        a, b, alone = tower(IDS, VALID), tower(*more), tower(IDS[1:, :3], VALID[1:, :3])
    assert torch.allclose(a.values[VALID], b.values[:, :5][VALID], atol=near)
    assert b.valid[:, 5:].sum() == 0
    if a.pooled is not None:
        assert torch.allclose(a.pooled, b.pooled, atol=near)
    assert torch.allclose(alone.values[0], a.values[1, :3], atol=near)


@pytest.mark.parametrize("tower", text_towers(), ids=lambda t: type(t).__name__)
def test_the_order_of_words_matters_and_each_word_hears_the_others(tower):
    base, swapped = tower(IDS[:1], VALID[:1]), tower(IDS[:1, [0, 2, 1, 3, 4]], VALID[:1])
    assert (base.values[0, 3] - swapped.values[0, 3]).abs().max() > 1e-4
    changed = IDS[:1].clone()
    changed[0, 3] = 8
    assert (base.values[0, 1] - tower(changed, VALID[:1]).values[0, 1]).abs().max() > 1e-4


def test_gru_pools_the_last_states():
    tower = text_towers()[0]
    tokens = tower(IDS, VALID)
    # forward state at the row's own end, backward state at its start
    assert torch.allclose(tokens.pooled[1], torch.cat([tokens.values[1, 2, :4], tokens.values[1, 0, 4:]]))
    assert tokens.values[1, 3:].abs().sum() == 0
    nothing = tower(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3, dtype=torch.bool))
    assert nothing.values.isfinite().all()
    assert not nothing.valid.any()


@pytest.mark.parametrize("tower", [*text_towers(), *image_towers()], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_parameter_gets_a_finite_gradient(tower, precision: Precision):
    is_text = isinstance(tower, WordGru | WordTransformer)
    with autocast_context(precision):
        tokens = tower(IDS, VALID) if is_text else tower(torch.randn(2, 3, 32, 32))
    noise = torch.randn_like(tokens.values)
    ((tokens.values * noise)[tokens.valid]).sum().backward()
    for name, parameter in tower.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    tower.zero_grad()


@pytest.mark.parametrize("tower", image_towers(), ids=lambda t: type(t).__name__)
@pytest.mark.parametrize(("precision", "near"), [("fp32", 1e-5), ("bf16", 0.05)])
def test_images_become_a_grid_at_stride_8(tower, precision: Precision, near: float):
    x = torch.randn(3, 3, 64, 32)
    with autocast_context(precision):
        tokens, again, alone = tower(x), tower(x), tower(x[1:2])
    assert tokens.grid == (8, 4)
    assert tokens.values.shape[:2] == (3, 32)
    assert tokens.valid.all()
    assert again.values.equal(tokens.values)
    assert torch.allclose(alone.values, tokens.values[1:2], atol=near)


@pytest.mark.parametrize("tower", image_towers(), ids=lambda t: type(t).__name__)
def test_equal_looks_at_other_places_differ(tower):
    tokens = tower(torch.zeros(1, 3, 64, 64)).values[0].reshape(8, 8, -1)
    # far from the border a plain convolution would give the same at 3 and 4
    assert (tokens[3, 3] - tokens[3, 4]).abs().max() > 1e-3
    assert (tokens[3, 3] - tokens[4, 3]).abs().max() > 1e-3


def test_cnn_stride_16():
    assert SmallCnn(width=32, stride=16, blocks=2)(torch.zeros(1, 3, 64, 64)).grid == (4, 4)


@pytest.mark.parametrize("tower", [*text_towers(), *image_towers()], ids=lambda t: type(t).__name__)
def test_bf16_stays_near_fp32(tower):
    raw = (IDS, VALID) if isinstance(tower, WordGru | WordTransformer) else (torch.randn(2, 3, 64, 64),)
    with torch.inference_mode():
        want = tower(*raw)
        with autocast_context("bf16"):
            got = tower(*raw)
    assert torch.equal(got.valid, want.valid)
    real = want.valid
    assert torch.nn.functional.cosine_similarity(got.values[real].float(), want.values[real], dim=-1).min() > 0.99


def test_tokens_are_made_on_the_device_of_the_input():
    """The meta device stands for any other: what would be left on the CPU cannot meet it in one operation."""
    tokens = SmallCnn(width=32).to("meta")(torch.zeros(2, 3, 64, 64, device="meta"))
    assert {tokens.values.device.type, tokens.valid.device.type} == {"meta"}


def test_factories_train_all_from_raw_input():
    spoken = object()
    for parts in (
        words(text_input=spoken, vocabulary_size=9, width=8),
        words_transformer(text_input=spoken, vocabulary_size=9, width=8, heads=2),
    ):
        assert parts.frozen is None
        assert parts.width == 8
        assert parts.input is spoken
        assert (parts.pooled_width is None) == (parts.trained(IDS, VALID).pooled is None)
    for parts in (vit_small(size_px=32, width=16, depth=1), cnn_small(size_px=32, width=32, fit="pad")):
        assert parts.frozen is None
        assert parts.input.size_px == 32
        assert parts.trained(torch.zeros(1, 3, 32, 32)).values.shape == (1, 16, parts.width)
        assert parts.pooled_width is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: WordGru(4), "vocabulary_size: expected at least 5 .*got 4"),
        (lambda: WordGru(9, width=7), "words: expected an even width .*got 7 and 1"),
        (lambda: WordTransformer(9, width=7, heads=7), "words_transformer: expected an even width"),
        (lambda: SmallVit(width=18), "vit_small: expected patch and depth above 0 and a width divisible by 4"),
        (lambda: vit_small(size_px=60), r"image.size_px: expected a multiple of the option patch \(8\), got 60"),
        (lambda: SmallCnn(stride=4), "cnn_small: expected stride 8 or 16.*got 4, 128 and 1"),
        (lambda: cnn_small(size_px=4), r"image.size_px: expected at least the option stride \(8\), got 4"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_vit_refuses_sides_that_are_no_multiple():
    with pytest.raises(ShapeError, match=r"pixels: expected sides that are multiples of 8, got \(30, 32\)"):
        SmallVit(width=16, depth=1)(torch.zeros(1, 3, 30, 32))
