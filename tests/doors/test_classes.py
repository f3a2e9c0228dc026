"""Classes through the doors: folders of squares fitted, compared, evaluated, asked, packaged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import plait
from plait import api
from plait.core.errors import ConfigError, InputError
from tests.class_sets import CLASSES, make_class_folders
from tests.doors.tools import call
from tests.tiny import make_tiny

Capture = pytest.CaptureFixture[str]
RECIPE = """
task = "classify"

[text]
encoder = "words"
min_count = 1

[image]
encoder = "cnn_small"
size_px = 32

[fusion]
name = "image_as_is"
width = 16

[variants.attention_pool]
name = "image_as_is"
head = { pool = "attention" }

[train]
epochs = 12
batch_size = 8
lr = 5e-3
encoder_lr = 5e-3
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_class_folders(tmp_path_factory.mktemp("classes") / "data", per_class=16, splits=("train", "val"))
    (folder.parent / "classes.toml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    found = plait.fit(data, data.parent / "run", recipe=data.parent / "classes.toml")
    assert found.record["status"] == "ok"
    assert found.metrics["accuracy"] > 80
    assert found.recipe.fusion.head["classes"] == sorted(CLASSES)
    return data.parent / "run"


def test_a_run_goes_on_and_is_evaluated(data: Path, run: Path, capsys: Capture) -> None:
    words = ["fit", "--data", data, "--recipe", data.parent / "classes.toml", "--out", run, "--quiet"]
    assert call(capsys, *words)[0] == 0
    capsys.readouterr()
    found = plait.evaluate(run, data, split="val")
    record = plait.load_run(run).record
    assert found.metrics == pytest.approx(record["metrics"])
    assert found.details["most_common"] == record["classify"]["most_common"]


def test_variants_are_compared_and_reported(data: Path, capsys: Capture) -> None:
    out = data.parent / "compared"
    words = [
        "compare",
        "--data",
        data,
        "--recipe",
        data.parent / "classes.toml",
        "--fusions",
        "image_as_is,attention_pool",
    ]
    code, said, _ = call(capsys, *words, "--seeds", "2", "--epochs", "3", "--out", out, "--quiet")
    assert code == 0
    assert "Accuracy %" in said
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {entry["fusion"] for entry in results["summary"]} == {"image_as_is", "attention_pool"}
    assert {test["metric"] for test in results["tests"]} == {"accuracy", "balanced_accuracy"}
    assert "which classes are confused" in (out / "report.html").read_text(encoding="utf-8")


def test_photos_of_a_folder_get_a_row_each_also_broken_ones(run: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = make_class_folders(tmp_path / "photos", per_class=3)
    (folder / "red" / "broken.png").write_bytes(b"no image")
    (folder / "red" / "empty.png").touch()
    code, said, _ = call(capsys, "classify", folder, "--run", run, "--csv", tmp_path / "out.csv", "--quiet")
    assert code == 3
    assert "2 of 11 photos could not be read" in said
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 11
    errors = {Path(row["image"]).name: row["error"] for row in rows if row["error"]}
    assert set(errors) == {"broken.png", "empty.png"}
    right = [row["label"] == Path(row["image"]).parent.name for row in rows if not row["error"]]
    assert sum(right) >= 7
    good = next(row for row in rows if not row["error"])
    assert sum(float(good[f"p({name})"]) for name in CLASSES) == pytest.approx(1.0, abs=1e-5)
    code, said, _ = call(capsys, "classify", folder / "red" / "red-00.png", "--run", run, "--json", "--quiet")
    assert code == 0
    assert json.loads(said)["photos"][0]["label"] == "red"


def test_python_says_the_same(run: Path, data: Path) -> None:
    photo = data / "val" / "red" / "red-00.png"
    found = plait.classify([photo, np.asarray(Image.open(photo))], run=run)
    assert found.best[0] == found.best[1] == "red"
    assert found.ranked(0, top=1)[0].label == "red"
    assert found.to_json(top=2)[0]["image"] == str(photo)
    assert "red" in repr(found)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, rtol=1e-5)
    many = api.classify_files(photo, run=run)
    assert many.rows[0]["probability"] == pytest.approx(float(found.probabilities[0].max()))


def test_what_is_refused(run: Path, data: Path, tmp_path: Path, capsys: Capture) -> None:
    photo = data / "val" / "red" / "red-00.png"
    code, _, said = call(capsys, "classify", photo, "--run", run, "--labels", "cat,dog")
    assert (code, "trained on its own classes" in said) == (1, True)
    with pytest.raises(ConfigError, match="task 'match', which takes any"):
        plait.load(run).classify(photo, templates="a {}")
    with pytest.raises(ConfigError, match="temperature"):
        plait.load(run).classify(photo, temperature=0)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="none of 1 photos"):
        api.classify_files(tmp_path / "broken.png", run=run)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        api.classify_files(tmp_path / "none", run=run)
    with pytest.raises(ConfigError, match="is a folder"):
        api.classify_files(photo, run=run, csv_file=tmp_path)
    captions = make_tiny(tmp_path / "captions")
    with pytest.raises(InputError, match="class of every image"):
        plait.fit(captions, tmp_path / "run", recipe=data.parent / "classes.toml")
    assert not (tmp_path / "run").exists()
    code, _, said = call(capsys, "audit", run, "--data", data, "--split", "val", "--quiet")
    assert (code, "no audit of its own" in said) == (1, True)


def test_a_packaged_run_knows_its_classes(run: Path, data: Path, tmp_path: Path) -> None:
    plait.package(run, tmp_path / "small")
    assert plait.load(tmp_path / "small").classify(data / "val" / "blue" / "blue-00.png").labels == tuple(
        sorted(CLASSES)
    )
    assert "which of the classes" in (tmp_path / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_fitting_recipe_is_that_of_classes(data: Path) -> None:
    from plait.listing import fitting_recipe

    assert fitting_recipe(plait.open_data(data)) == "classify"
