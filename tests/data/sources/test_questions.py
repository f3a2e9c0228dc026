"""Readers of questions: tables, VQA's JSON, DAQUAR's texts; splits by runs of frames; what is wrong is named."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data.open import open_collection, source_of
from plait.data.sources.questions.frames import BORDER, RUN


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((8, 8, 3), number % 256, np.uint8)).save(folder / name)
    return folder


def table(folder: Path, text: str, *, name: str = "vqa.csv", images: int = 8) -> Path:
    pictures(folder / "images", [f"{chr(97 + i)}.png" for i in range(images)])
    (folder / name).write_text(text, encoding="utf-8")
    return folder


ROWS = "image,question,answer\n" + "".join(f"{c}.png,what is {c} ?,thing {c}\n" for c in "abcdefgh")


def test_a_folder_with_a_table_of_questions_opens_as_it_lies(tmp_path: Path) -> None:
    folder = table(tmp_path / "rooms", ROWS)
    assert source_of(folder) == source_of(folder / "vqa.csv") == "questions"
    data = open_collection(folder)
    assert data.name == "rooms"
    assert data.has_answers
    assert [c.text for c in data.captions][:2] == ["what is a ?", "what is b ?"]
    assert data.captions[0].answers == ("thing a",)
    assert set(data.splits) == {"train", "val", "test"}


def test_ten_answers_are_divided_by_bars_and_come_before_the_chosen_one(tmp_path: Path) -> None:
    many = "image,question,answer,answers\na.png,what?,tree,tree|log|  |tree\nb.png,what?,yes,\n"
    many += "".join(f"{c}.png,what?,no,no|no\n" for c in "cdefgh")
    data = open_collection(table(tmp_path, many))
    answers = {data.photos[c.image].id: c.answers for c in data.captions}
    assert answers["a.png"] == ("tree", "log", "tree")
    assert answers["b.png"] == ("yes",)


def test_json_lines_hold_lists_and_numbers(tmp_path: Path) -> None:
    lines = [{"image": f"{c}.png", "question": "how many?", "answers": [2, "3"]} for c in "abcdefgh"]
    folder = table(tmp_path, "\n".join(map(json.dumps, lines)), name="questions.jsonl")
    assert open_collection(folder).captions[0].answers == ("2", "3")


def test_a_question_without_answer_is_left_out_and_listed(tmp_path: Path) -> None:
    data = open_collection(table(tmp_path, ROWS + "a.png,who?,\n"))
    (skip,) = data.skipped
    assert "row 10" in skip.where
    assert "no answer" in skip.reason


def test_an_answer_that_is_none_is_named(tmp_path: Path) -> None:
    folder = table(
        tmp_path, json.dumps([{"image": "a.png", "question": "q?", "answers": [{"x": 1}]}]), name="questions.json"
    )
    with pytest.raises(InputError, match=r"questions.json, item 0.*answers"):
        open_collection(folder)


def test_a_table_with_no_answer_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no row with a question and an answer.*row 2"):
        open_collection(table(tmp_path, "image,question,answer\na.png,what?,\n"))


def test_questions_beside_captions_are_asked_for(tmp_path: Path) -> None:
    folder = table(tmp_path, ROWS)
    (folder / "captions.csv").write_text("image,caption\n" + "".join(f"{c}.png,a {c}\n" for c in "abcdefgh"))
    assert not open_collection(folder).has_answers
    assert open_collection(f"{folder}#questions").has_answers
    (folder / "vqa.csv").unlink()
    with pytest.raises(InputError, match="holds no questions"):
        open_collection(f"{folder}#questions")


def test_images_of_a_split_without_questions_are_expected(tmp_path: Path) -> None:
    folder = table(tmp_path, ROWS.replace("h.png,what is h ?,thing h\n", ""))
    names = [f"{c}.png" for c in "abcdefgh"]
    (folder / "splits.json").write_text(json.dumps({"train": names[:4], "val": names[4:]}))
    data = open_collection(folder)
    (skip,) = data.skipped
    assert skip.expected
    assert "1 images have no question: h.png" in skip.reason


def vqa_files(folder: Path, part: str, numbers: list[int], *, annotated: int | None = None) -> None:
    names = [f"COCO_{part}2014_{n:012d}.jpg" for n in numbers]
    pictures(folder / "images", names)
    questions = [{"image_id": n, "question": f"Is {n} even?", "question_id": 10 * n} for n in numbers]
    annotations = [
        {
            "question_id": 10 * n,
            "image_id": n,
            "multiple_choice_answer": "yes",
            "answers": [{"answer": "yes", "answer_id": i + 1} for i in range(9)] + [{"answer": "no", "answer_id": 10}],
        }
        for n in numbers[:annotated]
    ]
    stem = f"mscoco_{part}2014"
    (folder / f"v2_OpenEnded_{stem}_questions.json").write_text(json.dumps({"questions": questions}))
    (folder / f"v2_{stem}_annotations.json").write_text(json.dumps({"annotations": annotations}))


def test_vqa_files_of_a_folder_give_its_splits_and_ten_answers(tmp_path: Path) -> None:
    vqa_files(tmp_path, "train", [1, 2, 3])
    vqa_files(tmp_path, "val", [4, 5])
    assert source_of(tmp_path) == "vqa"
    data = open_collection(tmp_path)
    assert {name: len(members) for name, members in data.splits.items()} == {"train": 3, "val": 2}
    assert data.captions[0].answers == ("yes",) * 9 + ("no",)
    assert data.captions[0].text == "Is 1 even?"


def test_one_vqa_file_is_split_by_image_and_says_what_is_not_annotated(tmp_path: Path) -> None:
    vqa_files(tmp_path, "train", list(range(1, 10)), annotated=8)
    data = open_collection(tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json")
    assert set(data.splits) == {"train", "val", "test"}
    assert any("1 questions have no answer" in skip.reason for skip in data.skipped)


@pytest.mark.parametrize("key", ["question_id", "image_id", "question"])
def test_a_vqa_question_without_a_key_is_named(tmp_path: Path, key: str) -> None:
    vqa_files(tmp_path, "train", [1, 2])
    path = tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json"
    data: Any = json.loads(path.read_text())
    del data["questions"][1][key]
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=rf"questions\[1\].*missing: '{key}'"):
        open_collection(path)


def test_vqa_questions_need_annotations(tmp_path: Path) -> None:
    vqa_files(tmp_path, "train", [1, 2])
    (tmp_path / "v2_mscoco_train2014_annotations.json").unlink()
    with pytest.raises(InputError, match="no annotations beside it"):
        open_collection(tmp_path)


def daquar_text(numbers: list[int]) -> str:
    return "".join(f"what is on the desk in the image{n} ?\ncoffee_machine, lamp\n" for n in numbers)


def test_daquar_texts_name_their_image_and_their_split(tmp_path: Path) -> None:
    pictures(tmp_path / "images", [f"image{n}.png" for n in range(1, 6)])
    (tmp_path / "qa.37.raw.train.txt").write_text(daquar_text([1, 2, 3]))
    (tmp_path / "qa.37.raw.test.txt").write_text(daquar_text([4, 5]))
    assert source_of(tmp_path) == "daquar"
    data = open_collection(tmp_path)
    assert {name: len(members) for name, members in data.splits.items()} == {"train": 3, "test": 2}
    assert data.captions[0].text == "what is on the desk ?"
    assert data.captions[0].answers == ("coffee machine, lamp",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("what is on the desk in the image1 ?\nwhat is it in the image2 ?\n", "line 2.*answer to line 1"),
        ("what is on the desk in the image1 ?\nlamp\nwhat is this ?\nlamp\n", "line 3.*names its image"),
        ("what is on the desk in the image1 ?\n", "no answer"),
    ],
)
def test_a_daquar_text_out_of_step_is_refused(tmp_path: Path, text: str, words: str) -> None:
    pictures(tmp_path / "images", ["image1.png", "image2.png"])
    path = tmp_path / "qa.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        open_collection(path)


def test_splits_by_runs_keep_neighbouring_frames_apart(tmp_path: Path) -> None:
    numbers = list(range(8 * RUN))
    pictures(tmp_path / "images", [f"image{n}.png" for n in numbers])
    (tmp_path / "qa.txt").write_text(daquar_text(numbers))
    data = open_collection(tmp_path / "qa.txt")
    assert "runs of" in data.splits_from
    home = {
        int(data.photos[i].id.removeprefix("image")): split for split, members in data.splits.items() for i in members
    }
    order = sorted(home)
    changes = [(a, b) for a, b in pairwise(order) if home[a] != home[b]]
    assert changes
    assert all(b - a > BORDER for a, b in changes)
    assert set(home.values()) == {"train", "val", "test"}
    assert len(home) == len(numbers) - BORDER * len(changes)
    assert [skip.expected for skip in data.skipped] == [True]
