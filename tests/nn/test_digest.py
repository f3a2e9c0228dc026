"""A digest names weights by their content."""

from __future__ import annotations

import torch
from torch import nn

from plait.nn.digest import weights_digest


def test_equal_weights_have_one_digest_and_any_change_another() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    before = weights_digest(one)
    assert weights_digest(other) == before
    with torch.no_grad():
        other.weight[1, 2] += 1e-6
    assert weights_digest(other) != before
    other.load_state_dict(one.state_dict())
    assert weights_digest(other.bfloat16()) != before, "the type counts"


def test_a_name_counts_as_well_as_the_values() -> None:
    one = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False)})
    other = nn.ModuleDict({"b": one["a"]})
    assert weights_digest(one) != weights_digest(other)
