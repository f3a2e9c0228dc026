"""A trained matching model in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.config import Recipe, TrainSettings
from plait.core.errors import ConfigError, InputError, MissingVerbError
from plait.model import Learner
from plait.nn.precision import Precision
from plait.tasks.match.predict import MatchModel, learner_of
from plait.tasks.match.work import WORK
from plait.trained import Run
from tests.tasks.match.toys import toy_learner
from tests.toys import toy_collection

PHOTOS = [photo.source for photo in toy_collection().photos[:3]]
TEXTS = ["red left of blue", "green and then white"]


def model(fusion: str, precision: Precision = "fp32", *, pairing: str = "") -> MatchModel:
    learner = toy_learner(fusion, pairing=pairing)
    learner.eval()
    found = WORK.predictor(Run(Path("run"), {}, Recipe(train=TrainSettings(precision=precision)), learner))
    assert isinstance(found, MatchModel)
    return found


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("fusion", "kind"), [("late", "cosine"), ("scan_t2i", "cosine"), ("cross", "log-odds")])
def test_scores_and_probabilities(fusion: str, kind: str, precision: Precision) -> None:
    found = model(fusion, precision).match(PHOTOS, TEXTS)  # type: ignore[arg-type]
    assert found.score_kind == kind
    assert found.scores.shape == (3, 2)
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.prob_text.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.prob_image.sum(0), 1, rtol=1e-5)
    scale = 1.0 if kind == "log-odds" else 1 / 0.07
    expected = torch.from_numpy(scale * found.scores).softmax(1).numpy()
    np.testing.assert_allclose(found.prob_text, expected, rtol=1e-4)


def test_what_cannot_be_matched() -> None:
    ready = model("late")
    with pytest.raises(InputError, match="at least one photo"):
        ready.match([], TEXTS)
    with pytest.raises(InputError, match="sentence 2 of 2 is empty"):
        ready.match(PHOTOS, ["a", " "])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="pairing 'matched'"):
        model("cross", pairing="matched").match(PHOTOS, TEXTS)  # type: ignore[arg-type]
    with pytest.raises(MissingVerbError, match=r"has no 'mask'; it has: .*match"):
        ready.mask(PHOTOS[0], "a dog")


def test_another_tasks_run_is_refused() -> None:
    class Other(Learner):
        def loss(self, batch):  # type: ignore[no-untyped-def]
            raise AssertionError("no batch is trained here")

    inner = toy_learner("late")
    run = Run(Path("masks"), {}, Recipe(task="mask"), Other(inner.model, inner.objective))
    with pytest.raises(ConfigError, match="masks: a run of task 'mask'; expected one of task 'match'"):
        learner_of(run)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("fusion", "pairing"), [("late", ""), ("cross", "itm")])
def test_vectors_of_towers_have_length_1(fusion: str, pairing: str, precision: Precision) -> None:
    ready = model(fusion, precision, pairing=pairing)
    images, texts = ready.encode_images(PHOTOS), ready.encode_texts(TEXTS)  # type: ignore[arg-type]
    assert (images.dtype, texts.dtype) == (np.float32, np.float32)
    assert (images.shape[0], texts.shape[0], images.shape[1]) == (3, 2, texts.shape[1])
    for vectors in (images, texts):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    if fusion == "late":
        np.testing.assert_allclose(images @ texts.T, ready.match(PHOTOS, TEXTS).scores, atol=1e-4)  # type: ignore[arg-type]
    np.testing.assert_allclose(ready.encode_texts(TEXTS[0])[0], texts[0], atol=2e-2 if precision == "bf16" else 1e-5)


@pytest.mark.parametrize(("fusion", "pairing"), [("scan_t2i", ""), ("cross", "matched")])
def test_a_fusion_that_reads_both_sides_has_no_vectors(fusion: str, pairing: str) -> None:
    ready = model(fusion, pairing=pairing)
    for encode in (ready.encode_texts, ready.encode_images):
        with pytest.raises(ConfigError, match=r"reads text and image together.*'late'.*text_tokens"):
            encode(TEXTS)  # type: ignore[operator]


def test_a_result_ranks_names_and_shows_itself() -> None:
    found = model("late").match(PHOTOS, TEXTS)  # type: ignore[arg-type]
    assert found.images == ("array 0", "array 1", "array 2")
    assert found.texts == tuple(TEXTS)
    order = np.argsort(-found.scores[:, 1])
    assert [one.index for one in found.ranked(1)] == order.tolist()
    assert found.ranked(TEXTS[1]) == found.ranked(1)
    for wrong in (2, -1, "another"):
        with pytest.raises(InputError, match="expected one of 2 texts"):
            found.ranked(wrong)
    assert repr(found).startswith("MatchResult(3 images x 2 texts, score: cosine; best for 'red left of blue': array")
    assert "probability over the texts" in found._repr_html_()
    one = model("late").match(PHOTOS, "<i>red</i>")  # type: ignore[arg-type]
    html = one._repr_html_()
    assert "&lt;i&gt;red&lt;/i&gt;: 3 images, best first" in html
    assert "%" not in html
    best = one.ranked()[0].image
    assert html.index(best) == min(html.index(name) for name in one.images)
