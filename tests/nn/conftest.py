"""Every test of this room runs twice: in float32 and under bfloat16 autocast, whatever the machine prefers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plait.nn.precision import Precision, autocast_context


@pytest.fixture(params=["fp32", "bf16"], autouse=True)
def precision(request: pytest.FixtureRequest) -> Iterator[Precision]:
    """Run the test at this precision."""
    with autocast_context(request.param):
        yield request.param
