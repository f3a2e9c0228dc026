"""Dead parameters and single keys."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from plait.audit.dead import dead_parameters
from plait.audit.single_key import has_single_key
from plait.core.types import Tokens
from plait.objectives.contrastive import InfoNCE
from tests.audit.toys import WIDTH, Apart, Idle, TextOnly, Toy, noise

Pairs = tuple[Tokens, Tokens]
BATCHES = [noise(seed=n) for n in range(2)]


def dead(model: Toy) -> tuple[str, ...]:
    objective = InfoNCE()

    def loss(batch: Pairs) -> Tensor:
        total: Tensor = objective(model.matched(*batch), torch.arange(12)).total
        return total

    return dead_parameters([*model.named_parameters(), *objective.named_parameters(prefix="objective")], loss, BATCHES)


def test_names_what_no_batch_reaches() -> None:
    assert dead(Apart()) == ()
    assert dead(TextOnly()) == ("image_map.weight", "image_map.bias")
    assert dead(Idle()) == (f"packed[{WIDTH}:{2 * WIDTH}]", "idle", "text_map.weight", "text_map.bias")


def test_frozen_parameters_are_not_dead() -> None:
    model = TextOnly()
    model.image_map.requires_grad_(False)
    assert dead(model) == ()
    assert dead_parameters([], lambda batch: torch.zeros(()), BATCHES) == ()


def test_no_gradient_and_no_random_state_is_left_behind() -> None:
    model = Apart()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    dead_parameters(model.named_parameters(), lambda batch: model.matched(*batch).sum() * torch.rand(()), BATCHES)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_one_token_per_side_is_a_single_key() -> None:
    model = Apart()
    assert not has_single_key(model.fuse, *noise(count=3))
    assert has_single_key(model.fuse, *noise(count=1))
    text, image = noise(count=3)
    one = torch.zeros_like(image.valid)
    one[:, 0] = True
    assert has_single_key(model.fuse, text, replace(image, valid=one))  # three keys, two of them padding
