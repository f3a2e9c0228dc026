"""Splits: where they come from is said, and a splits.json that would be ignored is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.core.errors import InputError
from plait.data.describe import describe
from plait.data.open import open_collection
from plait.data.splits import SplitMaking, find_splits
from tests.data.photos import save_photo

GIVEN = {"train": [f"p{n}.png" for n in range(4)], "val": ["p4.png", "p5.png"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(6):
        save_photo(tmp_path / "data" / "images" / f"p{n}.png", size=(8, 8 + n))
    (tmp_path / "data" / "captions.csv").write_text(
        "image,caption\n" + "".join(f"p{n}.png,text {n}\n" for n in range(6))
    )
    return tmp_path / "data"


def test_given_splits(folder: Path) -> None:
    (folder / "splits.json").write_text(json.dumps(GIVEN))
    assert describe(open_collection(folder))["splits_from"] == "splits.json"
    assert open_collection(folder).limit(2).splits_from == "splits.json"


def test_made_splits(folder: Path) -> None:
    found = open_collection(folder, seed=3, val_frac=0.25, test_frac=0)
    assert found.splits_from == "made by plait (seed 3, 25 % val, 0 % test)"
    assert SplitMaking().origin == "made by plait (seed 0, 10 % val, 10 % test)"


def test_splits_of_rows(folder: Path) -> None:
    rows = "".join(f"p{n}.png,text {n},{'train' if n < 4 else 'val'}\n" for n in range(6))
    (folder / "captions.csv").write_text(f"image,caption,split\n{rows}")
    assert open_collection(folder).splits_from == "column 'split'"
    (folder / "splits.json").write_text(json.dumps(GIVEN))
    assert open_collection(folder).splits_from == "splits.json"


@pytest.mark.parametrize(("where", "seed"), [("scenes:12", 0), ("scenes-masks:40", 0)])
def test_splits_of_generated_data(where: str, seed: int) -> None:
    assert open_collection(where, seed=seed).splits_from == f"generated (seed {seed})"


@pytest.mark.parametrize(
    "name",
    [
        "split.json",
        "Splits.json",
        "splits.JSON",
        "SPLITS.JSON",
        "spilts.json",
        "splits.jsn",
        "splits.json.txt",
        "splts.json",
    ],
)
def test_nearly_the_right_name_is_an_error(folder: Path, name: str) -> None:
    (folder / name).write_text(json.dumps(GIVEN))
    if (folder / "splits.json").exists():
        pytest.skip("this file system does not distinguish upper and lower case")
    with pytest.raises(InputError, match=r"rename it to splits\.json") as caught:
        open_collection(folder)
    assert name in str(caught.value)
    (folder / "splits.json").write_text(json.dumps(GIVEN))
    assert open_collection(folder).splits_from == "splits.json"


@pytest.mark.parametrize(
    "name", ["pairs.json.bak", "dataset.json", "splits.json.bak", "test_split_ids.txt", "spots.txt"]
)
def test_other_names_are_left_alone(folder: Path, name: str) -> None:
    (folder / name).write_text("[]")
    assert find_splits(folder) is None


def test_a_file_of_captions_is_not_taken_for_splits(folder: Path) -> None:
    rows = [{"image": f"p{n}.png", "caption": f"text {n}"} for n in range(6)]
    (folder / "split.json").write_text(json.dumps(rows))
    (folder / "captions.csv").unlink()
    assert open_collection(folder / "split.json").splits_from.startswith("made by plait")


def test_a_broken_link_is_an_error(folder: Path) -> None:
    (folder / "splits.json").symlink_to(folder / "gone.json")
    with pytest.raises(InputError, match=r"splits\.json: is a link to .*gone\.json, which does not exist"):
        open_collection(folder)


def test_a_folder_is_an_error(folder: Path) -> None:
    (folder / "splits.json").mkdir()
    with pytest.raises(InputError, match=r"splits\.json: is a folder; expected a file"):
        open_collection(folder)


def test_names_in_splits_may_be_spelt_otherwise_than_in_rows(folder: Path) -> None:
    """An image is one image, whether it is called a.png, images/a.png or A.PNG."""
    given = {"train": ["images/p0.png", "P1.PNG", "p2.png", str(folder / "images" / "p3.png")], "val": ["p4.png", "p5"]}
    (folder / "splits.json").write_text(json.dumps(given))
    found = open_collection(folder)
    assert found.skipped == ()
    assert found.splits == {"train": (0, 1, 2, 3), "val": (4, 5)}
    (folder / "splits.json").write_text(json.dumps({"train": ["p0.png", "p1.png"], "val": ["images/p0.png", "p2.png"]}))
    with pytest.raises(InputError, match=r"image 'images/p0\.png' is in 'train' and 'val'"):
        open_collection(folder)


def test_rows_that_name_one_image_in_two_ways(folder: Path) -> None:
    (folder / "captions.csv").write_text(
        "image,caption\n" + "".join(f"p{n}.png,text {n}\nimages/p{n}.png,again {n}\n" for n in range(6))
    )
    found = open_collection(folder)
    assert [photo.id for photo in found.photos] == [f"p{n}.png" for n in range(6)]
    assert [caption.id for caption in found.captions][:3] == ["p0.png#0", "p0.png#1", "p1.png#0"]
