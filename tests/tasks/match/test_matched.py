"""The published, leaky pairing: its matrix, its loss, its scores of a split, and what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from plait.build import bare_sides
from plait.core.errors import ConfigError, ShapeError
from plait.nn.precision import Precision, autocast_context
from plait.tasks.match.learner import MatchLearner, assemble, pairing_of
from plait.tasks.match.pairings.matched import Matched
from plait.tasks.match.score import compare_sides, fused_sides
from tests.tasks.match.toys import ToyFeed, noise, recipe, toy_learner
from tests.toys import WIDTH, toy_collection

PRECISIONS = ("fp32", "bf16")


def matched(name: str = "cross") -> MatchLearner:
    torch.manual_seed(0)
    options = {"layers": 1, "heads": 2} if name == "cross" else {}
    learner = assemble(recipe(name=name, pairing="matched", width=WIDTH, options=options), *bare_sides(WIDTH))
    learner.eval()
    return learner


@torch.no_grad()
def test_the_matrix_compares_pairs_that_have_met() -> None:
    learner = matched()
    text, image = noise(4, 5, 0, grid=(1, 5)), noise(4, 3, 1, grid=(1, 3))
    scores = learner.pairing.fused(text, image)
    fused = learner.model.fuse(text, image)
    for i in range(4):
        for j in range(4):
            expected = F.cosine_similarity(fused.image.values[i].mean(0), fused.text.values[j].mean(0), dim=0)
            torch.testing.assert_close(scores[i, j], expected)
    torch.testing.assert_close(scores.diagonal(), learner.model.read(fused).values)
    torch.testing.assert_close(scores.diagonal(), learner.pairing.pairs(text, image))
    torch.testing.assert_close(learner.pairing.aligned(text, image), scores)
    torch.testing.assert_close(learner.pairing.aligned_log_odds(text, image), scores / 0.07)
    with pytest.raises(ShapeError, match="as many texts as images, got 4 and 3; repeat an image"):
        learner.pairing.fused(text, image.take(slice(0, 3)))


def test_only_fusions_that_list_it() -> None:
    settings = recipe(name="cross", pairing="matched").fusion
    assert pairing_of(settings) == "matched"
    with pytest.raises(ConfigError, match="fusion 'late' cannot be paired 'matched'; it can be: all"):
        pairing_of(recipe(name="late", pairing="matched").fusion)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_loss_is_the_contrast_of_the_matrix(precision: Precision) -> None:
    learner = toy_learner("cross", pairing="matched")
    learner.eval()
    assert isinstance(learner.pairing, Matched)
    batch = ToyFeed(toy_collection(), learner).batch(np.arange(12))
    with autocast_context(precision):
        text, image = learner.model.encode(batch)
        assert batch.image_row is not None
        assert len(image) < len(text)
        matrix = compare_sides(*fused_sides(learner.model, text, image.take(batch.image_row)))
        torch.testing.assert_close(learner.loss(batch).total, learner.pairing.objective(matrix, batch.target).total)


@pytest.mark.parametrize("precision", PRECISIONS)
@torch.no_grad()
def test_an_image_is_scored_as_it_was_fused_with_its_first_caption(precision: Precision) -> None:
    pairing = matched().pairing
    text, image = noise(5, 4, 2, grid=(2, 2)), noise(3, 2, 3, grid=(1, 2))
    own = torch.tensor([2, 0, 2, 0, 2])  # image 1 has no caption
    with autocast_context(precision):
        found = pairing.split(text, image, own=own)
        whole = pairing.fused(text, image.take(own))
        one_by_one = pairing.pairs(text, image.take(own))
    torch.testing.assert_close(found.text_to_image[0], whole[1])
    torch.testing.assert_close(found.text_to_image[2], whole[0])
    assert found.text_to_image[1].tolist() == [0.0] * 5
    # the head and the matrix average the same tokens; at bf16 the fusion's chunks may round differently
    torch.testing.assert_close(one_by_one, whole.diagonal(), atol=1e-5 if precision == "fp32" else 0.01, rtol=0.01)
    assert found.flags == ("leaky",)
    assert found.kind == "cosine of matched pairs"


@torch.no_grad()
def test_choices_of_one_image_are_its_pairs() -> None:
    pairing = matched().pairing
    text, image = noise(3, 4, 2, grid=(2, 2)), noise(1, 2, 3, grid=(1, 2))
    again = image.take(torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(pairing.choices(text, image), pairing.scale * pairing.pairs(text, again))


def test_without_partners_it_scores_nothing() -> None:
    pairing = matched().pairing
    for score in (pairing.split, pairing.full):
        with pytest.raises(ConfigError, match="to match images with texts, train with pairing 'itm' or 'all'"):
            score(noise(3, 2, 0), noise(3, 2, 1))
