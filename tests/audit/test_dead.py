"""Dead parameters and single keys."""

from __future__ import annotations

from dataclasses import replace

import torch

from plait.audit.by_name import audit_fusion
from plait.audit.dead import dead_parameters
from plait.audit.single_key import has_single_key
from plait.core.config import FusionSettings
from plait.objectives.contrastive import InfoNCE
from tests.audit.toys import WIDTH, Idle, TextOnly, Towers, model_of, noise


def batches() -> list[tuple]:  # type: ignore[type-arg]
    return [(*noise(seed=n), torch.arange(12)) for n in range(2)]


def test_names_what_no_batch_reaches() -> None:
    objective = InfoNCE()
    assert dead_parameters(model_of(Towers()), objective, batches()) == ()
    assert dead_parameters(model_of(TextOnly()), objective, batches()) == (
        "fusion.image_map.weight",
        "fusion.image_map.bias",
    )
    found = dead_parameters(model_of(Idle()), objective, batches())
    assert found == (
        f"fusion.packed[{WIDTH}:{2 * WIDTH}]",
        "fusion.idle",
        "fusion.text_map.weight",
        "fusion.text_map.bias",
    )


def test_no_gradient_is_left_behind() -> None:
    model = model_of(Towers())
    dead_parameters(model, InfoNCE(), batches())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_one_token_a_side_is_a_single_key() -> None:
    model = model_of(Towers())
    assert not has_single_key(model, *noise(count=3))
    assert has_single_key(model, *noise(count=1))
    text, image = noise(count=3)
    lone = torch.zeros_like(image.valid)
    lone[:, 0] = True
    assert has_single_key(model, text, replace(image, valid=lone))  # three keys, two of them padding


def test_queries_and_keys_of_a_pooled_fusion_are_dead() -> None:
    pooled = audit_fusion(FusionSettings(name="cross", tokens="pooled"), seeds=1, batch=8)
    assert pooled.single_key
    assert any(name.endswith("attention.query.weight") for name in pooled.dead_parameters)
    whole = audit_fusion(FusionSettings(name="cross"), seeds=1, batch=8)
    assert not whole.single_key
    assert not any("weight" in name for name in whole.dead_parameters)
    assert whole.verdict.startswith("Sound: noise is matched at ")
    assert whole.dead_parameters, "the biases of keys"
    assert whole.verdict.endswith("and every weight learns, but for biases that a softmax cancels.")
