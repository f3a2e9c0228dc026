"""Open any data set: `open_collection` chooses the reader that fits what it is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from plait.core.errors import InputError, PlaitError, nearest
from plait.core.os_errors import os_sentence
from plait.core.tables import load_entry
from plait.data.collection import Collection
from plait.data.masks.source import MaskReading
from plait.data.sources import SOURCES
from plait.data.sources.classes.cifar import is_cifar
from plait.data.sources.classes.folders import is_class_folders
from plait.data.sources.classes.rows import find_class_table, is_class_table
from plait.data.sources.coco import is_coco
from plait.data.sources.coco_masks import layout_of
from plait.data.sources.folder import find_masks, has_captions
from plait.data.sources.mask_rows import is_mask_table
from plait.data.sources.questions.daquar import is_daquar
from plait.data.sources.questions.rows import find_question_table, is_question_table
from plait.data.sources.questions.vqa import find_vqa, is_vqa
from plait.data.sources.table import read_json_file
from plait.data.splits import SplitMaking

__all__ = ["SCENES_COUNT", "open_collection", "source_of", "split_where"]

# Scenes generated where no count is given: enough to learn binding from, and generated in seconds.
SCENES_COUNT = 2400
# Names of generated sets -> their readers; what follows a "#" where a folder is opened for its questions.
GENERATED = {"scenes": "scenes", "scenes-masks": "scenes_masks", "scenes-questions": "scenes_questions"}
QUESTIONS = "questions"
# More do not fit into memory: a scene has 12 KiB of pixels.
SCENES_MOST = 1_000_000


def open_collection(
    where: str | Path,
    *,
    images: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    val_frac: float = 0.1,
    test_frac: float = 0.1,
) -> Collection:
    """Open a data set: a folder, a file, "hub:NAME", "scenes[-masks|-questions]" with or without ":COUNT".

    No image and no mask is decoded. A folder with captions and masks is opened for its captions, unless "#masks"
    follows its name; how masks are read may follow there too, as in "photos#polarity=background" and
    "photos#source!=web,empty=keep" (see `MaskReading.parse`). A table of masks, or a folder with no other table, is
    opened for its masks without "#masks". Likewise "#questions" opens a folder for its questions.

    Arguments:
        where:     what to open; `plait list sources` shows the forms
        images:    folder of the images, where it is not beside the captions
        limit:     keep the first images of every split, at least 2
        seed:      of splits that are made, and of scenes
        val_frac:  part of the images that goes to "val" where splits are made
        test_frac: part that goes to "test", 0 = none

    Raises:
        InputError: nothing is there, or it cannot be read; the message names the file, row or key.
        OfflineError: a hub data set is requested and there is no network.
        MissingPackageError: a hub data set is requested and the `datasets` package is not installed.
        ConfigError: what follows a "#" is not about masks.
    """
    try:
        collection = _opened(where, images, SplitMaking(seed, val_frac, test_frac))
    except PlaitError:
        raise
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {os_sentence(error)}") from error
    return collection if limit is None else collection.limit(limit)


def _opened(where: str | Path, images: Path | None, making: SplitMaking) -> Collection:
    place, masks = split_where(where)
    source = source_of(where)
    reader = load_entry(SOURCES[source])
    collection: Collection
    if source in GENERATED.values():
        collection = reader(count=_scenes_count(str(place)), seed=making.seed)
    elif source == "hub":
        collection = reader(place, images=images, making=making, masks=masks)
    elif source in ("mask_rows", "coco_masks"):
        path = Path(place)
        table = find_masks(path) if path.is_dir() else path
        if images is None and path.is_dir() and (path / "images").is_dir():
            images = path / "images"
        collection = reader(table, images=images, making=making, masks=masks)
        name = path.resolve().name if path.is_dir() else collection.name
        collection = replace(collection, name=name, origin=str(where))
    else:
        collection = reader(Path(place), images=images, making=making)
    return collection


def split_where(where: str | Path) -> tuple[str | Path, MaskReading | None]:
    """Divide "DATA#words" into DATA and how its masks are read; None without "#", or where a file has "#" in its name.

    Raises:
        ConfigError: an unknown word; see `MaskReading.parse`.
    """
    text = str(where)
    if "#" not in text or Path(where).exists():
        return where, None
    place, _, words = text.rpartition("#")
    if words == QUESTIONS:
        return place, None
    return place, MaskReading.parse(words)


def source_of(where: str | Path) -> str:
    """Give the name in `SOURCES` of the reader for `where`. Raises InputError when there is nothing to read."""
    place, masks = split_where(where)
    if place != where and masks is None:
        source = _questions_of(Path(place))
        if source is None:
            raise InputError(f"{where}: {place} holds no questions; expected rows of image, question and answer")
        return source
    source = _source_of(place, masks is not None)
    if masks is not None and source not in ("mask_rows", "coco_masks", "hub"):
        raise InputError(f"{where}: {place} holds no masks to which {str(where).rpartition('#')[2]!r} could apply")
    return source


def _source_of(where: str | Path, masks: bool) -> str:
    text, path = str(where), Path(where)
    if text.startswith("hub:"):
        if not text.removeprefix("hub:").strip():
            raise InputError(f"{text!r}: expected the name of a data set of the Hugging Face hub, as hub:OWNER/NAME")
        return "hub"
    if (generated := text.partition(":")[0]) in GENERATED and not path.exists():
        return GENERATED[generated]
    if path.is_dir():
        if (path / "dataset_dict.json").is_file() or (path / "dataset_info.json").is_file():
            return "hub"
        if masks or not has_captions(path):
            table = find_masks(path)
            if table is not None:
                return "mask_rows" if is_mask_table(table) else "coco_masks"
        if not has_captions(path):
            return _questions_of(path) or _source_of_classes(path) if not masks else "folder"
        return "folder"
    if path.is_file():
        if path.suffix.lower() == ".parquet":
            return "hub"
        if is_mask_table(path):
            return "mask_rows"
        if (asked := _questions_of(path)) is not None:
            return asked
        if is_cifar(path):
            return "cifar"
        if is_class_table(path):
            return "class_rows"
        if path.suffix.lower() == ".json" and layout_of(read_json_file(path)):
            return "coco_masks"
        return "coco" if is_coco(path) else "rows"
    hub = f"; for the data set of that name on the Hugging Face hub, write hub:{text}" if text.count("/") == 1 else ""
    raise InputError(
        f"no data at {text!r}: expected a folder, a file of captions, hub:NAME, scenes, scenes:COUNT, "
        f"scenes-masks or scenes-questions{nearest(text, list(GENERATED))}{hub}"
    )


def _source_of_classes(path: Path) -> str:
    """Name the reader of a folder without captions and masks; "folder" says what is missing."""
    if find_class_table(path) is not None:
        return "class_rows"
    if is_cifar(path):
        return "cifar"
    return "class_folders" if is_class_folders(path) else "folder"


def _questions_of(path: Path) -> str | None:
    """Give the name of the reader of a folder's or a file's questions, or None where it holds none."""
    if is_question_table(path) or (path.is_dir() and find_question_table(path) is not None):
        return "questions"
    if is_vqa(path) or (path.is_dir() and find_vqa(path)):
        return "vqa"
    return "daquar" if path.exists() and is_daquar(path) else None


def _scenes_count(where: str) -> int:
    kind, _, count = where.partition(":")
    if not count and ":" not in where:
        return SCENES_COUNT
    digits = count if count.isascii() and count.isdigit() else ""
    if not digits or len(digits) > len(str(SCENES_MOST)) or not 6 <= int(digits) <= SCENES_MOST:
        raise InputError(
            f"{where[:80]!r}: expected {kind}:COUNT with a count of at least 6 and at most {SCENES_MOST:,}, such as "
            f"{kind}:2000"
        )
    return int(count)
