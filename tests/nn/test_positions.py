"""Positions: hand-worked sinusoids."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ConfigError
from plait.nn.positions import sinusoid_1d, sinusoid_2d
from tests.nn.close import assert_close


def test_sinusoids_by_hand() -> None:
    # Width 4: rates 1 and 1 / 100; sines in columns 0 and 1, cosines in 2 and 3.
    wanted = [[0.0, 0.0, 1.0, 1.0], [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)]]
    assert_close(sinusoid_1d(2, 4), torch.tensor(wanted))


def test_grid_positions_tell_row_then_column() -> None:
    table = sinusoid_2d((2, 3), 8)
    assert table.shape == (6, 8)
    assert_close(table[5], torch.cat([sinusoid_1d(2, 4)[1], sinusoid_1d(3, 4)[2]]))
    assert len(table.unique(dim=0)) == 6


@pytest.mark.parametrize("width", [0, 3])
def test_odd_widths_are_refused(width: int) -> None:
    with pytest.raises(ConfigError, match=f"positions in a sequence need an even width, got {width}"):
        sinusoid_1d(3, width)


def test_grid_widths_are_multiples_of_four() -> None:
    with pytest.raises(ConfigError, match="a multiple of 4, got 6; use 8"):
        sinusoid_2d((2, 2), 6)
