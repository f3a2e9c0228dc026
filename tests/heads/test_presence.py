"""The presence head: what it reads, both precisions, padding, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, MaskLogits, Tokens
from plait.heads.presence import PresenceHead
from plait.nn.precision import Precision, autocast_context

WIDTH, GRID = 8, (2, 3)
both_precisions = pytest.mark.parametrize("precision", ["fp32", "bf16"])


def drawn(rows: int = 4, *, grid: tuple[int, int] | None = GRID) -> tuple[Fused, MaskLogits]:
    generator = torch.Generator().manual_seed(0)
    image = Tokens(torch.randn(rows, 6, WIDTH, generator=generator), torch.ones(rows, 6).bool(), grid)
    text = Tokens(torch.randn(rows, 3, WIDTH, generator=generator), torch.ones(rows, 3).bool())
    return Fused(text, image), MaskLogits(torch.randn(rows, 8, 12, generator=generator))


@pytest.fixture
def head() -> PresenceHead:
    torch.manual_seed(0)
    return PresenceHead(WIDTH, hidden=5).eval()


@both_precisions
@pytest.mark.parametrize("grid", [GRID, None])
def test_one_float32_logit_per_pair(head: PresenceHead, precision: Precision, grid: tuple[int, int] | None) -> None:
    fused, logits = drawn(grid=grid)
    with autocast_context(precision):
        found = head(fused, logits)
    assert (found.shape, found.dtype) == ((4,), torch.float32)
    assert torch.allclose(found, head(fused, logits), atol=0.1)
    assert len(set(found.tolist())) == 4


def test_it_reads_the_image_and_the_mask_but_not_the_text(head: PresenceHead) -> None:
    fused, logits = drawn()
    found = head(fused, logits)
    other = replace(fused, text=replace(fused.text, values=fused.text.values + 1))
    assert torch.equal(head(other, logits), found)
    assert not torch.allclose(head(fused, MaskLogits(logits.values + 1)), found)
    moved = replace(fused, image=replace(fused.image, values=fused.image.values.flip(-1)))
    assert not torch.allclose(head(moved, logits), found)


def test_the_place_that_the_mask_marks_counts_most(head: PresenceHead) -> None:
    fused, _ = drawn(1)
    sure = torch.full((1, 4, 6), -30.0)
    sure[0, 0, 0] = 30.0  # in the first of 2 x 3 cells
    values = fused.image.values.clone()
    marked, elsewhere = values.clone(), values.clone()
    swap = torch.tensor([1.0, -1.0] * (WIDTH // 2))
    marked[0, 0] += swap
    elsewhere[0, 5] += swap

    def said(cells: torch.Tensor) -> float:
        return head(replace(fused, image=replace(fused.image, values=cells)), MaskLogits(sure)).item()

    assert abs(said(marked) - said(values)) > 3 * abs(said(elsewhere) - said(values))


def test_padding_has_no_influence_and_shared_rows_are_read_once(head: PresenceHead) -> None:
    fused, logits = drawn(2)
    valid = fused.image.valid.clone()
    valid[:, 4:] = False
    image = replace(fused.image, valid=valid)
    wild = replace(image, values=image.values.masked_fill(~valid[..., None], float("nan")))
    assert torch.allclose(head(Fused(fused.text, wild), logits), head(Fused(fused.text, image), logits))
    row = torch.tensor([1, 0, 1])
    three = MaskLogits(logits.values[row])
    shared = head(Fused(fused.text, fused.image, image_row=row), three)
    assert torch.allclose(shared, head(fused, logits)[row])


def test_refusals(head: PresenceHead) -> None:
    fused, logits = drawn()
    with pytest.raises(ConfigError, match="hidden"):
        PresenceHead(WIDTH, hidden=0)
    with pytest.raises(ShapeError, match="width 9"):
        PresenceHead(9)(fused, logits)
    with pytest.raises(ShapeError, match="a mask for each"):
        head(fused, MaskLogits(logits.values[:3]))
