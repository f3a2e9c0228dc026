"""Checks at room borders: what passes, and what the message says when something does not."""

from __future__ import annotations

import pytest
import torch

from plait.core.checks import check_mask, check_shapes
from plait.core.errors import ShapeError


def test_check_shapes_gives_the_size_of_every_letter() -> None:
    found = check_shapes(("query", torch.zeros(2, 5, 8), "B Q D"), ("valid", torch.ones(2, 5), "B Q"))
    assert found == {"B": 2, "Q": 5, "D": 8}


def test_check_shapes_lets_dots_stand_for_any_dimensions_or_none() -> None:
    heads = ("heads", torch.zeros(2, 4, 6, 5, 8), "B ... Q D")
    flat = ("flat", torch.zeros(2, 5, 8), "B ... Q D")
    assert check_shapes(heads, flat) == {"B": 2, "Q": 5, "D": 8}


def test_check_shapes_names_the_tensor_that_set_the_size() -> None:
    with pytest.raises(
        ShapeError, match=r"valid should have Q = 5 as query has, but its shape is \(2, 4\) for \(B, Q\)"
    ):
        check_shapes(("query", torch.zeros(2, 5, 8), "B Q D"), ("valid", torch.ones(2, 4), "B Q"))


@pytest.mark.parametrize(("shape", "letters"), [((2, 5), "B Q D"), ((2, 5, 8, 1), "B Q D"), ((2, 5), "B ... Q D")])
def test_check_shapes_counts_dimensions(shape: tuple[int, ...], letters: str) -> None:
    with pytest.raises(ShapeError, match=r"query should have dimensions .*check the order of the arguments"):
        check_shapes(("query", torch.zeros(shape), letters))


def test_check_mask_wants_bool() -> None:
    check_mask("valid", torch.ones(2, dtype=torch.bool))
    with pytest.raises(ShapeError, match=r"valid should be a bool mask .* torch.float32; pass mask.bool\(\)"):
        check_mask("valid", torch.ones(2))
