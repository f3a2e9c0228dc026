"""Bad input and failures: a clear error, or a listed skip; what is finished is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import plait
from plait.core.errors import CheckpointError, ConfigError
from plait.train.fit import Trainer
from tests.conftest import TinyFolder
from tests.doors.conftest import Compared
from tests.doors.tools import TINY, Answer, call, give_splits, write_recipe

Capture = pytest.CaptureFixture[str]
Compare = Callable[..., Answer]


@pytest.fixture
def compare(tmp_path: Path, capsys: Capture) -> Compare:
    """Give a function that compares `late` (or the fusions named) on a folder, one epoch, into `tmp_path`/out."""

    def run(data: Path, *more: object, fusions: str = "late") -> Answer:
        words = ["--data", data, "--fusions", fusions, "--seeds", 1, "--epochs", 1, "--recipe", write_recipe(tmp_path)]
        return call(capsys, "compare", *words, "--out", tmp_path / "out", "--json", "--quiet", *more)

    return run


def test_photos_that_cannot_be_read_are_skipped_and_listed(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = give_splits(tiny_folder(photos=20), 8)
    images = data / "images"
    whole = (images / "p001.png").read_bytes()
    (images / "p001.png").write_bytes(whole[: len(whole) // 2])
    (images / "p002.png").write_bytes(b"")
    (images / "p003.png").write_text("this is no picture")
    (images / "p015.png").unlink()
    answer = compare(data)
    assert answer.code == 0
    assert answer.data["data"]["splits"] == {
        "train": {"photos": 9, "captions": 18},
        "val": {"photos": 7, "captions": 14},
    }
    told = {skip["where"]: skip["reason"] for skip in answer.data["data"]["skipped"]}
    for name, reason in {
        "p001.png": "damaged or cut short",
        "p002.png": "the image file is empty (0 bytes)",
        "p003.png": "not an image of a known kind",
        "p015.png": "no such image in",
    }.items():
        assert [r for where, r in told.items() if name in where and reason in r], f"{name} is not listed in {told}"
    assert answer.data["rows"][0]["status"] in ("ok", "did not train")


def test_a_photo_that_breaks_between_two_commands_is_no_other_data(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = give_splits(tiny_folder(photos=12), 4)
    assert compare(data).code == 0
    (data / "images" / "p000.png").write_bytes(b"not a picture any more")
    answer = compare(data)
    assert answer.code == 1
    assert "holds a comparison of other data" in answer.err


def test_no_folder_of_photos(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = tiny_folder()
    (data / "images").rename(data.parent / "elsewhere")
    answer = compare(data)
    assert answer.code == 1
    assert "none of the first 16 images named by the captions is here" in answer.err
    assert str(data / "images") in answer.err
    assert compare(data, "--images", data.parent / "elsewhere").code == 0


def test_wrong_columns_are_named(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = tiny_folder()
    text = (data / "captions.csv").read_text().replace("image,caption", "picture,words", 1)
    (data / "captions.csv").write_text(text)
    answer = compare(data)
    assert answer.code == 1
    assert "captions.csv, row 1: no image column" in answer.err
    assert "found: picture, words" in answer.err


def test_a_header_is_no_row_and_a_row_no_header(tiny_folder: TinyFolder) -> None:
    data = tiny_folder()
    with_header = plait.open_data(data)
    lines = (data / "captions.csv").read_text().splitlines()
    (data / "captions.csv").write_text("\n".join(lines[1:]) + "\n")
    without = plait.open_data(data)
    assert [c.text for c in without.captions] == [c.text for c in with_header.captions]
    assert len(without.captions) == 16
    assert without.fingerprint == with_header.fingerprint


def test_empty_captions_are_skipped_and_listed(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = give_splits(tiny_folder(photos=12), 4)
    with (data / "captions.csv").open("a") as file:
        file.write('p000.png,""\np001.png,"  "\n')
    answer = compare(data)
    assert answer.code == 0
    assert [skip["reason"] for skip in answer.data["data"]["skipped"]] == [
        "the caption of p000.png is empty",
        "the caption of p001.png is empty",
    ]
    assert answer.data["data"]["captions"] == 24


def test_one_caption_per_photo_works(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = give_splits(tiny_folder(photos=16, captions=1), 6)
    answer = compare(data, fusions="late,cross")
    assert answer.code == 0
    assert answer.data["data"]["splits"]["val"] == {"photos": 6, "captions": 6}


def test_a_split_of_one_photo(tiny_folder: TinyFolder, compare: Compare) -> None:
    answer = compare(give_splits(tiny_folder(), 1))
    assert answer.code == 1
    assert "split 'val' holds 1 usable image; expected at least 2" in answer.err
    answer = compare(tiny_folder("few", photos=3))
    assert answer.code == 1
    assert "3 images cannot be split into train, val, test" in answer.err


def test_one_failed_run_leaves_the_others(
    tiny_folder: TinyFolder, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Trainer.__init__

    def broken(self: Trainer, *parts: object, **named: object) -> None:
        whole(self, *parts, **named)  # type: ignore[arg-type]
        if self.learner.towers is not None:  # `cross`, not `late`
            with torch.no_grad():
                next(self.learner.parameters()).fill_(float("nan"))

    monkeypatch.setattr(Trainer, "__init__", broken)
    data = give_splits(tiny_folder(photos=16), 6)
    answer = compare(data, fusions="cross,late")
    assert answer.code == 3
    rows = {row["fusion"]: row for row in answer.data["rows"]}
    assert rows["cross"]["status"] == "failed"
    assert "lower train.lr" in rows["cross"]["reason"]
    assert rows["cross"]["metrics"] == {}
    assert rows["late"]["metrics"]["t2i_r10"] == 100.0
    assert [entry["fusion"] for entry in answer.data["summary"]] == ["late"]
    assert "cross" in answer.data["verdict"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "failed" in page
    monkeypatch.undo()
    later = compare(data, fusions="late")
    assert later.code == 3
    assert [(row["fusion"], row["status"]) for row in later.data["rows"]][1] == ("cross", "failed")
    repeated = compare(data, fusions="cross,late")
    assert repeated.code == 0, "what failed is tried again by the same command"
    assert repeated.data["rows"][1]["metrics"] == rows["late"]["metrics"]


def test_every_run_failed(tiny_folder: TinyFolder, compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Trainer.__init__

    def broken(self: Trainer, *parts: object, **named: object) -> None:
        whole(self, *parts, **named)  # type: ignore[arg-type]
        with torch.no_grad():
            next(self.learner.parameters()).fill_(float("nan"))

    monkeypatch.setattr(Trainer, "__init__", broken)
    answer = compare(give_splits(tiny_folder(photos=12), 4))
    assert answer.code == 3
    assert answer.data["summary"] == []
    assert answer.data["rows"][0]["status"] == "failed"
    assert "the loss became nan at step 1 of 2" in answer.data["rows"][0]["reason"]


# The files that cannot be written are the results and the first checkpoint: one call or two of these per file.
@pytest.mark.parametrize(("fails", "start"), [("replace", "the last checkpoint"), ("fsync", "its first step")])
def test_a_full_disk(
    tiny_folder: TinyFolder, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch, fails: str, start: str
) -> None:
    data = give_splits(tiny_folder(photos=12), 4)
    real, written = getattr(os, fails), [0]

    def full(*parts: object) -> object:
        written[0] += 1
        if written[0] > 6:  # amid training, with some files written
            raise OSError(28, "No space left on device")
        return real(*parts)

    monkeypatch.setattr(f"plait.core.files.os.{fails}", full)
    answer = compare(data)
    assert answer.code == 1
    assert answer.err.startswith("plait: ")
    assert "No space left on device" in answer.err
    assert f"then run the same command again; training continues from {start}" in answer.err
    assert not list((tmp_path / "out").rglob("*.tmp"))
    monkeypatch.undo()
    assert compare(data).code == 0


def test_a_folder_holds_one_budget(tiny_folder: TinyFolder, compare: Compare) -> None:
    data = give_splits(tiny_folder(photos=12), 4)
    assert compare(data).code == 0
    answer = compare(data, "--epochs", 2)
    assert answer.code == 1
    assert "holds a comparison of another budget or recipe" in answer.err
    assert "Choose another --out" in answer.err


def test_a_folder_holds_one_run(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds another run: recipe\.fusion\..*choose another --out"):
        plait.fit(compared.data, compared.out / "runs" / "cross-s0", recipe=write_recipe(tmp_path))


def test_weights_of_another_model(compared: Compared, tmp_path: Path) -> None:
    ours, theirs = (compared.out / "runs" / f"{name}-s0" for name in ("late", "cross"))
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for source, name in ((ours, "run.json"), (ours, "vocabulary.json"), (theirs, "weights.safetensors")):
        (mixed / name).write_bytes((source / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"the run is damaged: weights\.safetensors has .* bytes, and had"):
        plait.load(mixed)
    record = json.loads((ours / "run.json").read_text())
    del record["files"]  # as in runs of earlier versions, which hold no sizes and hashes
    (mixed / "run.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"the weights are of another model: .*the recipe they were trained with"):
        plait.load(mixed)
    (mixed / "weights.safetensors").write_bytes((ours / "weights.safetensors").read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a weight file of Plait, or damaged"):
        plait.load(mixed)
    record["encoders"]["text"] = "words of another book"
    (mixed / "run.json").write_text(json.dumps(record))
    (mixed / "weights.safetensors").write_bytes((ours / "weights.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="its text encoder was 'words of another book', this machine has"):
        plait.load(mixed)
    for broken in ({}, {"recipe": record["recipe"]}, [1]):
        (mixed / "run.json").write_text(json.dumps(broken))
        with pytest.raises(CheckpointError, match="the file is damaged"):
            plait.load(mixed)


def test_an_interrupted_command_says_that_it_can_go_on(
    tiny_folder: TinyFolder, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = give_splits(tiny_folder(photos=12, captions=3), 4)
    whole, steps = Trainer._step, [0]

    def interrupted(self: Trainer, *parts: object, **named: object) -> float:
        steps[0] += 1
        if steps[0] == 5:  # of 2 x 3
            raise KeyboardInterrupt
        return whole(self, *parts, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_step", interrupted)
    answer = compare(data, "--epochs", 2)
    assert answer.code == 130
    assert "the same command goes on from there" in answer.err
    assert answer.out == ""
    monkeypatch.undo()
    assert compare(data, "--epochs", 2).code == 0
    log = map(json.loads, (tmp_path / "out" / "runs" / "late-s0" / "events.jsonl").read_text().splitlines())
    assert [event["resumed_at_step"] for event in log if "resumed_at_step" in event] == [3]


def test_a_recipe_that_does_not_fit_the_data_or_itself(
    tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture
) -> None:
    data = give_splits(tiny_folder(photos=12), 4)
    for change, said in (
        (("max_tokens = 12", "max_tokens = 1"), "key 'text.max_tokens': expected a whole number from 3"),
        (("lr = 3e-3", 'lr = "fast"'), "key 'train.lr': expected a number above 0 and at most 1,000, got 'fast'"),
        (('name = "late"', 'name = "late"\npairing = "itm"'), "fusion 'late' cannot be paired 'itm'"),
        (("heads = 2", "head = 2"), "has no option 'head'; did you mean 'heads'?"),
    ):
        recipe = write_recipe(tmp_path, TINY.replace(*change), "changed")
        words = ["--data", data, "--fusions", "late,cross", "--seeds", 1, "--epochs", 1, "--recipe", recipe]
        answer = call(capsys, "compare", *words, "--out", tmp_path / "other", "--quiet")
        assert answer.code == 1, said
        assert said in answer.err
