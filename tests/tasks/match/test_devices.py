"""Matching makes no tensor without saying on which device: losses, scores, evaluation, audits after a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from plait.core.config import TrainSettings
from plait.tasks.match.audit import audit_recipe, audit_split
from plait.tasks.match.evaluate import evaluate_split
from tests.contracts.placement import NoImplicitDevice
from tests.tasks.match.toys import ToyFeed, noise, recipe, toy_learner
from tests.toys import toy_collection

WAYS = (("late", ""), ("scan_t2i", ""), ("cross", "itm"), ("cross", "all"), ("cross", "matched"))


class EncodedFeed(ToyFeed):
    """A feed that encoded everything before: what happens then is matching's own."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.words = super().encode_texts(range(len(self.texts)))
        self.regions = super().encode_images(range(len(self.collection.photos)))

    def encode_texts(self, rows: Any) -> Any:
        return self.words.take(torch.as_tensor(np.asarray(rows), device=self.words.values.device))

    def encode_images(self, images: Any) -> Any:
        return self.regions.take(torch.as_tensor(np.asarray(images), device=self.regions.values.device))


@pytest.mark.parametrize(("fusion", "way"), WAYS)
def test_losses_and_scores(fusion: str, way: str) -> None:
    pairing = toy_learner(fusion, pairing=way).pairing
    text, image = noise(12, 5, 0), noise(6, 4, 1, grid=(2, 2))
    own = torch.arange(12) % 6
    matched = image.take(own)
    with NoImplicitDevice():
        pairing.loss_of(text, image, own, image_row=own).total.backward()
        pairing.split(text, image, own=own)
        pairing.pairs(text, matched)
        pairing.aligned_log_odds(text, matched)
        pairing.choices(text, image.take(slice(0, 1)))


@pytest.mark.parametrize(("fusion", "way"), WAYS)
def test_evaluation_and_audit(fusion: str, way: str) -> None:
    learner = toy_learner(fusion, pairing=way)
    feed: Any = EncodedFeed(toy_collection(), learner)
    given = replace(recipe(name=fusion, pairing=way), train=TrainSettings(precision="fp32"))
    before = audit_recipe(given, seeds=1)
    with NoImplicitDevice():
        evaluate_split(learner, feed, split="val", precision="fp32")
        audit_split(before, learner, feed, given, split="val", thorough=True)
