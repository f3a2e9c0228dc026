"""Tests of this room that compute run in float32 and in bfloat16, whatever the machine prefers."""

from __future__ import annotations

import pytest

from plait.nn.precision import Precision


@pytest.fixture(params=["fp32", "bf16"])
def precision(request: pytest.FixtureRequest) -> Precision:
    """Give the precision to train at."""
    found: Precision = request.param
    return found
