"""`plait probe`: the same small questions to every run of a comparison."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import plait
from plait import api
from plait.core.errors import InputError
from plait.tasks.match.probe import probe_comparison, probe_photo
from tests.doors.conftest import Compared
from tests.doors.tools import call


def probe(out: Path, data: Path) -> dict[str, Any]:
    """Probe the train split in Python, as the command does."""
    collection = api.verify(api.open_data(data))
    return probe_comparison(out, api.read_results(out), collection, runs=api, split="train")


def choose(out: Path, photo: Path, captions: list[str]) -> list[dict[str, Any]]:
    """Let every run choose among captions of one photo; the first is right."""
    return probe_photo(out, api.read_results(out), photo, captions, runs=api, right=0)


def test_runs_are_given_batches_and_five_captions(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "probe", compared.out, "--data", compared.data, "--split", "train", "--json", "--quiet")
    assert answer.code == 0
    found = answer.data
    assert found == json.loads((compared.out / "probe.json").read_text(encoding="utf-8"))
    assert (found["photos"], found["batch"], found["choices"]) == (24, 24, 5)
    assert found["chance"]["five_accuracy"] == 20
    assert {row["fusion"] for row in found["rows"]} == {"late", "cross"}
    for row in found["rows"]:
        for name in ("accuracy", "loss", "separation", "five_accuracy", "five_margin"):
            figure = row[name]
            assert figure["low"] <= figure["mean"] <= figure["high"], name
        assert row["five_accuracy"]["mean"] >= row["accuracy"]["mean"]  # five are easier than twenty-four
        assert row["trained_well"] == (row["five_accuracy"]["low"] > 20)
        curve = next(r for r in compared.results["rows"] if r["fusion"] == row["fusion"])["curve"]
        assert row["train_loss"] == curve[-1]["loss"]
    assert [row["rank"] for row in found["rows"]] == [1, 2]
    again = probe(compared.out, compared.data)
    assert again["rows"] == found["rows"]


def test_the_table_says_what_chance_is(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "probe", compared.out, "--data", compared.data, "--split", "train", "--quiet")
    assert "chance: loss 3.18, accuracy 4.2 %, own caption of 5 20 %" in answer.out
    assert "late" in answer.out
    assert "cross" in answer.out


def test_one_photo_as_it_is_printed(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    photo = compared.data / "images" / "p000.png"
    captions = ["a red square on green", "a blue square on white", "a black square on orange"]
    words = ["probe", compared.out, "--photo", photo, "--captions", *captions, "--right", 1]
    rows = call(capsys, *words, "--json").data
    assert [row["fusion"] for row in rows] == ["late", "cross"]
    model = plait.load(compared.out / "runs" / "late-s0")
    share = model.match([photo], captions).prob_text[0]
    assert rows[0]["best"] == int(share.argmax())
    assert len(rows[0]["similarities"]) == 3
    assert "one photo is no measure of a model" in call(capsys, *words).out


def test_a_leaky_run_is_asked_too_and_says_so(compared: Compared, tmp_path: Path) -> None:
    recipe = api.recipe(compared.recipe)
    recipe = replace(recipe, variants={}, fusion=replace(recipe.fusion, name="ladder/v3", pairing="matched"))
    plait.compare(compared.data, tmp_path, fusions=["ladder/v3"], seeds=1, epochs=1, recipe=recipe)
    row = probe(tmp_path, compared.data)["rows"][0]
    assert (row["pairing"], "leaky" in row["flags"]) == ("matched", True)
    captions = ["a red square on green", "a blue square on white"]
    (one,) = choose(tmp_path, compared.data / "images" / "p000.png", captions)
    assert "leaky" in one["flags"]


def test_neither_data_nor_a_photo_is_a_wrong_command(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "probe", compared.out)
    assert (answer.code, "either --data, or --photo with --captions" in answer.err) == (2, True)


def test_what_cannot_be_asked(compared: Compared, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "probe", compared.out, "--data", compared.data, "--quiet")
    assert answer.code != 0
    assert "split 'val' holds 8 photo(s) with captions; the probe takes batches of 24" in answer.err
    answer = call(capsys, "probe", tmp_path / "none", "--data", compared.data)
    assert answer.code != 0
    assert "results.json" in answer.err
    with pytest.raises(InputError, match="two captions or more"):
        choose(compared.out, compared.data / "images" / "p000.png", ["one"])
    shutil.copytree(compared.out, tmp_path / "failed")
    results = json.loads((tmp_path / "failed" / "results.json").read_text())
    results["rows"] = [{**row, "status": "failed"} for row in results["rows"]]
    (tmp_path / "failed" / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match="no run is finished"):
        probe(tmp_path / "failed", compared.data)
