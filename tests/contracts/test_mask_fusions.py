"""What every fusion owes to a mask: cells that stay in place, and a mask that the text decides."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from plait.core.tables import load_entry
from plait.core.types import Fused, Level, MaskTarget, Tokens
from plait.fusion import FUSIONS
from plait.fusion.base.pairs import PairFusion
from plait.heads.mask import SpatialDecoder, VectorDecoder
from plait.nn.pooling import single_token
from plait.objectives.mask import MaskLoss

WIDTH, ROWS, WORDS, GRID, SKIP = 16, 3, 5, (2, 3), 6
CELLS = GRID[0] * GRID[1]

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "film": [{"layers": 0}, {"layers": 2, "positions": False}],
    "pixel_word": [{"self_attention": False}, {"layers": 2, "heads": 4}],
    "self_cross": [{"heads": 2}],
    "correlation": [{"rank": 3}],
    "grid_product": [{"self_attention": True}],
    "clip_dense": [{"layers": 0}],
    "cross": [{"direction": "i2t"}],
}
NAMES = [name for name, entry in FUSIONS.items() if "mask" in entry.tasks]
CASES = [(name, options) for name in NAMES for options in ({}, *VARIANTS.get(name, []))]
IDS = [name + "".join(f"-{key}={value}" for key, value in options.items()) for name, options in CASES]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)

# One vector comes out of it: it is read by the vector decoder, and keeps no grid.
WITHOUT_GRID = {"self_cross_printed"}
# The image side of these does not read the text when each side is one token, so no mask can depend on it: published so,
# and stated in their docstrings. "ignores the text" is what an evaluation must find.
DEAF_WITH_ONE_TOKEN = {"self_cross_printed"}
# The control: it reads no text by design.
DEAF = {"image_only"}
# Parameters that only the fused text depends on, which no decoder reads.
TEXT_SIDE = {"cross": ("text_norm", "t2i.1"), "ladder/v10_2": ("text_gate",)}
# Read the sentence's own summary, not its words.
READS_POOLED = {"clip_dense"}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make(name: str, options: dict[str, Any]) -> tuple[PairFusion, nn.Module]:
    """Make a fusion with the decoder that reads it, in eval mode."""
    torch.manual_seed(0)
    entry = FUSIONS[name]
    fusion = load_entry(entry)(WIDTH, **{**(entry.options or {}), **options})
    decoder = VectorDecoder(WIDTH, channels=8) if name in WITHOUT_GRID else SpatialDecoder(WIDTH, skips=(SKIP,))
    return fusion.eval(), decoder.eval()


def sides(rows: int = ROWS, seed: int = 1) -> tuple[Tokens, Tokens]:
    """Give random text tokens, some of them padding, and image tokens on a grid with one finer level."""
    generator = torch.Generator().manual_seed(seed)
    valid = torch.ones(rows, WORDS).bool()
    for row in range(rows):
        valid[row, WORDS - row % 3 :] = False
    words = torch.randn(rows, WORDS, WIDTH, generator=generator)
    level = Level(torch.randn(rows, 4 * CELLS, SKIP, generator=generator), (2 * GRID[0], 2 * GRID[1]))
    cells = torch.randn(rows, CELLS, WIDTH, generator=generator)
    pooled = torch.randn(2, rows, WIDTH, generator=generator)
    return (
        Tokens(words, valid, pooled=pooled[0]),
        Tokens(cells, torch.ones(rows, CELLS).bool(), GRID, pooled=pooled[1], levels=(level,)),
    )


def mask_of(fusion: nn.Module, decoder: nn.Module, text: Tokens, image: Tokens) -> Tensor:
    values: Tensor = decoder(fusion(text, image), image.levels).values
    return values


def test_there_are_the_fusions_of_the_literature() -> None:
    wanted = {"film", "pixel_word", "self_cross", "self_cross_printed", "correlation", "grid_product", "clip_dense"}
    assert wanted <= set(NAMES)


@every_case
def test_the_grid_is_kept(name: str, options: dict[str, Any]) -> None:
    fusion, decoder = make(name, options)
    text, image = sides()
    fused = fusion(text, image)
    assert isinstance(fused, Fused)
    if name in WITHOUT_GRID:
        assert fused.image.values.shape == (ROWS, 1, WIDTH)
    else:
        assert fused.image.grid == GRID
        assert fused.image.values.shape == (ROWS, CELLS, WIDTH)
        assert torch.equal(fused.image.valid, image.valid)
    assert fused.image.pooled is None
    values = mask_of(fusion, decoder, text, image)
    assert values.ndim == 3
    assert len(values) == ROWS
    assert torch.isfinite(values).all()


@every_case
def test_gradients_are_finite_and_reach_every_parameter(name: str, options: dict[str, Any]) -> None:
    fusion, decoder = make(name, options)
    text, image = sides()
    words = text.pooled if name in READS_POOLED else text.values
    for leaf in (words, image.values):
        leaf.requires_grad_()
    size = mask_of(fusion, decoder, text, image).shape[1:]
    truth = torch.zeros(ROWS, *size)
    truth[:, : size[0] // 2, : size[1] // 3] = 1.0
    logits = decoder(fusion(text, image), image.levels)
    MaskLoss(overlap="dice")(logits, MaskTarget(truth, truth >= 0)).total.backward()
    for key, parameter in [*fusion.named_parameters(), *decoder.named_parameters(prefix="decoder")]:
        if key.startswith(TEXT_SIDE.get(name, ("-",))):
            continue
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0, f"{key} never learns"
    assert (words.grad is None) == (name in DEAF)
    for leaf in (image.values,) if name in DEAF else (words, image.values):
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().max() > 0


@every_case
def test_padding_of_the_text_changes_nothing(name: str, options: dict[str, Any]) -> None:
    fusion, decoder = make(name, options)
    text, image = sides()
    before = mask_of(fusion, decoder, text, image)
    values = torch.cat([text.values, 100 * torch.randn(ROWS, 3, WIDTH)], 1)
    valid = torch.cat([text.valid, torch.zeros(ROWS, 3).bool()], 1)
    longer = replace(text, values=values.masked_fill(~valid[..., None], 50.0), valid=valid)
    torch.testing.assert_close(mask_of(fusion, decoder, longer, image), before, atol=1e-5, rtol=1e-4)


@every_case
def test_what_lies_in_padded_cells_changes_no_other_cell(name: str, options: dict[str, Any]) -> None:
    fusion, _ = make(name, options)
    text, image = sides()
    image.valid[:, -1] = False
    before = fusion(text, image).image.values
    image.values[:, -1] = 50.0
    after = fusion(text, image).image.values
    kept = slice(None) if name in WITHOUT_GRID else slice(0, -1)
    torch.testing.assert_close(after[:, kept], before[:, kept], atol=1e-5, rtol=1e-4)


@every_case
def test_the_text_decides(name: str, options: dict[str, Any]) -> None:
    """Another sentence gives another mask, and not the same one shifted: places change their order."""
    fusion, decoder = make(name, options)
    text, image = sides()
    other = text.take(torch.tensor([1, 2, 0]))
    first, second = mask_of(fusion, decoder, text, image), mask_of(fusion, decoder, other, image)
    change = first - second
    if name in DEAF:
        assert torch.equal(first, second)
        return
    assert change.abs().mean() > 1e-4
    assert (change - change.mean((1, 2), keepdim=True)).abs().mean() > 1e-5


@every_case
def test_words_in_another_order_are_the_same_words(name: str, options: dict[str, Any]) -> None:
    """Order is the text encoder's business: a fusion that reads places of words would count it twice."""
    fusion, decoder = make(name, options)
    text, image = sides()
    text.valid[:] = True
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = replace(text, values=text.values[:, order])
    before = mask_of(fusion, decoder, text, image)
    torch.testing.assert_close(mask_of(fusion, decoder, moved, image), before, atol=1e-5, rtol=1e-4)


@every_case
def test_chosen_rows_meet_as_aligned_ones_do(name: str, options: dict[str, Any]) -> None:
    """Several sentences of one photo: it is prepared once, and each pair is fused as if it stood alone."""
    fusion, decoder = make(name, options)
    text, image = sides()
    rows, photo = torch.tensor([0, 1, 2, 1]), torch.tensor([2, 0, 0, 1])
    met = fusion.meet(*fusion.prepare(text, image), text_row=rows, image_row=photo)
    expected = mask_of(fusion, decoder, text.take(rows), image.take(photo))
    got = decoder(met, image.take(photo).levels).values
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


@every_case
def test_one_token_a_side_reads_the_text_unless_stated(name: str, options: dict[str, Any]) -> None:
    """The pooled baseline: attention has a single key, and the text should still decide the vector."""
    fusion, _ = make(name, options)
    text, image = (single_token(side) for side in sides())
    first = fusion(text, image).image
    second = fusion(text.take(torch.tensor([1, 2, 0])), image).image
    moved = float((first.values - second.values).abs().max().detach())
    assert first.values.shape == (ROWS, 1, WIDTH)
    assert (moved == 0.0) if name in DEAF_WITH_ONE_TOKEN | DEAF else (moved > 1e-3)


@every_case
def test_a_text_without_words_gives_a_finite_mask_and_gradient(name: str, options: dict[str, Any]) -> None:
    fusion, decoder = make(name, options)
    text, image = sides()
    text.valid[0] = False
    text.values.requires_grad_()
    values = mask_of(fusion, decoder, text, image)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert text.values.grad is None or torch.isfinite(text.values.grad).all()
