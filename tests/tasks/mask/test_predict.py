"""A run of masks in use: from Python and from the command line, at the image's own size, with its files."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import ConfigError, InputError, MissingVerbError, StorageError
from plait.model import Learner
from plait.nn.precision import autocast_context
from plait.tasks.mask.command import MASK
from plait.tasks.mask.predict import MaskModel
from plait.tasks.mask.work import WORK
from plait.trained import Run
from tests.tasks.mask.conftest import Trained
from tests.tasks.mask.toys import SIDE, mask_learner, mask_recipe

HEIGHT, WIDTH = 37, 53


@pytest.fixture(scope="module")
def model(trained: Trained) -> MaskModel:
    """Give the trained toys as a loaded run."""
    record = {"mask": trained.found.details}
    run = Run(Path("runs/toys"), record, mask_recipe(trained.precision), trained.learner.eval())
    return WORK.predictor(run)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Write an image of odd size: red on the left, navy on the right."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:, : WIDTH // 2], pixels[:, WIDTH // 2 :] = (220, 30, 30), (30, 30, 220)
    path = tmp_path / "odd.png"
    Image.fromarray(pixels).save(path)
    return path


def test_a_mask_has_the_images_own_size(model: MaskModel, photo: Path) -> None:
    found = model.mask(photo, "the red")
    assert found.mask.shape == found.probability.shape == (HEIGHT, WIDTH)
    assert found.area == pytest.approx(found.mask.mean())
    assert found.threshold == model.record["mask"]["threshold"]
    assert np.array_equal(found.mask, found.probability >= found.threshold)
    assert found.files == {}
    everything = model.mask(np.asarray(Image.open(photo)), "the red", threshold=0.0)
    assert everything.mask.all()
    assert np.array_equal(everything.probability, found.probability)
    assert (everything.image, found.image) == ("array", str(photo))


def test_prediction_computes_at_the_precision_of_the_run(trained: Trained, model: MaskModel) -> None:
    learner = trained.learner
    image = trained.feed.collection.photos[0].source
    with autocast_context(trained.precision):
        text, regions = trained.feed.encode_texts([0]), trained.feed.encode_images([0])
        cells = learner.probabilities(text, regions)[0]
    found = model.mask(image, trained.feed.texts[0])
    assert found.probability.shape == (SIDE, SIDE)
    assert found.probability.max() == pytest.approx(cells.max(), abs=0.05)
    assert found.probability.dtype == np.float32


def test_files_are_written_where_out_says(model: MaskModel, photo: Path, tmp_path: Path) -> None:
    found = model.mask(photo, "the red", out=tmp_path / "one")
    assert list(found.files) == ["mask", "probability", "overlay"]
    assert np.array_equal(np.asarray(Image.open(found.files["mask"])) == 255, found.mask)
    probability = np.asarray(Image.open(found.files["probability"]))
    assert np.array_equal(probability, np.rint(255 * found.probability))
    with Image.open(found.files["overlay"]) as overlay:
        assert overlay.size == (WIDTH, HEIGHT)
    data = json.loads((tmp_path / "one" / "mask.json").read_text(encoding="utf-8"))
    assert data == found.to_json()
    assert list(data) == [
        "image",
        "photo",
        "text",
        "run",
        "height",
        "width",
        "area",
        "threshold",
        "presence",
        "presence_threshold",
        "found",
        "highest_probability",
        "files",
    ]
    assert data["image"] == data["photo"]
    assert data["presence_threshold"] == model.record["mask"]["presence_threshold"]
    assert (data["photo"], data["run"], data["height"]) == (str(photo), str(Path("runs/toys")), HEIGHT)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        model.mask(photo, "the red", out=tmp_path / "file" / "below")


def test_what_does_not_fit_is_refused(model: MaskModel, photo: Path, trained: Trained) -> None:
    with pytest.raises(InputError, match=r"threshold 2\.0: expected a probability"):
        model.mask(photo, "a", threshold=2.0)
    with pytest.raises(InputError, match="empty"):
        model.mask(photo, " ")
    with pytest.raises(InputError, match=r"nothing\.png"):
        model.mask("nothing.png", "a")
    with pytest.raises(MissingVerbError, match=r"task 'mask' has no 'match'.*mask"):
        model.match
    assert WORK.audit_recipe(model.recipe, seeds=2) is None
    arguments = (None, trained.learner, trained.feed, model.recipe)
    assert WORK.audit_split(*arguments, split="val", thorough=False) is None  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"presence threshold -1\.0: expected a probability"):
        model.mask(photo, "the red", presence_threshold=-1.0)


def test_an_absent_phrase_gets_an_empty_mask_that_says_so(model: MaskModel, photo: Path, tmp_path: Path) -> None:
    there, absent = model.mask(photo, "the red"), model.mask(photo, "the lime", out=tmp_path)
    assert there.found is True
    assert absent.presence is not None
    assert there.presence is not None
    assert absent.presence < there.presence
    assert absent.found is False
    assert "not found, probability 0." in repr(absent)
    assert not absent.mask.any()
    assert absent.area == 0
    assert absent.presence_threshold == model.record["mask"]["presence_threshold"]
    data = json.loads((tmp_path / "mask.json").read_text(encoding="utf-8"))
    assert (data["found"], data["presence"], data["area"]) == (False, absent.presence, 0)
    assert not np.asarray(Image.open(absent.files["mask"])).any()
    marked = model.mask(photo, "the lime", threshold=0.0, presence_threshold=0.0)
    assert marked.found is True
    assert marked.mask.all()
    refused = model.mask(photo, "the red", threshold=0.0, presence_threshold=1.0)
    assert (refused.found, refused.mask.any()) == (False, False)


def test_a_run_without_a_presence_score_says_that_it_is_not_known(trained: Trained, photo: Path) -> None:
    learner = mask_learner(absent=0.0)
    learner.model.load_state_dict(trained.learner.model.state_dict())
    record = {"mask": {"threshold": 0.5}}  # as an earlier version wrote it
    old = WORK.predictor(Run(Path("runs/old"), record, mask_recipe(trained.precision), learner.eval()))
    found = old.mask(photo, "the lime")
    assert (found.presence, found.presence_threshold, found.found) == (None, None, None)
    assert found.to_json()["presence"] is None
    with pytest.raises(ConfigError, match=r"runs/old: this run cannot tell presence.*absent = 0\.25"):
        old.mask(photo, "the lime", presence_threshold=0.5)
    # A head that had no absent phrase to choose a threshold by is not asked either.
    unsure = WORK.predictor(
        Run(Path("runs/new"), {"mask": {"presence_threshold": None}}, mask_recipe(trained.precision), trained.learner)
    )
    assert unsure.mask(photo, "the lime").found is None
    parser = ArgumentParser()
    MASK.arguments(parser)
    api = SimpleNamespace(load=lambda run: old)
    answer = MASK.run(parser.parse_args([str(photo), "the lime", "--run", "x"]), api, None)
    assert "is not known" in answer.text


class OtherLearner(Learner):
    """A learner of another task."""

    def loss(self, batch: object) -> None:  # type: ignore[override]
        """Give nothing."""


def test_a_learner_of_another_task_is_refused(trained: Trained) -> None:
    other = OtherLearner(trained.learner.model, trained.learner.objective)
    with pytest.raises(TypeError, match="expected a MaskLearner"):
        WORK.targets(other, trained.feed)  # type: ignore[arg-type]


def test_the_command_answers_with_the_same(model: MaskModel, photo: Path, tmp_path: Path) -> None:
    parser = ArgumentParser()
    MASK.arguments(parser)
    api = SimpleNamespace(load=lambda run: model if run == "runs/toys" else None)
    words = [str(photo), "the red", "--run", "runs/toys"]
    answer = MASK.run(parser.parse_args([*words, "--out", str(tmp_path / "one")]), api, None)
    assert answer.code == 0
    written = json.loads((tmp_path / "one" / "mask.json").read_text(encoding="utf-8"))
    assert answer.data == {**written, "flags": []}
    assert f"{WIDTH} x {HEIGHT} px" in answer.text
    assert str(tmp_path / "one" / "overlay.png") in answer.text
    assert "found (probability" in answer.text
    absent = MASK.run(parser.parse_args([str(photo), "the lime", "--run", "runs/toys"]), api, None)
    assert absent.code == 0
    assert "not found (probability 0." in absent.text
    assert absent.data["found"] is False
    shown = MASK.run(
        parser.parse_args([str(photo), "the lime", "--run", "runs/toys", "--presence-threshold", "0"]), api, None
    )
    assert shown.data["found"] is True
    answer = MASK.run(parser.parse_args([*words, "--threshold", "1"]), api, None)
    assert answer.data["files"] == {}
    assert "no pixel reaches the threshold" in answer.text


def test_the_command_is_read_without_torch_or_numpy() -> None:
    code = (
        "import sys; from plait.tasks.mask import TASK; TASK.load_commands(); "
        "sys.exit(1 if {'torch', 'numpy'} & sys.modules.keys() else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
