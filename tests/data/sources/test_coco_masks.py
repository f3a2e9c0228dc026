"""COCO's masks in each layout, worked by hand on 30 x 40 photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data.masks.load import load_mask
from plait.data.open import open_collection, source_of
from plait.data.sources.coco_masks import layout_of, open_coco_masks
from tests.data.photos import scene

DOG = [1, 2, 5, 2, 5, 5, 1, 5]  # 3 x 4 pixels
BALL = [10, 10, 12, 10, 12, 12, 10, 12]
PHOTOS = 7


def photos(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    for n in range(PHOTOS):
        Image.fromarray(scene(n, height=30, width=40)).save(folder / "images" / f"{n}.png")
    return folder


def instances() -> dict[str, Any]:
    runs = {"size": [30, 40], "counts": [60, 30, 1110]}  # the third column
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "height": 30, "width": 40} for n in range(PHOTOS)],
        "categories": [{"id": 1, "name": "dog"}, {"id": 7, "name": "wall-brick"}],
        "annotations": [
            {"id": 10 * n + k, "image_id": n, "category_id": category, "iscrowd": 0, "segmentation": region}
            for n in range(PHOTOS)
            for k, (category, region) in enumerate([(1, [DOG]), (1, [BALL]), (7, runs)])
        ],
    }


def write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def areas(where: Path) -> list[tuple[str, int]]:
    data = open_collection(where)
    return [(c.text, int(load_mask(c.mask, (30, 40)).sum())) for c in data.captions[:3] if c.mask is not None]


def test_instances_of_a_category_are_united(tmp_path: Path) -> None:
    path = write(photos(tmp_path) / "annotations" / "instances_val.json", instances())
    assert source_of(path) == "coco_masks"
    assert areas(path) == [("dog", 12 + 4), ("wall brick", 30), ("dog", 16)]
    assert len(open_collection(path).captions) == 14
    assert open_collection(tmp_path).has_masks


def test_phrases_of_mdetr(tmp_path: Path) -> None:
    data = instances()
    for image in data["images"]:
        image["caption"] = f"the dog of photo {image['id']}"
    data["images"].append({"id": 99, "file_name": "0.png", "height": 30, "width": 40, "caption": "nothing"})
    opened = open_collection(write(photos(tmp_path) / "finetune.json", data))
    assert opened.captions[1].text == "the dog of photo 1"
    assert load_mask(opened.captions[1].mask, (30, 40)).sum() == 12 + 4 + 30 - 3  # type: ignore[arg-type]
    assert [skip.reason for skip in opened.skipped] == ["the phrase has no region"]


def test_references_name_one_instance_each(tmp_path: Path) -> None:
    write(photos(tmp_path) / "instances.json", instances())
    references = [
        {"ref_id": n, "ann_id": 10 * n + 1, "image_id": n, "split": "train" if n < 4 else "val",
         "sentences": [{"raw": "The ball", "sent": "the ball"}, {"sent": "small thing"}]}
        for n in range(PHOTOS)
    ]  # fmt: skip
    references.append({"ref_id": 9, "ann_id": 4711, "sentences": []})
    path = write(tmp_path / "refs.json", references)
    assert areas(path) == [("The ball", 4), ("small thing", 4), ("The ball", 4)]
    data = open_collection(path)
    assert data.splits == {"train": (0, 1, 2, 3), "val": (4, 5, 6)}
    assert [skip.reason for skip in data.skipped] == ["no annotation 4711 in instances.json"]
    (tmp_path / "instances.json").unlink()
    with pytest.raises(InputError, match=r"expected the regions in an instances\.json beside it, found none"):
        open_collection(path)
    write(tmp_path / "instances.json", [])
    with pytest.raises(InputError, match=r"instances\.json: expected COCO's images, annotations with segmentation"):
        open_collection(path)


def test_panoptic_segments(tmp_path: Path) -> None:
    folder = photos(tmp_path)
    (folder / "panoptic").mkdir()
    data = {**instances(), "annotations": []}
    for n in range(PHOTOS):
        ids = np.zeros((30, 40, 3), dtype=np.uint8)
        ids[:2] = (3, 1, 0)  # 259
        ids[5:6] = (4, 0, 1)  # 65540
        ids[9] = (7, 0, 0)
        if n:
            Image.fromarray(ids).save(folder / "panoptic" / f"{n}.png")
        segments = [{"id": 259, "category_id": 1}, {"id": 65540, "category_id": 1}, {"id": 7, "category_id": 7}]
        data["annotations"].append({"image_id": n, "file_name": f"{n}.png", "segments_info": segments})
    path = write(folder / "panoptic.json", data)
    assert areas(path) == [("dog", 120), ("wall brick", 40), ("dog", 120)]
    opened = open_collection(path)
    assert len(opened.photos) == PHOTOS - 1
    assert "no such mask in" in opened.skipped[0].reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"category_id": 5}, r"annotations\[0\]: category_id 5 is none of the 2 in categories"),
        ({"image_id": 77}, r"annotations\[0\]: image_id 77 is none of the 7 in images"),
        (
            {"segmentation": {"size": [3, 4], "counts": [12]}},
            r"run lengths of \(height, width\) \(3, 4\), but the image has",
        ),
        ({"segmentation": {"counts": [12]}}, r"annotations\[0\]: expected size, got counts"),
        ({"segmentation": 5}, r"segmentation: expected polygons or run lengths, got 5"),
    ],
)
def test_annotations_that_are_wrong(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = instances()
    data["annotations"][0].update(change)
    with pytest.raises(InputError, match=message):
        open_collection(write(photos(tmp_path) / "instances.json", data))


def test_what_coco_says_itself_is_not_declared(tmp_path: Path) -> None:
    path = write(photos(tmp_path) / "instances.json", instances())
    with pytest.raises(InputError, match=r"COCO's format defines which pixels"):
        open_collection(f"{path}#polarity=background")
    data = instances()
    del data["images"][0]["height"]
    with pytest.raises(InputError, match=r"annotations\[2\]: expected height, got id, file_name, width"):
        open_collection(write(path, data))


def test_what_is_no_layout_of_masks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json: expected COCO's instances, panoptic or RefCOCO's references"):
        open_coco_masks(write(tmp_path / "a.json", {"images": [], "annotations": []}))
    assert layout_of({"images": [], "annotations": [{"caption": "a"}]}) == ""
    assert layout_of([1]) == ""
