"""Influence and partner swaps on toys whose dependences are known."""

from __future__ import annotations

import pytest
import torch

from plait.audit.influence import gradient_influence, swap_influence
from plait.audit.partner import partner_influence
from tests.audit.toys import Sum, TextOnly, Towers, model_of, noise


def test_towers_depend_on_their_own_side() -> None:
    model = model_of(Towers())
    for found in (swap_influence(model, *noise()), gradient_influence(model, *noise())):
        assert found["text_out"]["image"] == 0.0
        assert found["image_out"]["text"] == 0.0
        assert found["text_out"]["text"] > 0.1
        assert found["image_out"]["image"] > 0.1
        assert min(found["score"].values()) > 0.001
    swapped = swap_influence(model, *noise(rows=400))
    assert swapped["text_out"]["text"] == pytest.approx(1.0, abs=0.05)  # as far as another item's


def test_an_ignored_side_is_zero() -> None:
    model = model_of(TextOnly())
    for found in (swap_influence(model, *noise()), gradient_influence(model, *noise())):
        assert found["text_out"]["image"] == found["image_out"]["image"] == 0.0
        assert found["image_out"]["text"] > 0.1
    assert swap_influence(model, *noise())["score"] == {"image": 0.0, "text": 0.0}  # the same side twice: always 1


def test_gradients_by_hand() -> None:
    """With v = text + image of one token, d(w . v) / d text is w itself."""
    text, image = noise(rows=4, count=1)
    found = gradient_influence(model_of(Sum(), "all"), text, image)
    weight = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert found["image_out"]["text"] == pytest.approx(float(weight.norm()) / 4, rel=1e-5)


def test_a_partner_moves_a_score_only_if_pairs_meet_first() -> None:
    for fusion in (Towers(), Sum(), TextOnly()):
        assert partner_influence(model_of(fusion, "all"), *noise()) == 0.0
    assert partner_influence(model_of(Towers()), *noise()) == 0.0  # nothing of the partner arrives
    assert partner_influence(model_of(Sum()), *noise()) > 0.3


def test_a_batch_that_leaks_into_a_score_is_found() -> None:
    class Batchy(Towers):
        def prepare(self, text, image):  # type: ignore[no-untyped-def]
            from dataclasses import replace

            return replace(text, values=text.values - text.values.mean(0)), image

    assert partner_influence(model_of(Batchy(), "all"), *noise()) > 0.01
