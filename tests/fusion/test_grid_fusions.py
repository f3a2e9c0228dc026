"""Fusions that keep the grid: their formulas by hand, what they refuse, and that a word can find its cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.tables import load_entry
from plait.core.types import MaskLogits, MaskTarget, Tokens
from plait.fusion import FUSIONS
from plait.fusion.bilinear.correlation import CorrelationFusion
from plait.fusion.bilinear.grid_product import GridProductFusion
from plait.fusion.control.image_only import ImageOnlyFusion
from plait.fusion.cross.pixel_word import PixelWordFusion
from plait.fusion.cross.self_cross_printed import PrintedSelfCrossFusion
from plait.fusion.gated.film import FilmFusion
from plait.fusion.two_tower.clip_dense import ClipDenseFusion
from plait.heads.mask import SpatialDecoder
from plait.objectives.mask import MaskLoss

D = 16


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def sides() -> tuple[Tokens, Tokens]:
    text = Tokens(
        torch.randn(2, 3, D), torch.tensor([[True, True, True], [True, True, False]]), pooled=torch.randn(2, D)
    )
    return text, Tokens(torch.randn(2, 6, D), torch.ones(2, 6).bool(), (2, 3))


def mean_word(text: Tokens) -> Tensor:
    return torch.stack([text.values[0].mean(0), text.values[1, :2].mean(0)])


def test_correlation_is_the_outer_product_read_by_one_matrix() -> None:
    fusion, (text, image) = CorrelationFusion(D, rank=3), sides()
    a = F.pad(fusion.text_project(mean_word(text)), (1, 0), value=1.0)
    b = F.pad(fusion.image_project(image.values), (1, 0), value=1.0)
    outer = a[:, None, :, None] * b[:, :, None, :]  # (2, 6, 4, 4)
    expected = fusion.norm(outer.flatten(2) @ fusion.weight.flatten(1).T + fusion.bias)
    torch.testing.assert_close(fusion(text, image).image.values, expected, atol=1e-5, rtol=1e-4)


def test_product_multiplies_the_mean_word_with_each_cell() -> None:
    fusion, (text, image) = GridProductFusion(D), sides()
    factor = fusion.text_project(mean_word(text))
    for cell in range(6):
        expected = factor * fusion.image_project(image.values[:, cell])
        torch.testing.assert_close(fusion(text, image).image.values[:, cell], expected)


def test_film_scales_and_shifts_each_channel() -> None:
    fusion, (text, image) = FilmFusion(D, layers=0, positions=False), sides()
    words = fusion.input_norm.text_norm(text.values)
    gain, shift = fusion.condition(mean_word(Tokens(words, text.valid))).chunk(2, -1)
    expected = fusion.norm((1 + gain[:, None]) * fusion.input_norm.image_norm(image.values) + shift[:, None])
    torch.testing.assert_close(fusion(text, image).image.values, expected)


def test_a_closed_gate_adds_nothing_of_the_words() -> None:
    fusion, (text, image) = PixelWordFusion(D, self_attention=False), sides()
    torch.nn.init.zeros_(fusion.layers[0].gate[2].weight)
    torch.nn.init.zeros_(fusion.layers[0].gate[2].bias)
    other = text.take(torch.tensor([1, 0]))
    assert torch.equal(fusion(text, image).image.values, fusion(other, image).image.values)


def test_the_printed_design_over_one_image_token_ignores_the_text() -> None:
    """A softmax over one key is 1: no gradient reaches the text, nor the queries and keys that it makes."""
    fusion, (text, image) = PrintedSelfCrossFusion(D), sides()
    one = Tokens(image.values[:, :1], image.valid[:, :1])
    text.values.requires_grad_()
    fused = fusion(text, one, maps=True)
    assert (fused.maps[0].weights == 1).all()
    fused.image.values.square().sum().backward()
    assert text.values.grad is None or text.values.grad.abs().max() == 0
    assert fusion.cross.query.weight.grad.abs().max() == 0
    assert not torch.equal(
        fusion(text, image).image.values[0], fusion(text.take(torch.tensor([1, 0])), image).image.values[0]
    )


def test_clip_dense_takes_the_mean_word_where_there_is_no_summary() -> None:
    fusion, (text, image) = ClipDenseFusion(D, layers=0), sides()
    bare = Tokens(text.values, text.valid)
    cosine = F.cosine_similarity(image.values, mean_word(text)[:, None], dim=-1)[..., None]
    torch.testing.assert_close(fusion(bare, image).image.values, cosine * fusion.direction + fusion.offset)


@pytest.mark.parametrize("name", ["grid_product", "pixel_word", "self_cross"])
def test_a_word_learns_to_find_its_cells(name: str) -> None:
    """Eight colours, one per cell; the word names one. Text in, cells out, and another word gives other cells."""
    book = torch.randn(8, D)

    def drawn(rows: int) -> tuple[Tokens, Tokens, Tensor]:
        colour, named = torch.randint(0, 8, (rows, 4, 4)), torch.randint(0, 8, (rows,))
        cells = (book[colour] + 0.2 * torch.randn(rows, 4, 4, D)).flatten(1, 2)
        words = Tokens(book[named][:, None], torch.ones(rows, 1).bool(), pooled=book[named])
        return words, Tokens(cells, torch.ones(rows, 16).bool(), (4, 4)), colour == named[:, None, None]

    fusion: Any = load_entry(FUSIONS[name])(D)
    decoder = SpatialDecoder(D, channels=16, doublings=0)
    parameters = [*fusion.parameters(), *decoder.parameters()]
    optimiser, objective = torch.optim.AdamW(parameters, 5e-3), MaskLoss(overlap="dice")
    for _ in range(120):
        text, image, region = drawn(32)
        logits: MaskLogits = decoder(fusion(text, image))
        optimiser.zero_grad()
        objective(logits, MaskTarget(region.float(), torch.ones_like(region))).total.backward()
        optimiser.step()
    text, image, region = drawn(128)
    with torch.no_grad():
        found = decoder(fusion(text, image)).values > 0
        swapped = decoder(fusion(text.take(torch.arange(128).roll(1)), image)).values > 0

    def overall(mask: Tensor) -> float:
        return float((mask & region).sum() / (mask | region).sum())

    assert overall(found) > 0.8
    assert overall(swapped) < 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FilmFusion(D, layers=-1), "'film', layers.*at least 0.*-1"),
        (lambda: PixelWordFusion(D, layers=0), "'pixel_word', layers.*at least 1.*0"),
        (lambda: CorrelationFusion(D, rank=0), "'correlation', rank.*at least 1.*0"),
        (lambda: ClipDenseFusion(D, layers=-1), "'clip_dense', layers.*at least 0.*-1"),
        (lambda: ImageOnlyFusion(D, layers=-1), "'image_only', layers.*at least 0.*-1"),
    ],
)
def test_refused_options(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_a_summary_of_another_width_is_refused() -> None:
    text, image = sides()
    wide = Tokens(text.values, text.valid, pooled=torch.randn(2, 2 * D))
    with pytest.raises(ShapeError, match=r"'clip_dense'.* 16, got 32"):
        ClipDenseFusion(D)(wide, image)
