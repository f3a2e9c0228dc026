"""Cleaning writes beside the data, keeps what is held out, lists what it drops, and touches no original."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest

from plait.core.errors import InputError
from plait.data.describe import describe
from plait.data.open import open_collection
from plait.doctor.check import check_data
from plait.doctor.fix import clean_data
from tests.data.photos import scene
from tests.doctor.sick import healthy, sick, write


def test_a_spoilt_folder_is_cleaned_into_another(tmp_path: Path) -> None:
    data = sick(tmp_path / "data")
    before = {file: file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file()}
    told = clean_data(check_data(data), tmp_path / "clean")
    assert before == {file: file.read_bytes() for file in sorted(data.rglob("*")) if file.is_file()}
    with (tmp_path / "clean" / "dropped.csv").open(encoding="utf-8", newline="") as file:
        dropped = {row["where"]: row["reason"] for row in csv.DictReader(file)}
    assert dropped == {
        "gone.png": "image_missing",
        "idle.png": "image_missing",
        "p4.png": "image_unreadable",
        "p5.png": "image_unreadable",
        "p1.png": "image_duplicate",
        "p2.png": "split_leak_exact",  # training's; p9 is held out and stays
        "p3.png": "split_leak_near",
        "captions.csv, row 27": "caption_empty",
        "captions.csv, row 28": "caption_twice",
    }
    assert told["splits"] == {"train": 4, "val": 3}
    splits = json.loads((tmp_path / "clean" / "splits.json").read_text(encoding="utf-8"))
    assert splits == {"train": ["p0.png", "p6.png", "p7.png", "p8.png"], "val": ["p9.png", "p10.png", "p11.png"]}


def test_what_is_cleaned_opens_with_the_original_images_and_is_well(tmp_path: Path) -> None:
    told = clean_data(check_data(sick(tmp_path / "data")), tmp_path / "clean")
    collection = open_collection(tmp_path / "clean")
    assert len(collection.photos) == told["images"] == 7
    assert len(collection.captions) == told["captions"]
    assert collection.photos[0].source == tmp_path / "data" / "images" / "p0.png"
    assert collection.skipped == ()
    assert check_data(tmp_path / "clean").to_json()["counts"]["error"] == 0


def test_originals_are_never_written_into(tmp_path: Path) -> None:
    data = healthy(tmp_path / "data")
    checkup = check_data(data)
    for out in (data, data / "clean", data / "images", tmp_path):
        with pytest.raises(InputError, match="where the originals are; name a folder outside of it"):
            clean_data(checkup, out)


def test_only_captions_on_disk_can_be_cleaned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only data in folders and files can be cleaned"):
        clean_data(check_data("scenes:12"), tmp_path / "clean")
    write(tmp_path / "data" / "images" / "a.png", scene(0))
    with pytest.raises(InputError, match="this data has no captions"):
        clean_data(check_data(tmp_path / "data"), tmp_path / "clean")
    (tmp_path / "data" / "captions.csv").write_text("image,caption\na.png,\n", encoding="utf-8")
    with pytest.raises(InputError, match="nothing is left after cleaning"):
        clean_data(check_data(tmp_path / "data"), tmp_path / "clean")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are UTF-8 here")
def test_a_folder_whose_name_is_not_utf8_can_be_cleaned(tmp_path: Path) -> None:
    folder = healthy(tmp_path / os.fsdecode(b"caf\xe9"))
    clean_data(check_data(folder), tmp_path / "clean")
    collection = open_collection(tmp_path / "clean")
    assert collection.photos[0].source == folder / "images" / "p0.png"
    facts = describe(open_collection(folder))
    assert facts["name"] == "caf\\udce9"
    json.dumps(facts, ensure_ascii=False).encode()


def test_a_pointer_to_no_folder_is_an_error(tmp_path: Path) -> None:
    clean_data(check_data(healthy(tmp_path / "data")), tmp_path / "clean")
    (tmp_path / "clean" / "images_folder.txt").write_text("nowhere\n", encoding="utf-8")
    with pytest.raises(InputError, match="expected one line with the images' folder, got 'nowhere'"):
        open_collection(tmp_path / "clean")
