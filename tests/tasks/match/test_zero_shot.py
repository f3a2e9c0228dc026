"""Matching runs as classifiers: prompts, the ensemble of templates, temperature, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from plait.core.errors import ConfigError, InputError
from plait.data.collection import Caption, Collection
from plait.nn.precision import Precision
from plait.tasks.match.zero_shot.classes import TEMPLATES, ZeroShot, template_list
from plait.tasks.match.zero_shot.command import zero_shot_text
from plait.tasks.match.zero_shot.split import zero_shot
from tests.tasks.match.test_predict import PHOTOS, model
from tests.tasks.match.toys import ToyFeed
from tests.toys import toy_collection

# "red" and "blue" have one hash among the toys' words.
LABELS = ["navy", "green", "white"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_one_template_is_a_match_with_its_sentences(fusion: str, precision: Precision) -> None:
    ready = model(fusion, precision)
    found = ready.classify(PHOTOS, LABELS, templates="a photo of a {}")  # type: ignore[arg-type]
    expected = ready.match(PHOTOS, [f"a photo of a {label}" for label in LABELS])  # type: ignore[arg-type]
    np.testing.assert_allclose(found.probabilities, expected.prob_text, atol=2e-2 if precision == "bf16" else 1e-4)
    assert (found.labels, len(found.images)) == (tuple(LABELS), len(PHOTOS))
    assert "'a photo of a {}'" in found.how


def test_the_ensemble_is_the_mean_of_normalised_vectors() -> None:
    ready = model("late")
    templates = ["{}", "a photo of a {}"]
    found = ready.classify(PHOTOS, LABELS, templates=templates)  # type: ignore[arg-type]
    each = [ready.encode_texts([t.replace("{}", label) for label in LABELS]) for t in templates]
    mean = np.mean(each, axis=0)
    classes = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    cosines = ready.encode_images(PHOTOS) @ classes.T  # type: ignore[arg-type]
    np.testing.assert_allclose(found.logits, cosines / 0.07, rtol=1e-4, atol=1e-4)
    assert "mean of the sentences' vectors" in found.how


def test_a_fusion_that_reads_both_averages_its_scores() -> None:
    ready = model("cross")
    both = ready.classify(PHOTOS, LABELS, templates=["{}", "the {}"])  # type: ignore[arg-type]
    alone = [ready.classify(PHOTOS, LABELS, templates=t).logits for t in ("{}", "the {}")]  # type: ignore[arg-type]
    np.testing.assert_allclose(both.logits, np.mean(alone, axis=0), rtol=1e-4, atol=1e-5)
    assert "log-odds" in both.how


def test_a_temperature_changes_probabilities_and_no_first_class() -> None:
    ready = model("late")
    warm = ready.classify(PHOTOS, "navy,green,white", temperature=5.0)  # type: ignore[arg-type]
    plain = ready.classify(PHOTOS, LABELS)  # type: ignore[arg-type]
    assert warm.best == plain.best
    assert (warm.probabilities.max(1) < plain.probabilities.max(1)).all()
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match="temperature"):
            ready.classify(PHOTOS, LABELS, temperature=wrong)  # type: ignore[arg-type]


def test_an_underscore_is_read_as_a_space() -> None:
    classes = ZeroShot(model("late"), ["polar_bear", "dog"], templates=["a {}"])
    assert classes.prompts("a {}") == ["a polar bear", "a dog"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("navy", "at least two, got 1"),
        (["navy"], "at least two"),
        ("navy,Navy", "comes twice"),
        ("navy,,green", "number 2 of 3 is empty"),
        (["navy", 3], "expected a name, got 3"),
        ("red,blue", "read alike"),
    ],
)
def test_labels_that_are_refused(labels: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model("late").classify(PHOTOS, labels)  # type: ignore[arg-type]


def test_templates_and_missing_labels() -> None:
    assert template_list(None) == TEMPLATES
    assert template_list(["{}", "{}"]) == ("{}",)
    for wrong in ("a photo", "{} and {}", [], ["{}", 3]):
        with pytest.raises(ConfigError, match="template"):
            template_list(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no classes of its own"):
        model("late").classify(PHOTOS)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="pairing 'matched'"):
        model("cross", pairing="matched").classify(PHOTOS, LABELS)  # type: ignore[arg-type]


def labelled() -> Collection:
    """Give the toys' images with the colour of their left half as class; the val split in two."""
    toys = toy_collection(96)
    names = {(220, 30, 30): "crimson", (30, 180, 30): "green", (30, 30, 220): "navy", (240, 240, 240): "white"}
    captions = []
    for number, photo in enumerate(toys.photos):
        name = names[tuple(int(v) for v in photo.source[1, 0])]  # type: ignore[index]
        captions.append(Caption(f"{number}#0", name, number, answers=(name,)))
    val = toys.splits["val"]
    splits = {"train": toys.splits["train"], "val": val[::2], "test": val[1::2]}
    return replace(toys, captions=tuple(captions), splits=splits)


def doors(collection: Collection) -> Any:
    """Give what `zero_shot` needs of `plait.api`, around a toy model."""
    ready = model("late")
    return SimpleNamespace(
        open_data=lambda where, limit=None: collection,
        verify=lambda given, listener=None: given,
        load=lambda run: ready,
        open_feed=lambda run, part, listener=None: ToyFeed(part, ready.run.learner),
    )


def test_a_labelled_split_is_measured_and_another_calibrates() -> None:
    collection = labelled()
    found = zero_shot(doors(collection), "data")
    assert (found["split"], found["images"], len(found["labels"])) == ("test", 16, 4)
    assert found["accuracy"]["low"] <= found["accuracy"]["mean"] <= found["accuracy"]["high"]
    table = np.array(found["confusion"])
    assert 100 * np.trace(table) / 16 == pytest.approx(found["accuracy"]["mean"])
    assert found["calibrated_on"] == "16 images of val"
    assert found["temperature"] > 1  # an untrained model is not as sure as its scale says
    assert found["calibration_error"] < found["calibration_error_before"]
    assert [one["template"] for one in found["by_template"]] == list(TEMPLATES)
    lines = zero_shot_text(found)
    assert "set on 16 images of val" in lines
    assert "chance 25.0 %" in lines
    plain = zero_shot(doors(collection), "data", calibrate_on=None)
    assert (plain["temperature"], plain["calibrated_on"]) == (1.0, None)
    assert "no temperature was set" in zero_shot_text(plain)


def test_data_that_cannot_be_measured() -> None:
    collection = labelled()
    with pytest.raises(InputError, match="the labels lack"):
        zero_shot(doors(collection), "data", labels=["navy", "green"])
    with pytest.raises(InputError, match="class each"):
        zero_shot(doors(toy_collection()), "data", split="val", calibrate_on=None)
    with pytest.raises(ConfigError, match="another one"):
        zero_shot(doors(collection), "data", split="val")
    assert torch.is_grad_enabled()


def test_a_run_of_another_task_is_refused() -> None:
    other = SimpleNamespace(run=SimpleNamespace(folder=Path("run"), learner=None), recipe=SimpleNamespace(task="mask"))
    with pytest.raises(ConfigError, match="expected a run of task 'match', got 'mask'"):
        ZeroShot(other, LABELS)  # type: ignore[arg-type]
