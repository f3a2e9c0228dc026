"""Every fault of a spoilt folder is found with its count, and none is found in a healthy one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.doctor import inspection
from plait.doctor.check import Checkup, check_data
from plait.doctor.inspection import inspect_images
from plait.doctor.known import KNOWN
from plait.doctor.material import TextRow
from plait.doctor.splits import held_out_rank
from plait.doctor.texts import caption_ceiling
from tests.data.photos import scene
from tests.doctor.sick import healthy, sick, write


def counts(found: Checkup) -> dict[str, int]:
    return {one.code: one.count for one in found.findings}


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Checkup:
    return check_data(sick(tmp_path_factory.mktemp("sick") / "data"))


def test_a_healthy_folder_has_no_error_and_no_warning(tmp_path: Path) -> None:
    found = check_data(healthy(tmp_path / "data"))
    assert {one.code: one.kind.severity for one in found.findings} == {"words_outside_train": "note"}
    assert found.to_json()["splits"] == {"train": 5, "val": 3}
    assert found.to_json()["captions"]["per_image"] == {"2": 8}
    assert found.to_json()["licences"] == {"CC BY 4.0": 16}


def test_every_fault_is_counted(ill: Checkup) -> None:
    assert counts(ill) == {
        "image_missing": 2,  # gone.png, and idle.png of the splits
        "image_truncated": 1,
        "image_unreadable": 1,
        "split_leak_name": 1,  # p11
        "split_leak_exact": 1,  # p2, p9
        "split_leak_near": 1,  # p3, p10
        "split_no_text": 1,  # idle
        "image_duplicate": 1,  # p1
        "image_blank": 1,  # p6
        "image_unused": 1,
        "caption_empty": 1,
        "caption_twice": 1,
        "caption_shared": 2,
        "caption_short": 1,
        "caption_uneven": 4,  # gone 1; p7 and p11 3; p8 4; the usual 2
        "words_outside_train": 5,  # j, k, l, zebra, beside: an image in two splits counts as held out
        "licence_restricted": 1,
    }


def test_the_gravest_come_first_and_each_says_what_to_do(ill: Checkup) -> None:
    order = [one.kind.severity for one in ill.findings]
    assert order == sorted(order, key=["error", "warning", "note"].index)
    for kind in KNOWN.values():
        assert kind.effect.endswith(".")
        assert kind.fix.endswith(".")
        assert kind.title[0].isupper()


def test_examples_name_file_and_row(ill: Checkup) -> None:
    by_code = {one.code: one for one in ill.findings}
    assert by_code["caption_empty"].examples[0].where == "captions.csv, row 27"
    assert by_code["image_missing"].examples[0].where == "captions.csv, row 26"
    assert "no such image" in by_code["image_missing"].examples[0].what
    assert by_code["image_truncated"].examples[0].where == "p4.png"
    assert "not an image of a known kind" in by_code["image_unreadable"].examples[0].what
    assert by_code["split_leak_exact"].examples[0].images == ("p2.png", "p9.png")
    assert by_code["split_leak_near"].examples[0].images == ("p3.png", "p10.png")
    assert "in train and in val" in by_code["split_leak_name"].examples[0].what


def test_keys_are_stable_and_the_answer_is_json(ill: Checkup) -> None:
    told = json.loads(json.dumps(ill.to_json()))
    assert {"name", "origin", "tables", "images", "splits", "splits_given", "captions", "licences", "cannot"} < set(
        told
    )
    assert told["counts"] == {"error": 5, "warning": 7, "note": 5}
    assert set(told["findings"][0]) == {
        *("code", "severity", "title", "count", "of", "unit", "detail", "effect", "fix", "examples"),
    }


def test_made_splits_are_checked_and_said(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data", photos=12)
    (folder / "splits.json").unlink()
    found = check_data(folder)
    assert counts(found)["split_absent"] == 1
    assert set(found.to_json()["splits"]) == {"train", "val", "test"}
    assert not found.to_json()["splits_given"]


def test_sizes_and_kinds_of_images(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data", photos=8)
    images = folder / "images"
    write(images / "p0.png", scene(0, height=30, width=40))
    write(images / "p1.png", scene(1, height=70, width=300))
    write(images / "p2.png", np.repeat(scene(2)[:, :, :1], 3, axis=2))
    rgba = np.dstack([scene(3), np.full((90, 120), 255, dtype=np.uint8)])
    rgba[:45, :, 3] = 0
    write(images / "p3.png", rgba)
    found = counts(check_data(folder))
    for code in ("image_tiny", "image_extreme_shape", "image_grey", "image_transparent"):
        assert found[code] == 1
    for n in range(8):
        write(images / f"p{n}.png", scene(n, height=100, width=100))
    assert counts(check_data(folder))["image_one_size"] == 8


def test_broken_tables_are_findings_not_crashes(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data")
    (folder / "extra.csv").write_bytes(b"image,caption\np0.png,caf\xe9\n")
    (folder / "splits.json").write_text("[1, 2]", encoding="utf-8")
    (folder / "other.csv").write_text("name,age\na,1\n", encoding="utf-8")
    found = check_data(folder)
    assert counts(found)["table_broken"] == 2
    assert any("other.csv: no column names an image" in sentence for sentence in found.to_json()["cannot"])


def test_every_bad_row_of_a_table_is_listed_and_the_others_are_checked(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data")
    with (folder / "captions.csv").open("ab") as file:
        file.write(b'p0.png,"He" said,CC BY 4.0\np1.png,caf\xe9,CC BY 4.0\np2.png,short\np3.png,a fine one,CC BY 4.0\n')
    found = {one.code: one for one in check_data(folder).findings}
    places = [example.where for example in found["table_broken"].examples]
    assert places == ["captions.csv, row 18", "captions.csv, row 19", "captions.csv, row 20"]
    assert check_data(folder).facts["captions"]["rows"] == 17


def test_tables_in_json_have_roles_too(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data")
    rows = [{"image": f"p{n}.png", "question": "what ?", "answer": "a"} for n in range(4)]
    (folder / "vqa.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"image"\n', encoding="utf-8")
    (folder / "config.json").write_text('{"width": 3}', encoding="utf-8")
    found = check_data(folder)
    assert counts(found)["table_broken"] == 1
    assert found.facts["questions"]["rows"] == 4
    assert {"file": "vqa.jsonl", "role": "question", "rows": 4, "columns": ["image", "question", "answer"]} in (
        found.facts["tables"]
    )
    assert any("config.json" in sentence for sentence in found.facts["cannot"])


def test_a_misspelt_splits_file_is_a_finding(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data")
    (folder / "splits.json").rename(folder / "split.json")
    (broken,) = [one for one in check_data(folder).findings if one.code == "table_broken"]
    assert "rename it to splits.json" in broken.examples[0].what


def test_one_image_under_two_names_is_no_duplicate(tmp_path: Path) -> None:
    folder = healthy(tmp_path / "data")
    splits = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
    splits = {split: [f"images/{name}" for name in names] for split, names in splits.items()}
    (folder / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    before = counts(check_data(healthy(tmp_path / "same")))
    assert counts(check_data(folder)) == before


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are UTF-8 here")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = healthy(tmp_path / os.fsdecode(b"caf\xe9"))
    write(folder / "images" / os.fsdecode(b"p\xff.png"), scene(90))
    (folder / "captions.csv").unlink()
    (folder / "splits.json").unlink()
    found = check_data(folder, root=tmp_path / "cache").to_json()
    assert found["name"] == "caf\\udce9"
    assert found["images"]["files"] == 9
    json.dumps(found, ensure_ascii=False).encode()  # can be printed


def test_questions_and_labels(tmp_path: Path) -> None:
    for n in range(12):
        write(tmp_path / "vqa" / "images" / f"p{n}.png", scene(n))
        write(tmp_path / "labels" / "images" / f"p{n}.png", scene(n))
    rows = [f"p{n}.png,what is it ?,thing" for n in range(12)] + ["p0.png,what is it ?,cup", "p11.png,where ?,here"]
    (tmp_path / "vqa" / "vqa.csv").write_text("image,question,answer\n" + "\n".join(rows), encoding="utf-8")
    splits = {"train": [f"p{n}.png" for n in range(9)], "test": [f"p{n}.png" for n in range(9, 12)]}
    (tmp_path / "vqa" / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    found = {one.code: one for one in check_data(tmp_path / "vqa").findings}
    assert found["question_twice"].count == 1
    assert found["answers_outside_train"].detail == "ceiling of held-out accuracy: 75.00 %"
    rows = [f"p{n}.png,{'cat' if n else 'dog'}" for n in range(12)]
    (tmp_path / "labels" / "labels.csv").write_text("image,label\n" + "\n".join(rows), encoding="utf-8")
    checked = check_data(tmp_path / "labels")
    assert counts(checked)["label_uneven"] == 2
    assert "no captions were found, only labels: texts were not checked" in checked.to_json()["cannot"]


def test_generated_scenes_can_be_checked() -> None:
    told = check_data("scenes:12").to_json()
    assert told["images"]["kinds"] == {"array RGB": 12}
    assert told["counts"]["error"] == 0


def test_what_was_seen_is_remembered_also_when_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = {f"p{n}": write(tmp_path / f"p{n}.png", scene(n)) for n in range(60)}

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect_images(photos, root=tmp_path / "cache", progress=stop)
    looked = []
    real = inspection._image_facts
    monkeypatch.setattr(
        inspection, "_image_facts", lambda source, digest: looked.append(digest) or real(source, digest)
    )
    found = inspect_images(photos, root=tmp_path / "cache")
    assert len(looked) <= 10
    assert found == inspect_images(photos, root=tmp_path / "cache")
    write(tmp_path / "p0.png", scene(99))  # another content is checked again
    before = len(looked)
    assert inspect_images(photos, root=tmp_path / "cache")["p0"] != found["p0"]
    assert len(looked) == before + 1


def test_ceiling_of_recall_by_hand() -> None:
    rows = [TextRow("", image, text, "caption") for image, text in (("a", "x"), ("b", "X."), ("b", "y"), ("c", "z"))]
    assert caption_ceiling(rows) == pytest.approx(100 * (0.5 + 0.5 + 1 + 1) / 4)


def test_held_out_splits_matter_more() -> None:
    names = ["train", "restval", "validation", "test", None]
    assert sorted(names, key=held_out_rank) == ["test", "validation", "restval", "train", None]


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images, and no table that names any"):
        check_data(tmp_path)
    with pytest.raises(InputError, match="no such folder; expected the folder that holds the images"):
        check_data(healthy(tmp_path / "data"), images=tmp_path / "none")
