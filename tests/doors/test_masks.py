"""Masks through the doors: a folder of squares with masks, compared, evaluated, asked, packaged."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import plait
from benchmarks import mask_protocols, mask_tables
from plait import api
from plait.audit.ablation import ABLATIONS
from plait.core.config import ObjectiveSettings
from plait.core.errors import ConfigError, InputError
from plait.core.made import joined
from plait.tasks.match.probe import probe_comparison
from tests.doors.tools import call, give_splits, write_recipe
from tests.tiny import make_tiny

Capture = pytest.CaptureFixture[str]
RECIPE = """
task = "mask"

[text]
encoder = "words"
min_count = 1
max_tokens = 12

[image]
encoder = "cnn_small"
size_px = 32

[fusion]
name = "pixel_word"
width = 32
options = { heads = 2 }
head = { channels = 32 }

[variants.pooled]
name = "grid_product"
tokens = "pooled"
objective = { name = "bce" }
head = { channels = 16 }

[train]
epochs = 2
batch_size = 8
captions_per_image = 2
lr = 5e-3
encoder_lr = 5e-3
"""


class Masked(NamedTuple):
    """A finished comparison of masks."""

    data: Path
    out: Path
    recipe: Path
    results: dict[str, Any]


@pytest.fixture(scope="module")
def masked(plait_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Masked:
    """Compare two entrants on squares: the first caption refers to the square, the second to its surroundings."""
    folder = tmp_path_factory.mktemp("masked")
    data = give_splits(make_tiny(folder / "squares", photos=24))
    (data / "captions.csv").unlink()
    (data / "masks").mkdir()
    lines = ["image,text,mask"]
    for path in sorted((data / "images").iterdir()):
        pixels = np.asarray(Image.open(path))
        square = (pixels == pixels[12, 12]).all(2)
        for name, region in (("square", square), ("around", ~square)):
            Image.fromarray(region.astype(np.uint8) * 255).save(data / "masks" / f"{path.stem}_{name}.png")
            lines.append(f"{path.name},the {name},{path.stem}_{name}.png")
    (data / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe, out = write_recipe(folder, RECIPE, "masks"), folder / "out"
    found = plait.compare(data, out, fusions=["pixel_word", "pooled"], seeds=1, recipe=recipe)
    return Masked(data, out, recipe, found.results)


def test_compare_keeps_the_contract_for_masks(masked: Masked) -> None:
    results = masked.results
    assert results["task"] == "mask"
    assert [(row["fusion"], row["tokens"], row["pairing"]) for row in results["rows"]] == [
        ("pixel_word", "tokens", "own"),
        ("pooled", "pooled", "own"),
    ]
    for row in results["rows"]:
        assert {"miou", "oiou", "p50", "p70", "p90", "dice", "boundary_f", "miou_text_shuffled"} <= set(row["metrics"])
        assert row["mask"]["threshold_on"] == "32 captions of train"
        assert [set(point) >= {"epoch", "loss", "miou"} for point in row["curve"]] == [True, True]
    assert {test["metric"] for test in results["tests"]} == {"miou", "oiou"}
    for entry in results["summary"]:
        assert entry["miou"]["low"] <= entry["miou"]["mean"] <= entry["miou"]["high"]
    means = [entry["miou"]["mean"] for entry in results["summary"]]
    assert means == sorted(means, reverse=True)
    assert "mIoU" in results["verdict"]
    assert joined(json.loads((masked.out / "results.json").read_text(encoding="utf-8"))) == results
    assert "mIoU" in (masked.out / "report.html").read_text(encoding="utf-8")
    gallery = json.loads((masked.out / "gallery.json").read_text(encoding="utf-8"))
    assert set(gallery["masks"][0]["results"]) == {"pixel_word", "pooled"}
    assert {item["fusion"] for item in gallery["extremes"]} == {"pixel_word", "pooled"}  # labels, not fusions' names


def test_a_variant_has_its_own_fusion_and_loss(masked: Masked) -> None:
    record = json.loads((masked.out / "runs" / "pooled-s0" / "run.json").read_text(encoding="utf-8"))
    assert record["recipe"]["fusion"]["name"] == "grid_product"
    assert record["recipe"]["objective"]["name"] == "bce"
    first = json.loads((masked.out / "runs" / "pixel_word-s0" / "run.json").read_text(encoding="utf-8"))
    assert first["recipe"]["objective"]["name"] == "bce_dice"


def test_commands_tell_people_the_same(masked: Masked, tmp_path: Path, capsys: Capture) -> None:
    words = ["--data", masked.data, "--fusions", "pixel_word,pooled", "--seeds", 1, "--recipe", masked.recipe]
    answer = call(capsys, "compare", *words, "--out", masked.out)
    assert answer.code == 0
    best = masked.results["summary"][0]
    assert f"{best['miou']['mean']:.1f}" in answer.out
    assert "(mean mask)" in answer.out
    assert "thresholds chosen on 32 captions of train" in answer.out
    run = masked.out / "runs" / "pixel_word-s0"
    told = call(capsys, "evaluate", run, "--data", masked.data, "--split", "val", "--json", "--quiet").data
    row = masked.results["rows"][0]
    assert told["metrics"] == pytest.approx(row["metrics"])
    assert told["mask"]["threshold"] == row["mask"]["threshold"]
    words = ["--data", masked.data, "--recipe", masked.recipe, "--limit", 8, "--epochs", 1]
    assert "mIoU with other text" in call(capsys, "fit", *words, "--out", tmp_path / "run").out


def test_a_mask_comes_at_the_photos_size_from_both_doors(masked: Masked, tmp_path: Path, capsys: Capture) -> None:
    run, photo = masked.out / "runs" / "pixel_word-s0", tmp_path / "odd.png"
    Image.fromarray(np.full((37, 53, 3), 200, dtype=np.uint8)).save(photo)
    found = plait.load(run).mask(photo, "the square")
    assert found.mask.shape == found.probability.shape == (37, 53)
    assert found.area == pytest.approx(found.mask.mean())
    assert np.array_equal(found.mask, found.probability >= found.threshold)
    told = call(capsys, "mask", photo, "the square", "--run", run, "--out", tmp_path / "one", "--json").data
    assert (told["height"], told["width"], told["area"]) == (37, 53, pytest.approx(found.area))
    assert np.array_equal(np.asarray(Image.open(told["files"]["mask"])) == 255, found.mask)
    with Image.open(told["files"]["overlay"]) as overlay:
        assert overlay.size == (53, 37)
    assert told.pop("flags") == json.loads((run / "run.json").read_text(encoding="utf-8"))["flags"]
    assert json.loads((tmp_path / "one" / "mask.json").read_text(encoding="utf-8")) == told
    everything = api.mask(photo, "the square", run=run, threshold=0.0)
    assert everything.mask.all()
    assert everything.to_json()["files"] == {}
    answer = call(capsys, "mask", photo, "the square", "--run", run, "--threshold", "1")
    assert "no pixel reaches the threshold" in answer.out


def test_what_does_not_fit_is_refused_with_a_fix(masked: Masked, tmp_path: Path, capsys: Capture) -> None:
    run, photo = masked.out / "runs" / "pixel_word-s0", np.zeros((20, 30, 3), dtype=np.uint8)
    model = plait.load(run)
    with pytest.raises(InputError, match=r"threshold 2\.0: expected a probability from 0 to 1"):
        model.mask(photo, "a", threshold=2.0)
    with pytest.raises(InputError, match="phrase 1 of 1 is empty"):
        model.mask(photo, " ")
    with pytest.raises(ConfigError, match=r"task 'mask' has no 'match'; it has: .*mask"):
        model.match([photo], ["a"])
    with pytest.raises(ConfigError, match=r"task 'match' has no 'mask'; it has: .*match.*use a run of that task"):
        plait.load().mask(photo, "a dog")
    with pytest.raises(ConfigError, match="a run of task 'mask' is not audited on noise; give data"):
        api.audit(run)
    with pytest.raises(ConfigError, match="a comparison of task 'mask'; the probe is for runs that match captions"):
        probe_comparison(masked.out, masked.results, api.open_data(masked.data), runs=api, split="val")
    with pytest.raises(ConfigError, match=r"fusion 'late' does not serve task 'mask'; these do: .*pixel_word"):
        plait.compare(masked.data, tmp_path, fusions=["late"], recipe=masked.recipe)
    with pytest.raises(ConfigError, match=r"leave fusion\.pairing out"):
        plait.compare(masked.data, tmp_path, fusions=["film"], recipe=masked.recipe, pairing="itm")
    own = api.recipe(masked.recipe)
    with pytest.raises(ConfigError, match=r"objective 'infonce' does not serve task 'mask'; these do: bce, .*focal"):
        plait.fit(masked.data, tmp_path / "loss", recipe=replace(own, objective=ObjectiveSettings(name="infonce")))
    flat = replace(own, fusion=replace(own.fusion, tokens="pooled", head={"name": "spatial"}))
    with pytest.raises(ConfigError, match=r"head 'spatial' needs a grid; use head = .*vector"):
        plait.fit(masked.data, tmp_path / "flat", recipe=flat)
    matching = replace(
        own, task="match", objective=ObjectiveSettings(name="bce_dice"), fusion=replace(own.fusion, head={})
    )
    with pytest.raises(ConfigError, match="objective 'bce_dice' does not serve task 'match'"):
        plait.fit(masked.data, tmp_path / "match", recipe=matching)
    captions = make_tiny(tmp_path / "captions")
    answer = call(capsys, "fit", "--data", captions, "--recipe", masked.recipe, "--out", tmp_path / "run")
    assert answer.code == 1
    assert "task 'mask' needs a mask for every caption" in answer.err


def test_a_run_of_masks_is_audited(masked: Masked, capsys: Capture) -> None:
    run = masked.out / "runs" / "pixel_word-s0"
    told = call(capsys, "audit", run, "--data", masked.data, "--json", "--quiet")
    assert told.code == 0
    data = told.data["data"]
    assert set(data["ablations"]) == set(data["falls"]) == set(ABLATIONS)
    assert "noise_accuracy" not in told.data
    assert data["overlap"]["train"] == "train"
    answer = call(capsys, "audit", run, "--data", masked.data, "--quiet")
    assert "parameters without gradient" in answer.out
    assert re.search(r"^as trained +\d", answer.out, re.M)
    assert re.search(r"^image shuffled +\d", answer.out, re.M)
    assert re.search(r"^all foreground +\d", answer.out, re.M)
    assert answer.out.splitlines()[-2] == f"flags: {', '.join(told.data['flags']) or 'none'}"


def test_a_packaged_run_of_masks_says_what_it_does(masked: Masked, tmp_path: Path) -> None:
    api.package(masked.out / "runs" / "pixel_word-s0", tmp_path / "small")
    card = (tmp_path / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "marks the pixels of a photo" in card
    assert "| mIoU |" in card
    photo = sorted((masked.data / "images").iterdir())[0]
    whole = plait.load(masked.out / "runs" / "pixel_word-s0").mask(photo, "the square")
    small = plait.load(tmp_path / "small").mask(photo, "the square")
    assert np.abs(whole.probability - small.probability).max() < 0.02


def test_protocols_are_measured_on_training_and_held_out_rows(masked: Masked, capsys: Capture) -> None:
    rows = mask_protocols.measure(masked.out, str(masked.data), fusions=("pixel_word",), region="squares")
    held = masked.results["data"]["eval_split"]
    assert [(row["fusion"], row["split"]) for row in rows] == [("pixel_word", "train"), ("pixel_word", held)]
    known = next(row for row in masked.results["rows"] if row["fusion"] == "pixel_word")
    assert rows[1]["miou"][0] == pytest.approx(known["metrics"]["miou"], abs=1e-6)
    assert rows[0]["miou_all_foreground"][0] == pytest.approx(50, abs=1)  # a square and what is around it
    capsys.readouterr()
    assert mask_protocols.table(rows).splitlines()[2].startswith("| squares | `pixel_word` | train | 1 | ")
    assert mask_protocols.constant_scores(0.04) == {"area": 0.04, "meant": 4.0, "kept": 96.0}


def test_a_comparison_is_laid_out_as_markdown(masked: Masked, capsys: Capture) -> None:
    assert mask_tables.main([str(masked.out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    best = max(masked.results["summary"], key=lambda entry: entry["miou"]["mean"])
    assert lines[2].startswith(f"| `{best['fusion']}` | {best['tokens']} | 1 | {best['miou']['mean']:.1f} [")
    constants = 3
    assert len([line for line in lines if line.startswith("| ")]) == 2 + len(masked.results["summary"]) + constants
    assert masked.results["verdict"] in lines
    assert mask_tables.absent_table(masked.results) == ""  # every photo has both phrases
    entry = masked.results["summary"][0] | {"absent_area": {"mean": 2.0, "low": 1.0, "high": 3.0}}
    laid = mask_tables.absent_table({"summary": [entry]}).splitlines()
    assert len(laid) == 3
    assert "| 2.0 [1.0, 3.0] |" in laid[2]
    assert laid[2].startswith(f"| `{entry['fusion']}` | 1 | - | - | ")


def test_mask_repeats_what_its_run_says_against_it(masked: Masked, tmp_path: Path, capsys: Capture) -> None:
    run = tmp_path / "run"
    shutil.copytree(masked.out / "runs" / "pixel_word-s0", run)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**record, "flags": ["ignores the text"]}), encoding="utf-8")
    photo = next((masked.data / "images").iterdir())
    said = call(capsys, "mask", photo, "the red square", "--run", run).out
    assert "warning: this run has the flag ignores the text: the figures do not fall" in said
    assert "ignores the text" in call(capsys, "mask", photo, "the red square", "--run", run, "--json").data["flags"]
