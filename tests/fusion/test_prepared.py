"""Prepared sides: taking rows, leaving out padding and moving are written once, for any named tensors."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from plait.core.types import Level, Tokens
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.fusion.base.rows import rows_of, shared_rows


@dataclass(frozen=True)
class Mixed(Parts):
    """One tensor per token, one per row, and one with further dimensions."""

    values: Tensor
    factor: Tensor
    matrix: Tensor


def side(*, grid: tuple[int, int] | None = None) -> tuple[Tokens, Prepared[Mixed]]:
    """Four rows of six tokens; row r has 6, 2, 3 and 1 real ones."""
    values = torch.arange(4 * 6 * 2.0).view(4, 6, 2)
    valid = torch.arange(6) < torch.tensor([[6], [2], [3], [1]])
    tokens = Tokens(
        values,
        valid,
        grid,
        boxes=torch.rand(4, 6, 4),
        pooled=torch.rand(4, 2),
        levels=(Level(torch.rand(4, 24, 3), (4, 6)),),
    )
    parts = Mixed(values, torch.arange(8.0).view(4, 1, 2), torch.arange(4 * 6 * 6.0).view(4, 6, 3, 2))
    return tokens, prepared(tokens, parts)


def test_parts_lack_values_and_summaries_but_keep_where_tokens_lie() -> None:
    tokens, ready = side(grid=(2, 3))
    given = ready.tokens(tokens.values + 1)
    assert given.pooled is None
    assert given.grid == (2, 3)
    assert torch.equal(given.values, tokens.values + 1)
    assert given.boxes is tokens.boxes
    assert given.levels is tokens.levels


def test_aligned_rows_are_copies_without_padding_that_all_share() -> None:
    tokens, ready = side()
    row = torch.tensor([1, 3, 1])
    taken = ready.with_rows(row).aligned()
    assert taken.row is None
    assert taken.valid.tolist() == [[True, True], [True, False], [True, True]]
    assert torch.equal(taken.parts.values, tokens.values[row, :2])
    assert torch.equal(taken.parts.factor, ready.parts.factor[row])
    assert torch.equal(taken.parts.matrix, ready.parts.matrix[row, :2])
    assert taken.boxes is not None
    assert tokens.boxes is not None
    assert torch.equal(taken.boxes, tokens.boxes[row, :2])
    assert torch.equal(taken.levels[0].values, tokens.levels[0].values[row])


def test_a_grid_keeps_its_padding() -> None:
    _, ready = side(grid=(2, 3))
    assert ready.with_rows(torch.tensor([3])).aligned().valid.shape == (1, 6)


def test_shared_rows_come_once_and_are_renumbered() -> None:
    tokens, ready = side()
    row = torch.tensor([2, 1, 2, 2])
    kept = ready.with_rows(row).shared()
    assert kept.row is not None
    assert kept.row.tolist() == [1, 0, 1, 1]
    assert torch.equal(kept.parts.values, tokens.values[1:3, :3])
    assert torch.equal(kept.aligned().parts.values, ready.with_rows(row).aligned().parts.values)


def test_all_rows_in_use_are_not_copied() -> None:
    _, ready = side()
    kept = ready.with_rows(torch.tensor([3, 2, 1, 0])).shared()
    assert kept.parts is ready.parts
    assert kept.row is not None
    assert kept.row.tolist() == [3, 2, 1, 0]


def test_without_named_rows_nothing_is_taken() -> None:
    _, ready = side()
    assert ready.aligned() is ready
    assert ready.shared() is ready


def test_a_row_without_real_tokens_keeps_one_column() -> None:
    tokens = Tokens(torch.ones(2, 3, 1), torch.zeros(2, 3).bool())
    ready = prepared(tokens, Values(tokens.values)).with_rows(torch.tensor([0]))
    assert ready.aligned().parts.values.shape == (1, 1, 1)


def test_tokens_are_taken_as_prepared_sides_are() -> None:
    tokens, ready = side()
    row = torch.tensor([1, 2, 1])
    assert torch.equal(rows_of(tokens, row).values, ready.with_rows(row).aligned().parts.values)
    kept, renumbered = shared_rows(tokens, row)
    shared = ready.with_rows(row).shared()
    assert torch.equal(kept.values, shared.parts.values)
    assert shared.row is not None
    assert torch.equal(renumbered, shared.row)
    assert rows_of(tokens, None) is tokens


def test_moving_moves_every_tensor() -> None:
    _, ready = side()
    moved = ready.with_rows(torch.tensor([0])).to(torch.device("meta"))
    assert {moved.parts.values.device.type, moved.parts.factor.device.type, moved.parts.matrix.device.type} == {"meta"}
    assert moved.row is not None
    assert moved.boxes is not None
    devices = {moved.valid.device.type, moved.row.device.type, moved.boxes.device.type}
    assert devices | {moved.levels[0].values.device.type} == {"meta"}


def test_gradients_reach_what_was_prepared() -> None:
    values = torch.ones(3, 2, 2, requires_grad=True)
    tokens = Tokens(values, torch.ones(3, 2).bool())
    ready = prepared(tokens, Values(2 * values)).with_rows(torch.tensor([1, 1]))
    ready.aligned().parts.values.sum().backward()
    assert values.grad is not None
    assert values.grad[:, 0, 0].tolist() == [0.0, 4.0, 0.0]


def test_parts_are_frozen() -> None:
    _, ready = side()
    with pytest.raises(AttributeError):
        ready.parts.values = torch.zeros(1)  # type: ignore[misc]
