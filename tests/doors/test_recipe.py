"""`plait recipe`, and a packaged model trained again from the recipe that lies beside its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from plait import api
from plait.core.config import Recipe, read_recipe, recipe_from_dict
from plait.core.made import figures_of
from plait.listing import read_named, recipe_names
from tests.doors.conftest import Compared
from tests.doors.tools import call, write_recipe

Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, tmp_path: Path, name: object) -> tuple[str, Recipe]:
    """Print a recipe into my.toml, as a user would, and read it."""
    answer = call(capsys, "recipe", name)
    assert answer.code == 0
    (tmp_path / "my.toml").write_text(answer.out, encoding="utf-8")
    return answer.out, read_recipe(tmp_path / "my.toml")


@pytest.mark.parametrize("name", recipe_names())
def test_a_printed_recipe_keeps_its_comments_and_reads_back_equal(name: str, capsys: Capture, tmp_path: Path) -> None:
    text, recipe = printed(capsys, tmp_path, name)
    assert recipe == read_named(name)
    assert text.startswith("# ")


def test_a_file_is_printed_with_the_name_it_has(capsys: Capture, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, "# mine\ntask = 'match'\n", name="first")
    text, recipe = printed(capsys, tmp_path, path)
    assert text == "# mine\nname = \"first\"\ntask = 'match'\n"
    assert recipe == read_recipe(path)


def test_what_is_no_recipe_is_refused(capsys: Capture, tmp_path: Path) -> None:
    assert "did you mean 'photos'" in call(capsys, "recipe", "photo").err
    answer = call(capsys, "recipe", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert "expected the folder of a run" in answer.err


@pytest.mark.slow
def test_a_run_gives_its_whole_recipe(compared: Compared, capsys: Capture, tmp_path: Path) -> None:
    run = compared.out / "runs" / "cross-s0"
    _, recipe = printed(capsys, tmp_path, run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert recipe == recipe_from_dict(record["recipe"])
    assert recipe.fusion.options == {"layers": 1, "heads": 2}
    shutil.copytree(run, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "run.json").unlink()
    assert printed(capsys, tmp_path, tmp_path / "unfinished")[1] == recipe
    assert "whose runs are cross-s0, late-s0" in call(capsys, "recipe", compared.out).err


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_a_package_trains_the_same_model_again(
    fusion: str, compared: Compared, capsys: Capture, tmp_path: Path
) -> None:
    run = compared.out / "runs" / f"{fusion}-s0"
    api.package(run, tmp_path / "small")
    card = (tmp_path / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")
    recipe = tmp_path / "small" / "recipe.toml"
    assert "plait fit --recipe recipe.toml --data DIR --seed 0" in card
    assert recipe.read_text(encoding="utf-8").rstrip() in card
    assert call(capsys, "recipe", tmp_path / "small").out.splitlines()[1:] == recipe.read_text().splitlines()[1:]
    words = ["--recipe", recipe, "--data", compared.data, "--seed", 0, "--out", tmp_path / "again", "--quiet"]
    assert call(capsys, "fit", *words).code == 0
    then, now = (json.loads((path / "run.json").read_text(encoding="utf-8")) for path in (run, tmp_path / "again"))
    assert now["recipe"]["fusion"]["name"] == fusion
    assert figures_of(now) == figures_of(then), "parameters, settings, figures and the weights' hash"


@pytest.mark.slow
def test_a_run_with_its_own_number_of_steps_is_trained_again_with_as_many(
    compared: Compared, capsys: Capture, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(compared.out / "runs" / "late-s0", run)
    plan = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    (run / "plan.json").write_text(json.dumps({**plan, "steps": 5}), encoding="utf-8")
    _, recipe = printed(capsys, tmp_path, run)
    assert recipe.train.steps == 5
    words = ["--recipe", tmp_path / "my.toml", "--data", compared.data, "--out", tmp_path / "again", "--quiet"]
    assert call(capsys, "fit", *words).code == 0
    record = json.loads((tmp_path / "again" / "run.json").read_text(encoding="utf-8"))
    assert (record["steps"], len(record["curve"])) == (5, 1)
