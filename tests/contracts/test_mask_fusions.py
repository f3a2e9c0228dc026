"""What every fusion of masks must do: cells keep their places, and the mask depends on the text."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from plait.core.types import Fused, MaskTarget, Tokens
from plait.fusion import FUSIONS
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.pairs import fuse_in_chunks, fuse_pairs
from plait.heads.base import MaskHead
from plait.nn.pooling import single_token
from plait.objectives.mask import MaskLoss
from tests.contracts import fusions
from tests.contracts.fusions import GRID, ROWS, WIDTH, Case, cases, label, make, mask_head
from tests.contracts.placement import NoImplicitDevice
from tests.contracts.precisions import Tolerance

CELLS = GRID[0] * GRID[1]
CASES = cases("mask")
every_case = pytest.mark.parametrize("case", CASES, ids=label)


def both(case: Case) -> tuple[Fusion, MaskHead]:
    """Make a fusion with the decoder that reads it."""
    return make(case), mask_head(case[0])


def sides() -> tuple[Tokens, Tokens]:
    """Give random text tokens, some of them padding, and image tokens on a grid without padding."""
    text, image = fusions.sides()
    image.valid[:] = True
    return text, image


def mask_of(fusion: Fusion, decoder: MaskHead, text: Tokens, image: Tokens) -> Tensor:
    """Give the mask's logits (B, h, w)."""
    values: Tensor = decoder(fusion(text, image)).values
    return values


def gives_a_vector(case: Case) -> bool:
    """Whether one vector comes out on the image side, which keeps no grid."""
    return FUSIONS[case[0]].gives == "vector"


def test_there_are_the_fusions_of_the_literature() -> None:
    wanted = {"film", "pixel_word", "self_cross", "self_cross_printed", "correlation", "grid_product", "clip_dense"}
    assert wanted <= {name for name, _ in CASES}


@every_case
def test_the_grid_and_the_finer_levels_are_kept(case: Case, near: Tolerance) -> None:
    fusion, decoder = both(case)
    text, image = sides()
    fused = fusion(text, image)
    assert isinstance(fused, Fused)
    if gives_a_vector(case):
        assert fused.image.values.shape == (ROWS, 1, WIDTH)
    else:
        assert fused.image.grid == GRID
        assert fused.image.values.shape == (ROWS, CELLS, WIDTH)
        assert torch.equal(fused.image.valid, image.valid)
        assert [level.grid for level in fused.image.levels] == [level.grid for level in image.levels]
        assert torch.equal(decoder(fused).values, decoder(fused, image.levels).values)
    assert fused.image.pooled is None
    values = mask_of(fusion, decoder, text, image)
    assert values.ndim == 3
    assert len(values) == ROWS
    assert torch.isfinite(values).all()


@every_case
def test_gradients_are_finite_and_reach_every_parameter(case: Case, near: Tolerance) -> None:
    """A parameter learns from the mask, or serves the fused text, which no decoder reads."""
    fusion, decoder = both(case)
    text, image = sides()
    assert text.pooled is not None
    for leaf in (text.values, text.pooled, image.values):
        leaf.requires_grad_()
    fused = fusion(text, image)
    logits = decoder(fused)
    truth = torch.zeros_like(logits.values, dtype=torch.float32)
    truth[:, : truth.shape[1] // 2, : truth.shape[2] // 3] = 1.0
    MaskLoss(overlap="dice")(logits, MaskTarget(truth, truth >= 0)).total.backward(retain_graph=True)
    unused = []
    for key, parameter in [*fusion.named_parameters(), *decoder.named_parameters(prefix="decoder")]:
        if parameter.grad is None or not parameter.grad.any():
            unused.append((key, parameter))
        else:
            assert torch.isfinite(parameter.grad).all(), key
    reached = [leaf.grad is not None and bool(leaf.grad.any()) for leaf in (text.values, text.pooled, image.values)]
    assert any(reached[:2]) == fusion.image_reads_text
    assert reached[2]
    assert all(leaf.grad is None or torch.isfinite(leaf.grad).all() for leaf in (text.values, text.pooled))
    if unused:
        (fused.text.values * torch.randn_like(fused.text.values)).sum().backward()
    for key, parameter in unused:
        assert parameter.grad is not None, key
        assert parameter.grad.any(), f"{key} never learns"


@every_case
def test_padding_of_the_text_changes_nothing(case: Case, near: Tolerance) -> None:
    fusion, decoder = both(case)
    text, image = sides()
    values = torch.cat([text.values, 100 * torch.randn(ROWS, 3, WIDTH)], 1)
    valid = torch.cat([text.valid, torch.zeros(ROWS, 3).bool()], 1)
    longer = replace(text, values=values.masked_fill(~valid[..., None], 50.0), valid=valid)
    near.check(mask_of(fusion, decoder, longer, image), mask_of(fusion, decoder, text, image), relative=1e-4)


@every_case
def test_what_lies_in_padded_cells_changes_no_other_cell(case: Case, near: Tolerance) -> None:
    fusion, _ = both(case)
    text, image = sides()
    image.valid[:, -1] = False
    before = fusion(text, image).image.values
    image.values[:, -1] = 50.0
    after = fusion(text, image).image.values
    kept = slice(None) if gives_a_vector(case) else slice(0, -1)
    near.check(after[:, kept], before[:, kept], relative=1e-4)


@every_case
def test_the_mask_depends_on_the_text_unless_declared(case: Case, near: Tolerance) -> None:
    """Another sentence gives another mask, and not the same one shifted: places change their order."""
    fusion, decoder = both(case)
    text, image = sides()
    other = text.take(torch.tensor([1, 2, 3, 0]))
    first, second = mask_of(fusion, decoder, text, image), mask_of(fusion, decoder, other, image)
    change = (first - second).float()
    if not fusion.image_reads_text:
        assert torch.equal(first, second)
        return
    assert change.abs().mean() > 1e-4
    assert (change - change.mean((1, 2), keepdim=True)).abs().mean() > 1e-5


@every_case
def test_words_in_another_order_are_the_same_words(case: Case, near: Tolerance) -> None:
    """Order is the text encoder's business: a fusion that reads places of words would count it twice."""
    fusion, decoder = both(case)
    text, image = sides()
    text.valid[:] = True
    moved = replace(text, values=text.values[:, torch.tensor([3, 0, 4, 1, 2])])
    near.check(mask_of(fusion, decoder, moved, image), mask_of(fusion, decoder, text, image), relative=1e-4)


@every_case
def test_chosen_rows_meet_as_aligned_ones_do(case: Case, near: Tolerance) -> None:
    """Several sentences of one image: it is prepared once, and each pair is fused as if it stood alone."""
    fusion, decoder = both(case)
    text, image = sides()
    text_row, image_row = torch.tensor([0, 1, 2, 1]), torch.tensor([2, 0, 0, 1])
    expected = mask_of(fusion, decoder, text.take(text_row), image.take(image_row))
    found = fuse_pairs(fusion, text, image, text_row=text_row, image_row=image_row)
    near.check(decoder(found).values, expected, relative=1e-4)
    for chunk, fused in fuse_in_chunks(fusion, text, image, text_row=text_row, image_row=image_row):
        near.check(decoder(fused).values, expected[chunk], relative=1e-4)


@every_case
def test_one_token_per_side_reads_the_text_unless_declared(case: Case, near: Tolerance) -> None:
    """The pooled baseline: attention has a single key, and the text should still change the image side."""
    fusion, _ = both(case)
    text, image = (single_token(side) for side in sides())
    first = fusion(text, image).image
    second = fusion(text.take(torch.tensor([1, 2, 3, 0])), image).image
    change = float((first.values - second.values).abs().max().detach())
    assert first.values.shape == (ROWS, 1, WIDTH)
    is_read = fusion.image_reads_text and fusion.unread_with_one_token != "text"
    assert change > 1e-3 if is_read else change == 0.0


@every_case
def test_a_text_without_words_gives_a_finite_mask_and_gradient(case: Case, near: Tolerance) -> None:
    fusion, decoder = both(case)
    text, image = sides()
    text.valid[0] = False
    text.values.requires_grad_()
    values = mask_of(fusion, decoder, text, image)
    values.sum().backward()
    assert torch.isfinite(values).all()
    assert text.values.grad is None or torch.isfinite(text.values.grad).all()


@every_case
def test_no_tensor_is_made_on_an_unnamed_device(case: Case, near: Tolerance) -> None:
    fusion, decoder = both(case)
    fusion.train()
    text, image = sides()
    text.values.requires_grad_()
    rows = {"text_row": torch.tensor([0, 1, 2, 1]), "image_row": torch.tensor([2, 0, 0, 1])}
    with NoImplicitDevice():
        total = decoder(fusion(text, image, maps=True)).values.sum()
        total = total + decoder(fuse_pairs(fusion, text, image, maps=True, **rows)).values.sum()
        for _, fused in fuse_in_chunks(fusion, text, image, **rows):
            total = total + decoder(fused).values.sum()
        total.backward()


@every_case
def test_bfloat16_products_stay_near_float32(case: Case) -> None:
    fusion, decoder = both(case)
    text, image = sides()
    expected = mask_of(fusion, decoder, text, image)
    with torch.autocast("cpu", torch.bfloat16):
        found = mask_of(fusion, decoder, text, image).float()
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0)
