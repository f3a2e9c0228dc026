"""VQA's JSON: a file of questions, and beside it a file of annotations with ten answers per question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import Finder, file_finder
from plait.data.sources.images_folder import find_images, list_folder
from plait.data.sources.table import Problem, read_json_file, strict
from plait.data.splits import SplitMaking, find_splits

__all__ = ["find_vqa", "is_vqa", "open_vqa", "read_vqa_rows"]

_SPLITS = re.compile(r"train|val|test")


def is_vqa(path: Path) -> bool:
    """Tell whether a JSON file holds VQA's questions. A file of another name than "...question..." is not read."""
    if path.suffix.lower() != ".json" or "question" not in path.name.lower() or not path.is_file():
        return False
    data = read_json_file(path)
    return isinstance(data, dict) and isinstance(data.get("questions"), list)


def find_vqa(folder: Path) -> list[Path]:
    """Give the files of questions in a folder."""
    return [path for path in list_folder(folder) if is_vqa(path)]


def open_vqa(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a file of VQA's questions with its annotations, or a folder with several such pairs.

    The annotations' file is named like that of the questions, with "annotations" in place of "questions" (and without
    "OpenEnded_"), or is the folder's only one. In a folder with several files their names give the splits ("train2014"
    is "train"); else splits are made by image. Questions without annotations, as in VQA's test set, are left out.

    Raises:
        InputError: no annotations, a key is missing, or the images are not found; see `assemble`.
    """
    files = find_vqa(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no file of VQA's questions; expected v2_OpenEnded_mscoco_train2014_questions.json")
    skipped: list[Skip] = []
    rows: list[Row] = []
    for file in files:
        split = _split_of(file) if len(files) > 1 else None
        rows += strict(read_vqa_rows(file, _annotations_of(file), skipped, split=split))
    if not rows:
        raise InputError(f"{path}: no question has an annotation; are these the questions of a test set?")
    place = path if path.is_dir() else path.parent
    names = [name for row in rows[:50] for name in _names(row.image)]
    return assemble(
        place.resolve().name,
        str(path),
        rows=rows,
        find=_finder(file_finder(images or find_images(place, names), str(path))),
        making=making or SplitMaking(),
        splits=find_splits(place, besides=path),
        row_splits="the files' names",
        skipped=skipped,
    )


def read_vqa_rows(
    questions: Path, annotations: Path, skipped: list[Skip], *, split: str | None = None
) -> Iterator[Row | Problem]:
    """Give a row for each question that has an annotation; a problem names the key that is missing.

    Arguments:
        skipped: to which is added how many questions have no annotation
        split:   of all these rows
    """
    answers: dict[Any, tuple[str, ...]] = {}
    data = read_json_file(annotations)
    listed = data.get("annotations") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        yield Problem(str(annotations), "expected an object with a list 'annotations'")
        return
    for number, item in enumerate(listed):
        try:
            given = item["answers"] if "answers" in item else [{"answer": item["multiple_choice_answer"]}]
            answers[item["question_id"]] = tuple(str(one["answer"]).strip() for one in given)
        except (KeyError, TypeError) as error:
            yield Problem(
                f"{annotations}: annotations[{number}]", f"expected question_id and answers; missing: {error}"
            )
    asked = read_json_file(questions)
    without = 0
    for number, item in enumerate(asked["questions"] if isinstance(asked, dict) else []):
        where = f"{questions}: questions[{number}]"
        try:
            key, image, text = item["question_id"], item["image_id"], item["question"]
        except (KeyError, TypeError) as error:
            yield Problem(where, f"expected question_id, image_id and question; missing: {error}")
            continue
        if not isinstance(text, str):
            yield Problem(where, f"key 'question': expected a question, got {text!r:.60}")
        elif not any(answers.get(key, ())):
            without += 1
        else:
            yield Row(where, str(image), text, split, answers=tuple(one for one in answers[key] if one))
    if without:
        skipped.append(Skip(str(questions), f"{without} questions have no answer in {annotations.name}", expected=True))


def _annotations_of(path: Path) -> Path:
    name = path.name
    for wanted in (name.replace("OpenEnded_", ""), name, name.replace("MultipleChoice_", "")):
        other = path.with_name(wanted.replace("questions", "annotations"))
        if other != path and other.is_file():
            return other
    others = [file for file in list_folder(path.parent) if file.suffix == ".json" and "annotation" in file.name.lower()]
    if len(others) == 1:
        return others[0]
    expected = name.replace("OpenEnded_", "").replace("questions", "annotations")
    raise InputError(
        f"{path}: no annotations beside it; expected {expected} "
        f"or one file with 'annotations' in its name, found {len(others)}"
    )


def _split_of(path: Path) -> str:
    found = _SPLITS.search(path.name.lower())
    if found is None:
        raise InputError(f"{path}: of several files of questions each must name its split: train, val or test")
    return found[0]


def _names(image: str) -> list[str]:
    """Give the names that COCO's image of this number may have."""
    if not image.isdigit():
        return [image]
    padded = image.zfill(12)
    return [f"{padded}.jpg", *(f"COCO_{part}2014_{padded}.jpg" for part in ("train", "val", "test")), f"{image}.jpg"]


def _finder(find: Finder) -> Finder:
    def of_number(name: str) -> Any:
        found: Any = None
        for candidate in _names(name):
            found = find(candidate)
            if not isinstance(found, Skip):
                return found
        return Skip(name, found.reason)

    return of_number
