"""A run of captions from end to end: fitted, measured, opened, used, compared and reported, in both precisions."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import plait
from plait.cli import main
from plait.core.errors import ConfigError, InputError, MissingVerbError
from plait.runs.items import ITEMS_FILE, read_items
from plait.tasks.caption.metrics import METRIC_OF
from tests.tasks.caption.conftest import Fitted


def test_it_learns_to_look(fitted: Fitted) -> None:
    metrics = fitted.run.metrics
    assert metrics["cider_d"] > metrics["cider_d_most_common"]
    assert metrics["cider_d"] > metrics["cider_d_no_image"]
    assert metrics["cider_d"] > metrics["cider_d_other_image"]
    assert metrics["distinct"] > 20
    assert fitted.run.record["status"] == "ok"
    curve = fitted.run.curve
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"]
    assert curve[-1]["cider_d"] > curve[0]["cider_d"]


def test_its_items_have_the_figures_as_their_means(fitted: Fitted) -> None:
    for key, value in fitted.run.metrics.items():
        items, weights = read_items(fitted.folder / ITEMS_FILE, METRIC_OF[key])
        assert np.average(items, weights=weights) == pytest.approx(value), key
        assert len(items) == 16


def test_the_record_says_what_was_written_with(fitted: Fitted) -> None:
    details = fitted.run.record["caption"]
    assert details["decoding"] == {"beam": 3, "length_penalty": 0.7}
    words = details["vocabulary"]
    assert (words["min_count"], words["covered"], words["cut"]) == (1, 100.0, 0.0)
    assert words["words"] > 8
    assert details["most_common_caption"].split()[0] in ("a", "the")
    assert details["variety"]["sentence"].endswith("in 16")


def test_a_picture_is_kept_of_each_epoch(fitted: Fitted) -> None:
    pictures = sorted((fitted.folder / "pictures").iterdir())
    assert [path.name[:4] for path in pictures] == [f"{n:03d}-" for n in range(1, len(fitted.run.curve) + 1)]
    with Image.open(pictures[-1]) as shown:
        assert shown.width > shown.height > 100
        assert len(shown.convert("RGB").getcolors(2**24)) > 20


def test_another_split_is_measured_with_what_the_run_knows(fitted: Fitted) -> None:
    again = plait.evaluate(fitted.run, fitted.data, split="val", progress=False)
    # The features are those of one split: the nearest training image is not to be had.
    assert set(fitted.run.metrics) - set(again.metrics) == {"cider_d_nearest", "bleu_4_nearest"}
    for key, value in again.metrics.items():
        assert value == pytest.approx(fitted.run.metrics[key]), key


def test_it_writes_captions_in_python(fitted: Fitted) -> None:
    model = plait.load(fitted.run)
    photos = fitted.photos[40:44]
    found = model.caption(photos)
    assert len(found.captions) == len(found.maps) == len(found.words) == 4
    assert found.images == tuple(map(str, photos))
    for caption, words, maps in zip(found.captions, found.words, found.maps, strict=True):
        assert caption == " ".join(words)
        assert maps.shape[0] == len(words)
        assert maps.sum((1, 2)) == pytest.approx(np.ones(len(words)), abs=0.02)
    assert bool((found.log_probs < 0).all())
    (alone,) = model.caption(photos[1]).captions
    assert alone == found.captions[1]
    assert plait.caption(photos[1], run=fitted.folder).captions == (alone,)
    assert found.captions[0] in repr(found)
    assert "log-probability" in found._repr_html_()


def test_a_wider_beam_finds_no_less_probable_captions(fitted: Fitted) -> None:
    model = plait.load(fitted.run)
    one, many = (model.caption(fitted.photos, beam=beam, length_penalty=0).log_probs for beam in (1, 8))
    assert many.mean() >= one.mean() - 0.01
    drawn = [model.caption(fitted.photos, top_p=1.0, temperature=2.0, seed=seed).captions for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam": 0}, "beam"),
        ({"beam": 2.5}, "beam"),
        ({"length_penalty": -1}, "length_penalty"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 0.5, "temperature": 0}, "temperature"),
        ({"top_p": 0.5, "beam": 2}, "give one of them"),
    ],
)
def test_options_out_of_range_are_refused(fitted: Fitted, options: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plait.load(fitted.run).caption(fitted.photos[:1], **options)


def test_what_it_cannot_do_is_said(fitted: Fitted, tmp_path: Path) -> None:
    model = plait.load(fitted.run)
    with pytest.raises(MissingVerbError, match=r"'caption'.*'match'"):
        model.match([fitted.photos[0]], ["a square"])
    with pytest.raises(ConfigError, match=r"caption\(image\)\.maps"):
        model.attention(fitted.photos[0], "a square")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png"):
        model.caption([fitted.photos[0], tmp_path / "broken.png"])


def test_the_command_gives_every_photo_a_row_and_skips_the_broken_ones(
    fitted: Fitted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(fitted.photos[:3]):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    (folder / "1b.jpg").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no photo", encoding="utf-8")
    out = tmp_path / "made" / "captions.csv"
    assert main(["caption", str(folder), "--run", str(fitted.folder), "--csv", str(out), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["skipped"] == 1
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["photo"]).name for row in rows] == ["0.png", "1.png", "1b.jpg", "2.png"]
    assert [bool(row["reason"]) for row in rows] == [False, False, True, False]
    expected = plait.load(fitted.run).caption(fitted.photos[:3]).captions
    assert tuple(row["caption"] for row in rows if not row["reason"]) == expected
    assert main(["caption", str(folder / "0.png"), "--run", str(fitted.folder), "--beam", "1"]) == 0
    said = capsys.readouterr().out
    assert "0.png: " in said
    assert "logarithm" in said


def test_the_command_refuses_an_empty_folder_and_a_run_of_another_kind(
    fitted: Fitted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["caption", str(tmp_path), "--run", str(fitted.folder)]) == 1
    assert "holds no image file" in capsys.readouterr().err
    assert main(["caption", str(fitted.photos[0]), "--run", "default"]) == 1
    assert "'caption_files'" in capsys.readouterr().err
    assert main(["caption", str(tmp_path / "gone.png"), "--run", str(fitted.folder)]) == 1
    assert "skipped 1 of 1" in capsys.readouterr().out


def test_data_of_another_question_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    collection = plait.open_data(fitted.data)
    asked = replace(collection, captions=tuple(replace(one, answers=("red",)) for one in collection.captions))
    with pytest.raises(InputError, match="questions with answers"):
        plait.fit(asked, tmp_path / "run", recipe=fitted.recipe, progress=False)
    assert not (tmp_path / "run").exists()


def test_it_is_packaged_with_a_card(fitted: Fitted, tmp_path: Path) -> None:
    plait.package(fitted.run, tmp_path / "small")
    card = (tmp_path / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "writes an English sentence" in card
    assert "beam of 3" in card
    small = plait.load(tmp_path / "small").caption(fitted.photos[40:44])
    assert small.captions == plait.load(fitted.run).caption(fitted.photos[40:44]).captions


def test_decoders_are_compared_and_reported(fitted: Fitted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "compared"
    words = ["compare", "--data", str(fitted.data), "--recipe", str(fitted.recipe), "--fusions", "variants"]
    assert main([*words, "--seeds", "1", "--epochs", "2", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out
    for part in ("CIDEr-D", "(most common)", "(nearest)", "transformer", "show_and_tell"):
        assert part in said
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert {test["metric"] for test in results["tests"]} == {"cider_d", "bleu_4"}
    page = (out / "report.html").read_text(encoding="utf-8")
    for part in ("did the models learn", "the most common training caption", "references", "Vocabulary:"):
        assert part.lower() in page.lower()
