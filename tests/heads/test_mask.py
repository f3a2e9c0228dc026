"""Decoders for masks: places keep their position, levels are read, text enters through the fusion alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.tables import load_entry
from plait.core.types import Fused, Level, Tokens
from plait.heads import HEADS
from plait.heads.base import MaskHead
from plait.heads.mask import SpatialDecoder, VectorDecoder, resize_map

WIDTH, GRID, SKIPS = 16, (3, 4), (6, 5)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def fused(rows: int = 2, *, levels: bool = True, dtype: torch.dtype = torch.float32) -> Fused:
    h, w = GRID
    finer = tuple(
        Level(torch.randn(rows, h * w * 4**n, width).to(dtype), (h * 2**n, w * 2**n))
        for n, width in enumerate(SKIPS, 1)
    )
    image = Tokens(torch.randn(rows, h * w, WIDTH), torch.ones(rows, h * w).bool(), GRID, levels=finer * levels)
    return Fused(Tokens(torch.randn(rows, 3, WIDTH), torch.ones(rows, 3).bool()), image)


def test_the_table() -> None:
    assert load_entry(HEADS["spatial"]) is SpatialDecoder
    assert load_entry(HEADS["vector"]) is VectorDecoder
    for name in ("spatial", "vector"):
        assert HEADS[name].gives == "MaskLogits"
        assert issubclass(load_entry(HEADS[name]), MaskHead)  # type: ignore[arg-type]


def test_sizes() -> None:
    assert SpatialDecoder(WIDTH, skips=SKIPS, channels=16)(fused()).values.shape == (2, 24, 32)
    assert SpatialDecoder(WIDTH, skips=SKIPS, channels=16, doublings=0)(fused()).values.shape == (2, 12, 16)
    assert SpatialDecoder(WIDTH, channels=32)(fused(levels=False)).values.shape == (2, 12, 16)
    assert VectorDecoder(WIDTH, channels=16)(fused()).values.shape == (2, 224, 224)


def test_the_vector_decoder_is_seven_transposed_convolutions() -> None:
    layers = [m for m in VectorDecoder(WIDTH).modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in layers] == [256, 128, 64, 32, 16, 8, 1]
    assert VectorDecoder(WIDTH, channels=16, side=56)(fused()).values.shape == (2, 56, 56)


@pytest.mark.parametrize("start", [-2.0, 0.5])
def test_before_training_the_expected_share_is_predicted(start: float) -> None:
    for head in (SpatialDecoder(WIDTH, skips=SKIPS, start=start), VectorDecoder(WIDTH, channels=16, start=start)):
        assert head(fused(8)).values.mean().item() == pytest.approx(start, abs=0.5)


@pytest.mark.parametrize("name", ["spatial", "plain", "vector"])
def test_gradients_are_finite_and_reach_every_parameter(name: str) -> None:
    head = {
        "spatial": lambda: SpatialDecoder(WIDTH, skips=SKIPS, channels=16),
        "plain": lambda: SpatialDecoder(WIDTH, channels=32),
        "vector": lambda: VectorDecoder(WIDTH, channels=32),
    }[name]()
    given = fused(levels=name != "plain")
    leaves = [given.image.values, *(level.values for level in given.image.levels if name == "spatial")]
    for leaf in leaves:
        leaf.requires_grad_()
    head(given).values.square().mean().backward()
    for key, parameter in head.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0, f"{key} never learns"
    for leaf in leaves:
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().max() > 0


def test_a_change_at_a_place_changes_the_mask_there() -> None:
    head, given = SpatialDecoder(WIDTH, skips=SKIPS, channels=16).eval().requires_grad_(False), fused(1)
    before = head(given).values

    def moved(image: Tokens) -> tuple[float, float]:
        change = (head(replace(given, image=image)).values - before)[0].abs()
        rows, columns = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(32) + 0.5, indexing="ij")
        return float((change * rows).sum() / change.sum()) / 24, float((change * columns).sum() / change.sum()) / 32

    values = given.image.values.clone()
    values[:, 0, ::2] += 5.0  # not all entries: a layer norm would take that out
    first = replace(given.image, values=values)
    assert max(moved(first)) < 0.42
    assert torch.equal(head(replace(given, image=first)).values[:, -4:, -4:], before[:, -4:, -4:])
    values = given.image.values.clone()
    values[:, -1, ::2] += 5.0
    assert min(moved(replace(given.image, values=values))) > 0.58
    fine = given.image.levels[1]
    altered = fine.values.clone()
    altered[:, -1, ::2] += 30.0
    image = replace(given.image, levels=(given.image.levels[0], Level(altered, fine.grid)))
    assert min(moved(image)) > 0.58


def test_rows_are_decoded_by_themselves() -> None:
    head, given = SpatialDecoder(WIDTH, skips=SKIPS, channels=16), fused(3)
    alone = head(Fused(given.text.take(slice(1, 2)), given.image.take(slice(1, 2)))).values
    torch.testing.assert_close(alone, head(given).values[1:2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", [SpatialDecoder(WIDTH, skips=SKIPS), VectorDecoder(WIDTH, channels=16)])
def test_rows_that_pairs_share_are_found(head: torch.nn.Module) -> None:
    given, row = fused(2), torch.tensor([1, 0, 1])
    shared = head(replace(given, image_row=row)).values
    torch.testing.assert_close(shared, head(given).values[row], atol=1e-5, rtol=1e-4)


def test_levels_may_come_apart_from_the_fused_image_and_in_half_precision() -> None:
    head, given = SpatialDecoder(WIDTH, skips=SKIPS), fused(dtype=torch.float16)
    bare = replace(given, image=replace(given.image, levels=()))
    assert torch.equal(head(bare, given.image.levels).values, head(given).values)


def test_the_text_is_not_read() -> None:
    given = fused()
    other = replace(given, text=replace(given.text, values=given.text.values + 5))
    for head in (SpatialDecoder(WIDTH, skips=SKIPS), VectorDecoder(WIDTH, channels=16)):
        assert torch.equal(head(given).values, head(other).values)


def test_what_lies_in_padding_does_not_matter() -> None:
    given = fused()
    given.image.valid[:, -1] = False
    heads = (SpatialDecoder(WIDTH, skips=SKIPS), VectorDecoder(WIDTH, channels=16))
    before = [head(given).values for head in heads]
    given.image.values[:, -1] = 50.0
    for head, values in zip(heads, before, strict=True):
        assert torch.equal(head(given).values, values)


def test_resampling_keeps_places() -> None:
    """A ramp over the square stays that ramp: at cell centres for even grids, at strided places for odd ones."""
    centres = (torch.arange(7) + 0.5) / 7
    finer = resize_map(centres.view(1, 1, 1, 7).expand(1, 1, 7, 7), (14, 14))[0, 0, 0]
    torch.testing.assert_close(finer[1:-1], ((torch.arange(14) + 0.5) / 14)[1:-1])
    strided = resize_map((2.0 * torch.arange(9)).view(1, 1, 1, 9).expand(1, 1, 9, 9), (17, 17))[0, 0, 0]
    torch.testing.assert_close(strided, torch.arange(17.0))
    same = torch.zeros(1, 1, 3, 3)
    assert resize_map(same, (3, 3)) is same


def test_refusals() -> None:
    given = fused()
    with pytest.raises(ConfigError, match=r"channels.*at least 16.*8"):
        SpatialDecoder(WIDTH, skips=SKIPS, channels=8)
    with pytest.raises(ConfigError, match=r"doublings.*at least -1.*-2"):
        SpatialDecoder(WIDTH, doublings=-2)
    with pytest.raises(ConfigError, match=r"channels.*multiple of 8.*12"):
        VectorDecoder(WIDTH, channels=12)
    with pytest.raises(ConfigError, match=r"side.*7, 14.*100"):
        VectorDecoder(WIDTH, side=100)
    with pytest.raises(ShapeError, match=r"levels.*\(6,\).*\(6, 5\)"):
        SpatialDecoder(WIDTH, skips=(6,))(given)
    with pytest.raises(ShapeError, match=r"grid None.*vector decoder"):
        SpatialDecoder(WIDTH, skips=SKIPS)(replace(given, image=replace(given.image, grid=None)))
    with pytest.raises(ShapeError, match=r"width 8, got 16"):
        VectorDecoder(8, channels=16)(given)
