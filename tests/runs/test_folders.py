"""Folders of runs: of one kind each, whole or noticed, and of earlier versions too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import plait
from plait.core.config import recipe_from_dict
from plait.core.errors import CheckpointError, ConfigError, UnknownNameError
from plait.runs.assemble import completed
from plait.runs.kinds import check_output, kind_of
from plait.runs.record import damage, finished_record, whole_record
from plait.runs.weights import todays_names
from tests.doors.tools import give_splits, write_recipe
from tests.tiny import make_tiny


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a recipe and a finished run."""
    folder = make_tiny(tmp_path_factory.mktemp("folders") / "data", photos=12)
    give_splits(folder, 4)
    recipe = write_recipe(folder)
    plait.fit(folder, folder / "run", recipe=recipe)
    return folder


def recipe_of(folder: Path) -> Path:
    return folder / "tiny.toml"


def test_an_output_of_another_kind_is_never_overwritten(fitted: Path, tmp_path: Path) -> None:
    run = fitted / "run"
    assert kind_of(run) == "run"
    assert kind_of(tmp_path) is None
    check_output(run, "run")
    with pytest.raises(ConfigError, match=r"holds a run.*a comparison would overwrite it"):
        plait.compare(fitted, run, fusions=["late"], seeds=1, recipe=recipe_of(fitted))
    before = (run / "weights.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="this is the run itself"):
        plait.api.package(run, run)
    assert (run / "weights.safetensors").read_bytes() == before
    plait.api.package(run, tmp_path / "small")
    assert kind_of(tmp_path / "small") == "packaged model"
    with pytest.raises(ConfigError, match="holds a packaged model"):
        plait.fit(fitted, tmp_path / "small", recipe=recipe_of(fitted))
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="this is a file"):
        check_output(file, "run")


@pytest.mark.parametrize("name", ["weights.safetensors", "gallery.json", "run.json", "plan.json"])
@pytest.mark.parametrize("content", [b"", b"{"])
def test_a_damaged_run_is_noticed_and_the_same_command_makes_it_whole(
    fitted: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    run = tmp_path / "run"
    shutil.copytree(fitted / "run", run)
    record = finished_record(run)
    assert record is not None
    assert damage(run, record) == ""
    (run / name).write_bytes(content)
    if name != "plan.json":
        with pytest.raises(CheckpointError, match="damaged"):
            plait.load(run)
    plait.fit(fitted, run, recipe=recipe_of(fitted))
    again = whole_record(run)
    assert again is not None
    assert again["metrics"] == record["metrics"]
    plait.load(run)


def test_runs_of_earlier_versions_load(fitted: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(fitted / "run", run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del record["files"]
    train = record["recipe"]["train"]
    train["captions_a_photo"] = train.pop("captions_per_image")
    record["recipe"]["fusion"]["decoder"] = ""
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    photos = sorted((fitted / "images").glob("*.png"))[:2]
    now, then = (plait.load(folder).match(photos, ["red", "blue"]).scores for folder in (fitted / "run", run))
    assert (now == then).all()


def test_old_names_of_weights() -> None:
    one = torch.zeros(1)
    old = {"model.towers.head.x": one, "model.fusion.entrance.gain": one, "objective.scale": one}
    assert list(todays_names(old)) == ["towers.head.x", "model.fusion.input_norm.gain", "objective.scale"]


def test_what_a_recipe_leaves_open_is_the_tasks() -> None:
    assert completed(recipe_from_dict({})).objective.name == "infonce"
    assert completed(recipe_from_dict({"task": "mask"})).objective.name == "bce_dice"
    with pytest.raises(UnknownNameError, match="unknown task 'maks'; did you mean 'mask'"):
        completed(recipe_from_dict({"task": "maks"}))


def test_a_refusal_leaves_nothing_behind(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        plait.fit(fitted, tmp_path / "out", recipe=recipe_of(fitted), pairing="itm")  # `late` cannot re-rank itself
    assert not (tmp_path / "out").exists()
