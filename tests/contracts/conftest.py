"""The precisions that contracts are tested in, whatever this machine's own choice is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plait.nn.precision import autocast_context
from tests.contracts.precisions import BFLOAT16, FLOAT32, Tolerance


@pytest.fixture(params=[FLOAT32, BFLOAT16], ids=["fp32", "bf16"])
def near(request: pytest.FixtureRequest) -> Iterator[Tolerance]:
    """Run the test in float32, and again under bfloat16 autocast, with the tolerance that suits."""
    with autocast_context(request.param.precision):
        yield request.param
