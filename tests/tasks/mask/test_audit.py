"""The audit of masks: a model that reads both sides is sound, one that ignores the text is flagged."""

from __future__ import annotations

import json

import pytest
import torch

from plait.audit.ablation import ABLATIONS
from plait.audit.record import in_short
from plait.cli.show import audit as shown
from plait.nn.precision import Precision
from plait.tasks.mask.audit import audit_masks
from plait.tasks.mask.work import WORK
from tests.tasks.mask.conftest import Trained
from tests.tasks.mask.toys import MaskFeed, mask_learner, mask_recipe

both_precisions = pytest.mark.parametrize("precision", ["fp32", "bf16"])


def test_a_trained_model_needs_both_sides(trained: Trained) -> None:
    state = torch.random.get_rng_state()
    found = audit_masks(trained.learner, trained.feed, mask_recipe(trained.precision), split="val")  # type: ignore[arg-type]
    assert torch.equal(torch.random.get_rng_state(), state)
    data = found.data
    assert data is not None
    assert (data.split, data.images, data.bound, data.ignored) == ("val", 32, None, ())
    assert data.whole["miou"] == pytest.approx(trained.found.metrics["miou"], abs=5)
    assert set(data.ablations) == set(ABLATIONS)
    for kind in ABLATIONS:
        assert data.ablations[kind]["miou"] < data.whole["miou"] - 20, kind
        assert data.falls is not None
        assert data.falls[kind]["difference"] == pytest.approx(data.whole["miou"] - data.ablations[kind]["miou"])
        assert data.falls[kind]["low"] > 0
    assert data.baselines == {"all foreground": {"miou": 50.0}, "all background": {"miou": 0.0}}
    assert set(found.influence) == {"mask", "presence"}
    assert min(found.influence["mask"].values()) > 0.3
    assert "ignores the text" not in found.flags
    assert not found.is_leaky
    # The keys' biases cancel in a softmax; everything else is trained.
    assert all(".bias" in name for name in found.dead_parameters)
    assert found.verdict.startswith("Sound: text and image decide what it gives")
    assert "text shuffled by" in found.verdict
    plain = found.to_json()
    json.dumps(plain)
    assert "noise_accuracy" not in plain
    assert "noise_accuracy" not in in_short(plain)
    lines = shown(plain)
    assert "pairs found in noise" not in lines
    assert "32 photos of val\n" in lines
    assert "mIoU %" in lines


@both_precisions
def test_a_model_that_ignores_the_text_is_flagged(precision: Precision) -> None:
    learner = mask_learner()
    feed = MaskFeed(learner)
    with torch.no_grad():
        learner.model.text.adapter.map.weight.zero_()  # type: ignore[union-attr, operator]
    arguments = (None, learner, feed, mask_recipe(precision))
    found = WORK.audit_split(*arguments, split="val", thorough=True)  # type: ignore[arg-type]
    assert found is not None
    assert "ignores the text" in found.flags
    assert "It ignores the text: everything it gives comes from the image alone" in found.verdict
    assert found.influence["mask"]["text"] < 1e-3


def test_a_figure_that_does_not_fall_is_said_to_be_the_reason() -> None:
    learner = mask_learner()  # untrained: masks move with the text, but no better with their own than with another
    found = audit_masks(learner, MaskFeed(learner), mask_recipe(), split="val")  # type: ignore[arg-type]
    assert found.influence["mask"]["text"] > 1e-3
    assert "ignores the text" in found.flags
    assert "It ignores the text as far as its figure tells" in found.verdict


def test_an_image_that_decides_nothing_is_flagged() -> None:
    learner = mask_learner(absent=0.0)
    with torch.no_grad():
        for name, weight in learner.model.head.named_parameters():
            if name == "last.weight":
                weight.zero_()  # every mask is the same
    found = audit_masks(learner, MaskFeed(learner), mask_recipe(), split="val")  # type: ignore[arg-type]
    assert {"ignores the text", "ignores the image"} <= set(found.flags)
    assert "collapsed" in found.verdict
    assert set(found.influence) == {"mask"}
    assert found.data is not None
    assert found.data.ignored == ("text", "image")
