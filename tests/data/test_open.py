"""From a path to a collection: folders, COCO, made splits, and everything that can be wrong with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from plait.core.errors import ConfigError, InputError
from plait.core.tables import load_entry
from plait.data.assemble import SplitMaking
from plait.data.open import open_collection, source_of
from plait.data.sources import SOURCES
from tests.data.photos import folder_of, save_photo


def reasons(path: Path) -> list[str]:
    return [f"{skip.where}: {skip.reason}" for skip in open_collection(path).skipped]


def test_a_folder_with_splits(tmp_path: Path) -> None:
    data = open_collection(folder_of(tmp_path / "mine", 5, splits={"train": [4, 0, 1], "val": [3, 2]}))
    assert (data.name, data.origin) == ("mine", str(tmp_path / "mine"))
    assert [photo.id for photo in data.photos] == [f"p{n}.png" for n in range(5)]
    assert data.splits == {"train": (4, 0, 1), "val": (3, 2)}
    assert data.captions[3].id == "p1.png#1"
    assert data.captions[3].text == "photo 1, caption 1"
    assert data.captions[3].image == 1
    assert data.skipped == ()
    assert open_collection(tmp_path / "mine", limit=2).splits == {"train": (3, 0), "val": (2, 1)}
    assert open_collection(tmp_path / "mine" / "captions.csv").fingerprint == data.fingerprint


def test_what_cannot_be_used_is_listed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 6, each=1, splits={"train": [0, 1, 5], "val": [2, 3]})
    (folder / "images" / "p5.png").write_bytes(b"")
    save_photo(folder / "images" / "lonely.png")
    with (folder / "captions.csv").open("a") as file:
        file.write("p0.png,\np0.png,   \ngone.png,A dog\n")
    splits = json.loads((folder / "splits.json").read_text())
    splits["val"] += ["lonely.png", "nowhere.png"]
    (folder / "splits.json").write_text(json.dumps({**splits, "test": []}))
    assert reasons(folder) == [
        f"{folder}/captions.csv, row 7: p5.png: the image file is empty (0 bytes)",
        f"{folder}/captions.csv, row 8: the caption of p0.png is empty",
        f"{folder}/captions.csv, row 9: the caption of p0.png is empty",
        f"{folder}/captions.csv, row 10: gone.png: no such image in {folder}/images",
        f"{folder}/splits.json, split 'train': p5.png: the image file is empty (0 bytes)",
        f"{folder}/splits.json, split 'val': lonely.png: the image has no caption",
        f"{folder}/splits.json, split 'val': nowhere.png: no such image in {folder}/images",
        f"{folder}/splits.json, split 'test': the split is empty",
        f"{folder}/splits.json: 1 images are in no split: p4.png",
    ]
    assert open_collection(folder).splits == {"train": (0, 1), "val": (2, 3)}


def test_one_caption_per_photo_is_fine(tmp_path: Path) -> None:
    data = open_collection(folder_of(tmp_path, 12, each=1))
    assert len(data.captions) == len(data.photos) == 12


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png", "..\\secret.png", "C:\\x.png"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path / "data", 4)
    save_photo(tmp_path / "secret.png")
    with (folder / "captions.csv").open("a") as file:
        file.write(f"{name},A secret\n")
    with pytest.raises(InputError, match=r"captions\.csv: image name .* leads out of"):
        open_collection(folder)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ["p0.png", "p1.png"], "val": ["p1.png", "p2.png"]}, r"image 'p1\.png' is in 'train' and 'val'"),
        ({"train": ["p0.png", "p0.png"]}, r"image 'p0\.png' is in 'train' twice"),
        ({"train": ["p0.png", "p1.png"], "val": ["p2.png"]}, r"split 'val' holds 1 usable image; expected at least 2"),
        ({"train": [], "val": []}, r"no split has any image left"),
        ({"train": "p0.png"}, r"splits\.json: key 'train': expected a list of image names"),
        ([["p0.png"]], r"splits\.json: expected an object such as"),
    ],
)
def test_wrong_splits(tmp_path: Path, splits: object, message: str) -> None:
    folder = folder_of(tmp_path, 4)
    (folder / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(InputError, match=message):
        open_collection(folder)


def test_nothing_usable(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 4)
    (folder / "captions.csv").write_text("image,caption\np0.png,\n")
    with pytest.raises(InputError, match=r"no caption with an image; the first thing skipped: .*row 2: the caption"):
        open_collection(folder)
    (folder / "captions.csv").unlink()
    with pytest.raises(InputError, match=r"no file of captions; expected captions\.csv .* the folder holds: images"):
        open_collection(folder)
    with pytest.raises(InputError, match=r"no data at 'a/b': .* write hub:a/b"):
        open_collection("a/b")
    with pytest.raises(InputError, match=r"no data at 'scnes': .* did you mean 'scenes'"):
        open_collection("scnes")


def test_made_splits_do_not_move_when_photos_are_added() -> None:
    making = SplitMaking(seed=3)
    ids = [f"p{n}" for n in range(2000)]
    small, large = making.splits(ids[:1000]), making.splits(ids)
    assert sorted(i for part in large.values() for i in part) == list(range(2000))
    for name, members in small.items():
        assert members == tuple(i for i in large[name] if i < 1000)
    assert 160 < len(large["val"]) < 240  # 200 expected, standard deviation 13
    assert 160 < len(large["test"]) < 240
    assert SplitMaking(seed=4).splits(ids) != large
    assert list(SplitMaking(test_frac=0).splits(ids)) == ["train", "val"]


@pytest.mark.parametrize("test_frac", [0.0, 0.1, 0.4])
def test_tiny_sets_get_two_photos_a_split(test_frac: float) -> None:
    for seed in range(40):
        for count in (6, 7, 9):
            making = SplitMaking(seed=seed, val_frac=0.4, test_frac=test_frac)
            parts = making.splits([f"p{n}" for n in range(count)])
            assert min(map(len, parts.values())) >= 2
            assert sorted(i for part in parts.values() for i in part) == list(range(count))


def test_wrong_parts() -> None:
    with pytest.raises(InputError, match=r"5 images cannot be split into train, val, test; expected at least 6"):
        SplitMaking().splits(list("abcde"))
    with pytest.raises(ConfigError, match=r"val_frac 0\.6 and test_frac 0\.5: expected parts of 1"):
        SplitMaking(val_frac=0.6, test_frac=0.5)


def coco(folder: Path, *, captions_in: str = "annotations") -> Path:
    images = [{"id": n, "file_name": f"{n:012d}.png"} for n in range(8)]
    for image in images:
        save_photo(folder / "val2017" / str(image["file_name"]))
    annotations = [{"id": n, "image_id": n // 2, "caption": f"Caption {n}.\n"} for n in range(16)]
    path = folder / captions_in / "captions_val2017.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_coco(tmp_path: Path) -> None:
    data = open_collection(coco(tmp_path))
    assert len(data.photos) == 8
    assert data.captions[5].text == "Caption 5."
    assert data.captions[5].image == 2
    assert set(data.splits) == {"train", "val", "test"}
    flat = coco(tmp_path / "flat", captions_in=".")
    assert len(open_collection(flat).photos) == 8
    flat.rename(flat.with_name("captions.json"))
    assert open_collection(tmp_path / "flat").name == "flat"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 0}]}, r"images\[0\]: expected id and file_name, got id"),
        (
            {"annotations": [{"image_id": 0, "bbox": []}]},
            r"annotations\[0\]: expected image_id and caption, got image_id",
        ),
        ({"annotations": [{"image_id": 99, "caption": "x"}]}, r"annotations\[0\]: image_id 99 is none of the 8"),
        ({"annotations": [{"image_id": 0, "caption": 3}]}, r"key 'caption': expected a sentence, got 3"),
        ({"annotations": [7]}, r"annotations\[0\]: expected image_id and caption, got 7"),
    ],
)
def test_wrong_coco(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = coco(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        open_collection(path)


def test_coco_without_photos(tmp_path: Path) -> None:
    path = coco(tmp_path, captions_in="json")
    with pytest.raises(InputError, match=r"none of the first 16 images named by the captions is here"):
        open_collection(path)
    assert len(open_collection(path, images=tmp_path / "val2017").photos) == 8


def test_which_source(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_dict.json").write_text("{}")
    (tmp_path / "a.parquet").write_text("")
    assert source_of("hub:a/b") == source_of(tmp_path / "saved") == source_of(tmp_path / "a.parquet") == "hub"
    assert source_of("scenes") == source_of("scenes:10") == "scenes"
    assert source_of(tmp_path) == "folder"
    for wrong in ("scenes:", "scenes:x", "scenes:5", "scenes:-9"):
        with pytest.raises(InputError, match=r"expected scenes:COUNT with a count of at least 6"):
            open_collection(wrong)
    for name in ("folder", "rows", "coco", "hub"):
        assert callable(load_entry(SOURCES[name]))


@pytest.mark.real
@pytest.mark.parametrize(("name", "photos", "captions"), [("flickr8k", 7091, 35455), ("coco", 1712, 8565)])
def test_the_real_sets(name: str, photos: int, captions: int) -> None:
    root = os.environ.get("PLAIT_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"PLAIT_DATA is not set to a folder that holds {name}/")
    data = open_collection(Path(root) / name)
    assert (len(data.photos), len(data.captions)) == (photos, captions)
    assert all(len(data.captions_of(split)) == 5 * len(data.splits[split]) for split in data.splits) or name == "coco"
    assert all("no caption" in skip.reason for skip in data.skipped)
