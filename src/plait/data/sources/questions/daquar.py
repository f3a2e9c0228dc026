"""DAQUAR's question/answer text: a line with a question that names its image, then a line with the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plait.core.errors import InputError
from plait.data.assemble import Row, assemble
from plait.data.collection import Collection, Skip
from plait.data.finder import file_finder
from plait.data.sources.images_folder import find_images, list_folder
from plait.data.sources.questions.frames import frame_splits
from plait.data.sources.table import Problem, read_text, strict
from plait.data.splits import GivenSplits, SplitMaking, find_splits

__all__ = ["is_daquar", "open_daquar", "read_daquar_rows"]

_QUESTION = re.compile(
    r"(?P<before>.*?)\s+(?:in|on|of)\s+(?:the\s+)?(?P<image>image\s?\d+)\b(?P<after>.*)", re.IGNORECASE
)
_SPLITS = ("train", "val", "test")


def is_daquar(path: Path) -> bool:
    """Tell whether a text file begins with a question that names its image, or a folder holds such files."""
    if path.is_dir():
        return bool(_texts_in(path))
    if path.suffix.lower() != ".txt" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            first = file.readline(2000).decode("utf-8-sig", errors="replace").strip()
    except OSError:
        return False
    return first.endswith("?") and _QUESTION.fullmatch(first) is not None


def open_daquar(path: Path, *, images: Path | None = None, making: SplitMaking | None = None) -> Collection:
    """Open a text of questions and answers, or a folder with texts such as qa.37.raw.train.txt and qa.37.raw.test.txt.

    Several things in one answer are divided by ", ". A file whose name holds "train", "val" or "test" gives its images
    to that split; one file alone, or files without such names, are split by runs of frames (see `frame_splits`).

    Raises:
        InputError: a question names no image or has no answer; see `assemble`.
    """
    files = _texts_in(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no text of questions and answers; expected lines such as qa.37.raw.train.txt has")
    named = len(files) > 1 and all(_split_of(file) for file in files)
    rows = [row for file in files for row in strict(read_daquar_rows(file, split=_split_of(file) if named else None))]
    place = path if path.is_dir() else path.parent
    making = making or SplitMaking()
    skipped: list[Skip] = []
    splits: GivenSplits | None = find_splits(place, besides=path)
    if splits is None and not named:
        splits, rows, skipped = frame_splits(rows, making, str(path))
    folder = images or find_images(place, (row.image for row in rows[:50]))
    return assemble(
        place.resolve().name if path.is_dir() else path.stem,
        str(path),
        rows=rows,
        find=file_finder(folder, str(path)),
        making=making,
        splits=splits,
        row_splits="the files' names",
        skipped=skipped,
    )


def read_daquar_rows(path: Path, *, split: str | None = None) -> Iterator[Row | Problem]:
    """Give a row for each question and answer; a problem says which line is not what it should be.

    The words that name the image are left out of the question: "what is on the desk in the image3 ?" is "what is on
    the desk ?" about image3.
    """
    question: tuple[int, str, str] | None = None
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = " ".join(line.split())
        if not text:
            continue
        found = _QUESTION.fullmatch(text) if text.endswith("?") else None
        if question is None:
            if found is None:
                yield Problem(
                    f"{path}, line {number}",
                    f"expected a question that names its image (... in the image3 ?): {text:.60}",
                )
                continue
            image = found["image"].replace(" ", "")
            question = (number, image, f"{found['before']} {found['after'].strip()}".strip())
        elif found is not None:
            yield Problem(f"{path}, line {number}", f"expected the answer to line {question[0]}, got a question")
            question = None
        else:
            answer = text.replace("_", " ")
            yield Row(f"{path}, line {question[0]}", question[1], question[2], split, answers=(answer,))
            question = None
    if question is not None:
        yield Problem(f"{path}, line {question[0]}", "the last question has no answer")


def _texts_in(folder: Path) -> list[Path]:
    return [file for file in list_folder(folder) if file.suffix.lower() == ".txt" and is_daquar(file)]


def _split_of(path: Path) -> str | None:
    words = re.split(r"[^a-z]+", path.name.lower())
    return next((name for name in _SPLITS if name in words), None)
