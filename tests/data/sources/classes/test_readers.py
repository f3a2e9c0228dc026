"""Images with a class: folders, tables, CIFAR's files; pickles are never opened."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data.open import open_collection, source_of
from plait.doctor.check import check_data
from tests.class_sets import CLASSES, make_class_folders, make_class_table
from tests.tiny import make_tiny


class Opened:
    """A pickle of this leaves a trace when it is read."""

    trace: Path

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (Path.touch, (self.trace,))


def test_a_folder_per_class(tmp_path: Path) -> None:
    folder = make_class_folders(tmp_path / "squares", per_class=10)
    (folder / "red" / "notes.txt").write_text("not an image")
    (folder / "red" / ".DS_Store").write_text("")
    (folder / "red" / "more").mkdir()
    (folder / "violet").mkdir()
    found = open_collection(folder)
    assert source_of(folder) == "class_folders"
    assert (len(found.photos), len(found.captions), found.name) == (30, 30, "squares")
    assert {caption.text for caption in found.captions} == set(CLASSES)
    assert all(caption.answers == (caption.text,) for caption in found.captions)
    assert found.photos[0].id == "blue/blue-00.png"
    assert found.has_classes
    reasons = {skip.where: (skip.reason, skip.expected) for skip in found.skipped}
    assert reasons["red/notes.txt"] == ("not an image", False)
    assert reasons["red/.DS_Store"] == ("not an image", True)
    assert "folder inside a class" in reasons["red/more"][0]
    assert "no image" in reasons["violet"][0]


def test_folders_named_as_splits(tmp_path: Path) -> None:
    folder = make_class_folders(tmp_path / "squares", per_class=4, splits=("train", "valid", "test"))
    found = open_collection(folder)
    assert {name: len(members) for name, members in found.splits.items()} == {"train": 12, "val": 12, "test": 12}
    assert "folders named" in found.splits_from
    assert found.photos[found.splits["val"][0]].id.startswith("valid/")


def test_splits_beside_the_folders_are_used(tmp_path: Path) -> None:
    folder = make_class_folders(tmp_path / "squares", per_class=4)
    train = [f"{name}/{name}-{i:02d}.png" for name in CLASSES for i in (0, 1)]
    val = [f"{name}/{name}-{i:02d}.png" for name in CLASSES for i in (2, 3)]
    (folder / "splits.json").write_text(f'{{"train": {train}, "val": {val}}}'.replace("'", '"'))
    assert {name: len(members) for name, members in open_collection(folder).splits.items()} == {"train": 6, "val": 6}


def test_one_class_or_another_layout_is_not_taken_for_classes(tmp_path: Path) -> None:
    one = make_class_folders(tmp_path / "one", classes=("red",), splits=("train", "val"))
    with pytest.raises(InputError, match=r"at least two classes, found one, 'red'"):
        open_collection(one)
    captions = make_tiny(tmp_path / "captions")
    assert source_of(captions) == "folder"
    (captions / "captions.csv").unlink()
    (captions / "masks").mkdir()
    shutil.copy(captions / "images" / "p000.png", captions / "masks")
    with pytest.raises(InputError, match=r"no file of captions"):
        open_collection(captions)
    folder = make_class_folders(tmp_path / "two")
    with pytest.raises(InputError, match="one folder per class"):
        open_collection(folder, images=tmp_path)


def test_a_table_of_classes(tmp_path: Path) -> None:
    folder = make_class_table(tmp_path / "table")
    found, alone = open_collection(folder), open_collection(folder / "labels.csv")
    assert source_of(folder) == source_of(folder / "labels.csv") == "class_rows"
    assert (len(found.captions), found.has_classes, found.name) == (36, True, "table")
    assert alone.fingerprint == found.fingerprint
    (folder / "labels.csv").write_text("image,label,split\nred_00.png,3,train\nred_01.png,3,train\nblue_00.png,,val\n")
    with pytest.raises(InputError, match=r"fewer|split"):
        open_collection(folder / "labels.csv").photos_of("val")
    (folder / "labels.csv").write_text("image,label\n")
    with pytest.raises(InputError, match="no rows"):
        open_collection(folder)


def test_the_doctor_reads_both(tmp_path: Path) -> None:
    for folder in (make_class_folders(tmp_path / "folders"), make_class_table(tmp_path / "table")):
        record = check_data(folder).to_json()
        codes = {one["code"] for one in record["findings"]}
        assert not codes & {"caption_shared", "caption_short"}, folder  # classes are no captions
        assert record["labels"]["rows"] == len(CLASSES) * (24 if folder.name == "folders" else 12)


def write_cifar(folder: Path, *, cut: int = 0, label: int = 1) -> Path:
    """Write a binary version of 12 training and 4 test images, of two classes."""
    folder.mkdir()
    (folder / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
    random = np.random.default_rng(0)
    for name, count in (("data_batch_1.bin", 6), ("data_batch_2.bin", 6), ("test_batch.bin", 4)):
        table = random.integers(0, 255, (count, 3073)).astype(np.uint8)
        table[:, 0] = np.arange(count) % 2 * label
        table[:, 1:1025] = 200  # the red channel comes first
        (folder / name).write_bytes(table.tobytes()[: table.size - cut])
    return folder


def test_the_binary_version_of_cifar(tmp_path: Path) -> None:
    found = open_collection(write_cifar(tmp_path / "cifar"))
    assert source_of(tmp_path / "cifar") == "cifar"
    assert len(found.photos) == 16
    assert {caption.text for caption in found.captions} == {"airplane", "automobile"}
    assert len(found.splits["test"]) == 4
    assert all(found.photos[i].id.startswith("test_batch/") for i in found.splits["test"])
    pixels = found.photos[0].source
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (32, 32, 3)
    assert (pixels[..., 0] == 200).all()
    assert (pixels[..., 1] != 200).any()
    assert open_collection(tmp_path / "cifar").fingerprint == found.fingerprint


def test_damaged_files_of_cifar_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data_batch_1.bin: .*multiple of 3073"):
        open_collection(write_cifar(tmp_path / "cut", cut=5))
    with pytest.raises(InputError, match=r"label 7, but batches.meta.txt names 2"):
        open_collection(write_cifar(tmp_path / "wrong", label=7))


@pytest.mark.parametrize("names", [("data_batch_1", "batches.meta"), ("train", "test", "meta")])
def test_pickles_are_refused_unopened(tmp_path: Path, names: tuple[str, ...]) -> None:
    Opened.trace = tmp_path / "trace"
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(pickle.dumps(Opened()))
    with pytest.raises(InputError, match="binary version"):
        open_collection(folder)
    if names[0] == "data_batch_1":
        with pytest.raises(InputError, match="pickle"):
            open_collection(folder / "data_batch_1")
    assert not Opened.trace.exists()


def test_images_with_two_classes_keep_both_rows(tmp_path: Path) -> None:
    folder = make_class_table(tmp_path / "table")
    with (folder / "labels.csv").open("a") as file:
        file.write("red_00.png,blue\n")
    found = open_collection(folder)
    assert len(found.captions) == len(found.photos) + 1


def test_grey_images_are_images(tmp_path: Path) -> None:
    folder = make_class_folders(tmp_path / "grey", per_class=4)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "red" / "grey.png")
    assert len(open_collection(folder).photos) == 13
