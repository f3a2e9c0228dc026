"""Influence and partner swaps on toys whose dependences are known."""

from __future__ import annotations

import pytest
import torch

from plait.audit.influence import gradient_influence, swap_influence
from plait.audit.partner import PARTNER_TOLERANCE, partner_influence
from plait.nn.precision import Precision, autocast_context
from tests.audit.toys import Apart, BatchMean, Sum, TextOnly, noise


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_sides_that_never_meet_depend_on_themselves(precision: Precision) -> None:
    model = Apart()
    with autocast_context(precision):
        for found in (swap_influence(model.outputs, *noise()), gradient_influence(model.outputs, *noise())):
            assert found["text_out"]["image"] == 0.0
            assert found["image_out"]["text"] == 0.0
            assert found["text_out"]["text"] > 0.1
            assert found["image_out"]["image"] > 0.1
            assert min(found["score"].values()) > 0.001
        swapped = swap_influence(model.outputs, *noise(rows=400))
    assert swapped["text_out"]["text"] == pytest.approx(1.0, abs=0.05)  # as far as another item's


def test_an_ignored_side_is_zero() -> None:
    model = TextOnly()
    for found in (swap_influence(model.outputs, *noise()), gradient_influence(model.outputs, *noise())):
        assert found["text_out"]["image"] == found["image_out"]["image"] == 0.0
        assert found["image_out"]["text"] > 0.1
    # the same side twice: always 1
    assert swap_influence(model.outputs, *noise())["score"] == {"image": 0.0, "text": 0.0}


def test_gradients_by_hand() -> None:
    """With v = text + image of one token, d(w . v) / d text is w itself."""
    text, image = noise(rows=4, count=1)
    found = gradient_influence(Sum().outputs, text, image)
    weight = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert found["image_out"]["text"] == pytest.approx(float(weight.norm()) / 4, rel=1e-5)


def test_a_partner_moves_a_score_only_if_pairs_are_fused_first() -> None:
    for model in (Apart(), Sum(), TextOnly()):
        assert partner_influence(model.all_pairs, *noise()) == 0.0
    assert partner_influence(Apart().matched, *noise()) == 0.0  # nothing of the partner arrives
    assert partner_influence(Sum().matched, *noise()) > 0.3


def test_a_score_that_depends_on_the_batch_is_found() -> None:
    assert partner_influence(BatchMean().all_pairs, *noise()) > 10 * PARTNER_TOLERANCE
