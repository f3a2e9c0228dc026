"""A run in use: it computes on its device at the run's precision, and what it answers is in main memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.config import Recipe, TrainSettings
from plait.core.errors import ConfigError, InputError, MissingVerbError
from plait.nn.precision import Precision
from plait.trained import Model, Run
from tests.toys import toy_collection
from tests.train.toys import toy_learner

Open = Callable[..., Model]


@pytest.fixture
def opened(precision: Precision) -> Open:
    """Open a run of toys at the test's precision."""

    def make(fusion: str = "cross", *, device: str | None = None) -> Model:
        recipe = replace(Recipe(), train=TrainSettings(precision=precision))
        return Model(Run(Path("toys"), {}, recipe, toy_learner(fusion).eval()), device)

    return make


def image(number: int = 0) -> np.ndarray:
    found = toy_collection().photos[number].source
    assert isinstance(found, np.ndarray)
    return found


def test_tokens_have_the_runs_precision(opened: Open, precision: Precision) -> None:
    model = opened("late")
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    texts = model.text_tokens(["red left of green", "blue"])
    assert texts.values.dtype == dtype
    assert texts.valid.sum(1).tolist() == [4, 1]
    assert model.image_tokens([image(0), image(1)]).values.dtype == dtype
    assert not texts.values.requires_grad


def test_attention_is_computed_at_the_runs_precision_and_given_in_float32(opened: Open, precision: Precision) -> None:
    model = opened()
    found = model.attention(image(), "red left of green")
    assert found.pieces == ["red", "left", "of", "green"]
    assert found.grid == (2, 2)
    assert found.maps
    fusion = model.run.learner.model.fusion
    words, regions = model.text_tokens(["red left of green"]), model.image_tokens([image()])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        wanted = fusion(words, regions, maps=True).maps
    for one, other in zip(found.maps, wanted, strict=True):
        assert one.weights.dtype == torch.float32
        assert torch.equal(one.weights, other.weights.float())
        torch.testing.assert_close(one.weights.sum(-1), torch.ones(one.weights.shape[:-1]), atol=1e-2, rtol=0)


def test_a_fusion_without_attention_has_no_maps(opened: Open) -> None:
    assert opened("late").attention(image(), "red").maps == ()


def test_the_learner_moves_to_the_device_that_was_requested(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(device="cpu").device == torch.device("cpu")
    monkeypatch.setattr("plait.trained.resolve_device", lambda requested: torch.device("meta"))
    monkeypatch.setattr("plait.trained.autocast_context", lambda *_: nullcontext())  # there is none for "meta"
    moved = opened("late", device="cuda")
    assert {tensor.device.type for tensor in moved.run.learner.state_dict().values()} == {"meta"}
    assert moved.text_tokens(["red left of green"]).values.device.type == "meta"
    assert moved.image_tokens([image()]).values.device.type == "meta"


def test_a_device_that_is_not_there_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.nn.devices.present_devices", lambda: ("cpu",))
    with pytest.raises(ConfigError, match="'cuda'"):
        opened(device="cuda")


def test_nothing_and_empty_texts_are_refused(opened: Open) -> None:
    model = opened("late")
    with pytest.raises(InputError, match="at least one"):
        model.image_tokens([])
    with pytest.raises(InputError, match="at least one"):
        model.text_tokens([])
    with pytest.raises(InputError, match="2 of 2 is empty"):
        model.text_tokens(["red", "  "])


def test_a_verb_of_another_task_is_named_with_what_there_is(opened: Open) -> None:
    with pytest.raises(MissingVerbError, match=r"no 'caption'.*attention"):
        opened("late").caption
    assert not hasattr(opened("late"), "caption")
