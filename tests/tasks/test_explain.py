"""Explanations of matches, masks and classes: trained toys, and a region that is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.errors import ConfigError, InputError, UnknownNameError
from plait.data.masks.load import load_mask
from plait.explain.blank import keep_cells
from plait.explain.faithfulness import pointing
from plait.explain.methods.gradient import gradient, grids_of_image
from plait.explain.methods.integrated import integrated_gradients
from plait.nn.precision import Precision
from plait.tasks.classify.work import WORK as CLASSIFY
from plait.tasks.mask.work import WORK as MASK
from plait.tasks.match.work import WORK as MATCH
from plait.trained import Model, Run
from tests.tasks.classify.toys import class_feed, class_learner, class_recipe, train_classes
from tests.tasks.mask.toys import MaskFeed, mask_collection, mask_learner, mask_recipe, train_masks
from tests.tasks.match.test_predict import model as match_model
from tests.toys import toy_collection

METHODS = ("occlusion", "gradient", "integrated_gradients")


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def masks(request: pytest.FixtureRequest) -> Model:
    """Train masks of the half of an image that has a colour."""
    precision: Precision = request.param
    learner = mask_learner()
    train_masks(learner, MaskFeed(learner, mask_collection(96)), precision=precision)
    learner.eval()
    return MASK.predictor(Run(Path("run"), {}, mask_recipe(precision), learner))


def test_a_mask_depends_on_the_half_that_it_marks(masks: Model) -> None:
    collection = mask_collection(96)
    hits = []
    for row in collection.captions_of("val")[:16]:
        caption = collection.captions[row]
        found = masks.explain(collection.photos[caption.image].source, caption.text, measure=False)
        assert caption.mask is not None
        half = load_mask(caption.mask, (16, 16)).astype(float).reshape(4, 4, 4, 4).mean((1, 3))
        hits.append(pointing(found.image.ravel(), half)[0])
        assert found.words == tuple(caption.text.split())
    assert np.mean(hits) > 0.75  # chance is half


def test_gradients_reach_the_finer_levels_of_a_mask(masks: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.explain.methods.integrated.STEPS", 512)  # the sum is exact in the limit
    collection = mask_collection(96)
    caption = collection.captions[collection.captions_of("val")[0]]
    subject = masks.subject(collection.photos[caption.image].source, caption.text)
    blank = keep_cells(subject.image, torch.zeros(1, 16, dtype=torch.bool))
    change = float(subject.values(subject.text, subject.image)[0] - subject.values(subject.text, blank)[0])
    assert integrated_gradients(subject).image.sum() == pytest.approx(change, rel=0.05)
    alone = replace(subject, image=replace(subject.image, levels=()))
    assert len(grids_of_image(subject, 1)) == 1 + len(grids_of_image(alone, 1)) == 2
    assert not np.allclose(gradient(subject).image, 0)


def test_blanking_what_matters_lowers_the_mask(masks: Model) -> None:
    collection = mask_collection(96)
    caption = collection.captions[collection.captions_of("val")[0]]
    found = masks.explain(collection.photos[caption.image].source, caption.text)
    assert found.faithful is not None
    assert found.faithful.deletion_gain > 0
    assert found.what == "mean log-odds of the marked region"
    assert found.worth[1] > 0  # of "the" and the colour


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", [*METHODS, "attention", "rollout", "gradient_attention"])
def test_a_match_through_cross_attention(method: str, precision: Precision) -> None:
    photo = toy_collection().photos[0].source
    found = match_model("cross", precision, pairing="all").explain(photo, "red left of blue", method=method)
    assert (found.image.shape, found.maps.shape) == ((2, 2), (4, 2, 2))
    assert found.what == "log-odds of the match"
    assert found.faithful is not None
    expected = match_model("cross", precision, pairing="all").match(photo, "red left of blue").scores[0, 0]
    assert found.value == pytest.approx(float(expected), abs=0.05 if precision == "bf16" else 1e-3)


def test_a_match_by_similarities() -> None:
    photo = toy_collection().photos[0].source
    model = match_model("scan_t2i")
    found = model.explain(photo, "red left of blue")
    assert found.what == "cosine of the match"
    assert found.value == pytest.approx(float(model.match(photo, "red left of blue").scores[0, 0]), abs=1e-4)
    assert model.explain(photo, "red", method="attention").maps.shape == (1, 2, 2)
    with pytest.raises(ConfigError, match="needs attention"):
        model.explain(photo, "red", method="gradient_attention")  # its weights are shown, and not computed with
    with pytest.raises(ConfigError, match="needs attention"):
        match_model("late").explain(photo, "red", method="attention")


def test_a_class_depends_on_the_square(tmp_path: Path) -> None:
    learner = class_learner()
    feed = class_feed(learner)
    train_classes(learner, feed, precision="fp32")
    learner.eval()
    model = CLASSIFY.predictor(Run(tmp_path, {}, class_recipe(), learner))
    pixels = np.full((24, 24, 3), 110, np.uint8)
    pixels[:12, 12:] = (200, 30, 30)
    found = model.explain(pixels, "red", out=tmp_path / "out")
    assert np.unravel_index(found.image.argmax(), (2, 2)) == (0, 1)
    assert (found.words, found.maps.shape) == ((), (0, 2, 2))
    assert found.files is not None
    assert all(Path(path).is_file() for path in found.files.values())
    with pytest.raises(InputError, match=r"class 'reed'.*did you mean 'red'.*it has: blue, green, red"):
        model.explain(pixels, "reed")
    with pytest.raises(UnknownNameError, match="method 'oclusion'"):
        model.explain(pixels, "red", method="oclusion")


def test_what_cannot_be_explained() -> None:
    photo = toy_collection().photos[0].source
    model = match_model("late")
    plain = Model(model.run)
    with pytest.raises(ConfigError, match="cannot be explained"):
        plain.explain(photo, "red")
    with pytest.raises(InputError, match="is empty"):
        model.explain(photo, " ")
    assert MATCH.predictor(model.run).explain(photo, "red", measure=False).faithful is None
    assert torch.is_grad_enabled()
