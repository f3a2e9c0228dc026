"""A trained model on data: ablations, baselines, the metrics' self-test, shared photos, and what is said of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from plait.audit.ablation import ABLATIONS, ablate, recalls
from plait.audit.baselines import baselines
from plait.audit.by_name import audit_fusion, with_data
from plait.audit.metric_self_test import MetricSelfTest, metric_self_test
from plait.audit.on_data import audit_model
from plait.audit.overlap import Overlap, shared_photos
from plait.audit.record import OnData, in_short
from plait.core.config import FusionSettings
from plait.core.types import Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.nn.pairs import cosine_similarities
from plait.objectives.contrastive import InfoNCE
from tests.audit.toys import Sum, TextOnly, Towers, model_of, noise


def alike(text: Tokens, image: Tokens) -> torch.Tensor:
    """An honest score: equal tokens match."""
    return cosine_similarities(text.values.mean(1), image.values.mean(1))


def test_an_honest_score_falls_to_chance() -> None:
    side, _ = noise(rows=20)
    assert recalls(alike(side, side)) == {"t2i_r1": 100.0, "i2t_r1": 100.0}
    found = ablate(alike, side, side)
    assert set(found) == set(ABLATIONS)
    for kind in ("text shuffled", "image shuffled"):
        assert found[kind] == {"t2i_r1": 0.0, "i2t_r1": 0.0}  # every caption finds the photo it came from, a wrong one
    for kind in ("text removed", "image removed"):
        assert found[kind]["t2i_r1"] == pytest.approx(5.0)  # ties: one of twenty


def test_a_leak_survives_every_ablation() -> None:
    text, image = noise(rows=20)
    model = model_of(Sum())
    found = audit_model(model, InfoNCE(), text, image, score=model.score_matched, split="val")
    assert all(value == 100.0 for recall in found.ablations.values() for value in recall.values())
    assert found.is_leaky
    model = model_of(Towers())
    honest = audit_model(model, InfoNCE(), text, image, score=model.score_matched, split="val", kinds=ABLATIONS[:1])
    assert list(honest.ablations) == ["text shuffled"]
    assert not honest.is_leaky


def test_the_model_is_given_back_as_it_was() -> None:
    model = model_of(Towers()).train()
    state = torch.get_rng_state()
    audit_model(model, InfoNCE(), *noise(), score=model.score_matched, split="val")
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_baselines_by_hand() -> None:
    # photo 0 has three captions, photo 1 has one; "a dog" is said twice
    found = baselines(np.array([0, 0, 0, 1]), 2, ["a dog", "a cat", "a dog", "a fox"])
    assert found["chance"] == {"t2i_r1": 50.0, "i2t_r1": 50.0}  # (3/4 + 1/4) / 2
    assert found["constant"] == found["chance"]
    assert found["prior"]["t2i_r1"] == 75.0  # always photo 0
    assert found["prior"]["i2t_r1"] == 50.0  # always "a dog": right for photo 0


def test_metrics_give_a_perfect_model_a_hundred() -> None:
    """The published formula, argmax of a batch's columns against row numbers of the whole set, gives 0.3 here."""
    rows = np.arange(8064)[:96]
    found = metric_self_test(rows, 96)
    assert found.passed
    assert found.perfect["t2i_r1"] == found.perfect["i2t_map"] == 100.0
    assert found.worst["t2i_r1"] == 0.0
    assert metric_self_test(np.array([0, 0, 1, 2, 2]), 4).passed  # photo 3 has no caption
    assert not MetricSelfTest({"t2i_r1": 0.3}, {"t2i_r1": 0.0, "i2t_r1": 0.0}).passed
    logits = np.concatenate([np.eye(24)] * 336)  # as printed: all batches one below the other
    assert (logits.argmax(1) == np.arange(8064)).mean() == pytest.approx(0.003, abs=0.0001)


def pictures() -> Collection:
    random = np.random.default_rng(0)
    base = np.kron(random.integers(0, 255, (8, 9, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    bright = np.clip(base.astype(int) + 3, 0, 255).astype(np.uint8)
    other = np.kron(random.integers(0, 255, (8, 9, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    photos = tuple(Photo(f"p{n}", p) for n, p in enumerate([base, other, base.copy(), bright]))
    captions = tuple(Caption(f"c{n}", f"caption {n}", n) for n in range(4))
    return Collection("pictures", "tests", photos, captions, {"train": (0, 1), "val": (2, 3)})


def test_shared_photos() -> None:
    assert shared_photos(pictures(), "val") == Overlap("train", "val", (("p0", "p2"),), None)
    looked = shared_photos(pictures(), "val", looks=True)
    assert looked.exact == (("p0", "p2"),)
    assert looked.near == (("p0", "p3"),)


def on_data(**changes: Any) -> OnData:
    text, image = noise(rows=20)
    model = model_of(Towers())
    found = audit_model(model, InfoNCE(), text, image, score=lambda t, i: model.score_matched(t, i), split="val")
    return replace(found, **changes)


def test_flags_and_words() -> None:
    by_name = audit_fusion(FusionSettings(name="late"), seeds=2, batch=8)
    assert by_name.flags == ()
    sound = with_data(by_name, on_data())
    assert sound.flags == ()
    shared = with_data(by_name, on_data(overlap=Overlap("train", "val", (("a", "b"),), (("c", "d"),))))
    assert shared.flags == ("shared photos",)
    assert "1 photos of val are in train too, byte for byte" in shared.verdict
    assert "look like one of train" in shared.verdict
    nothing = {"image": 0.0, "text": 1.0}
    ignored = with_data(by_name, on_data(influence=dict.fromkeys(("image_out", "text_out", "score"), nothing)))
    assert ignored.flags == ("ignores the image",)
    assert "It ignores the image: everything it gives comes from the text alone" in ignored.verdict
    collapsed = with_data(by_name, on_data(influence={"score": {"image": 0.0, "text": 0.0}}))
    assert collapsed.flags == ("ignores the text", "ignores the image")
    assert "it collapsed" in collapsed.verdict
    broken = with_data(by_name, on_data(metric=MetricSelfTest({"t2i_r1": 0.3}, {"t2i_r1": 0.0, "i2t_r1": 0.0})))
    assert broken.flags == ("broken metric",)
    leak = with_data(by_name, on_data(ablations={"text shuffled": {"t2i_r1": 99.0, "i2t_r1": 3.0}}))
    assert leak.flags == ("leaky",)
    assert leak.is_leaky
    assert "With text shuffled it still finds 99.0 % of the pairs on val" in leak.verdict


def test_a_matched_pairing_that_ignores_a_side() -> None:
    text, image = noise(rows=20)
    model = model_of(TextOnly())
    data = audit_model(model, InfoNCE(), text, image, score=model.score_matched, split="val")
    audit = with_data(audit_fusion(FusionSettings(name="product", pairing="matched"), seeds=1, batch=8), data)
    assert audit.flags == ("leaky", "ignores the image")


def test_records_are_plain_and_short() -> None:
    audit = with_data(audit_fusion(FusionSettings(name="cross"), seeds=1, batch=8), on_data())
    told = audit.to_json()
    assert json.loads(json.dumps(told)) == told
    assert {"noise_accuracy", "chance", "leaky", "influence", "dead_parameters", "single_key", "verdict"} <= set(told)
    assert set(told["influence"]) == {"image_out", "text_out", "score"}
    assert "baselines" not in told["data"]
    short = in_short(told)
    assert short["dead_parameters"] == len(told["data"]["dead_parameters"])
    assert set(short["ablations"]) == {"whole", *ABLATIONS}
    assert len(json.dumps(short)) < 1500
