"""Tables of image, text and mask: how they are recognised, what is kept, what is listed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from plait.core.errors import ConfigError, InputError
from plait.data.masks.load import load_mask
from plait.data.open import open_collection, source_of
from plait.data.sources.mask_rows import is_mask_table
from tests.data.mask_sets import box, mask_set, save_mask


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    data = open_collection(mask_set(tmp_path / "mine"))
    assert (data.name, data.origin, len(data.photos), len(data.captions)) == ("mine", str(tmp_path / "mine"), 6, 12)
    assert data.splits == {"train": (0, 1, 2, 3), "val": (4, 5)}
    assert data.has_masks
    first = data.captions[3]
    assert (first.text, first.image) == ("cat", 1)
    assert first.mask is not None
    assert (first.mask.polarity, first.mask.where) == ("foreground", f"{tmp_path}/mine/pairs.csv, row 5")
    np.testing.assert_array_equal(load_mask(first.mask, (30, 40)), box(11))
    assert open_collection(tmp_path / "mine" / "pairs.csv").fingerprint == data.fingerprint


def test_a_row_can_say_which_list_of_words_its_phrase_is_of(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    plain = open_collection(folder)
    table = folder / "pairs.csv"
    lines = table.read_text(encoding="utf-8").splitlines()

    def with_column(name: str, *values: str) -> list[str]:
        cells = [name, *(values[n % len(values)] for n in range(len(lines) - 1))]
        table.write_text("\n".join(f"{line},{cell}" for line, cell in zip(lines, cells, strict=True)) + "\n")
        data = open_collection(folder)
        assert data.fingerprint == plain.fingerprint
        return [caption.vocabulary for caption in data.captions[:3]]

    assert [caption.vocabulary for caption in plain.captions[:3]] == ["", "", ""]
    assert with_column("vocabulary", "animals", "") == ["animals", "", "animals"]
    assert with_column("kind", "thing", "stuff", "crowd") == ["thing", "stuff", ""]


def test_fingerprints_follow_the_masks(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    before = open_collection(folder)
    first = before.fingerprint  # read before a mask is changed
    save_mask(folder / "masks" / "p0_dog.png", box(7))
    after = open_collection(folder)
    assert (before.photos_fingerprint, before.captions_fingerprint) == (
        after.photos_fingerprint,
        after.captions_fingerprint,
    )
    assert first != after.fingerprint
    assert after.fingerprint != open_collection(f"{folder}#polarity=background").fingerprint


def test_captions_come_first_unless_masks_are_asked_for(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    (folder / "captions.csv").write_text("image,caption\n" + "".join(f"p{n}.png,a photo\n" for n in range(6)))
    assert not open_collection(folder).has_masks
    assert source_of(folder) == "folder"
    data = open_collection(f"{folder}#masks")
    assert data.has_masks
    assert data.origin == f"{folder}#masks"
    assert len(open_collection(f"{folder}#source!=web").captions) == 10
    wanted = open_collection(f"{folder}#text=dog,polarity=background,empty=keep")
    assert {caption.text for caption in wanted.captions} == {"dog"}
    assert wanted.reading is not None
    assert (wanted.reading.empty, wanted.captions[0].mask.polarity) == ("keep", "background")  # type: ignore[union-attr]
    assert str(wanted.skipped[0].reason) == "6 rows do not meet the conditions"
    assert wanted.limit(2).reading == wanted.reading


def test_a_folder_whose_name_has_the_mark(tmp_path: Path) -> None:
    assert open_collection(mask_set(tmp_path / "a#b")).name == "a#b"


def test_json_lines_and_a_column_of_polarities(tmp_path: Path) -> None:
    folder = mask_set(tmp_path, splits=False)
    (folder / "pairs.csv").unlink()
    rows = [
        {
            "image": f"p{n}.png",
            "instruction": "make it red",
            "mask": f"masks/p{n}_dog.png",
            "split": "train" if n < 3 else "val",
        }
        for n in range(6)
    ]
    rows[1]["polarity"] = "background"
    (folder / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = open_collection(folder)
    assert data.splits == {"train": (0, 1, 2), "val": (3, 4, 5)}
    assert [caption.mask.polarity for caption in data.captions[:2]] == ["foreground", "background"]  # type: ignore[union-attr]
    (folder / "edits.json").write_text(json.dumps(rows))
    assert open_collection(folder / "edits.json").fingerprint == data.fingerprint


def test_what_cannot_be_used_is_listed(tmp_path: Path) -> None:
    extra = "p0.png,bird,gone.png,desk\np1.png,,p1_dog.png,desk\ngone.png,dog,p1_dog.png,desk\np2.png,cow,,desk\n"
    folder = mask_set(tmp_path, extra=extra)
    (folder / "masks" / "p3_dog.png").write_bytes(b"")
    (folder / "images" / "p9.png").write_bytes((folder / "images" / "p0.png").read_bytes())
    splits = json.loads((folder / "splits.json").read_text())
    (folder / "splits.json").write_text(json.dumps({**splits, "train": [*splits["train"], "p9.png"]}))
    data = open_collection(folder)
    assert len(data.captions) == 11
    assert [
        f"{skip.where.removeprefix(str(folder))}: {skip.reason.replace(str(folder), '')}" for skip in data.skipped
    ] == [
        "/pairs.csv, row 8: p3_dog.png: the mask file is empty (0 bytes) in /masks or ",
        "/pairs.csv, row 14: gone.png: no such mask in /masks or ",
        "/pairs.csv, row 17: the mask of p2.png is not named",
        "/pairs.csv, row 15: the caption of p1.png is empty",
        "/pairs.csv, row 16: gone.png: no such image in /images",
        "/splits.json, split 'train': 1 images have no mask: p9.png",
    ]


def test_ten_thousand_words_are_a_text(tmp_path: Path) -> None:
    text = "word " * 10_000
    data = open_collection(mask_set(tmp_path, extra=f"p0.png,{text},p0_dog.png,desk\n"))
    assert max(len(caption.text.split()) for caption in data.captions) == 10_000


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ("sorce=web", InputError, r"no column 'sorce'; did you mean 'source'\?; found: image, text, mask, source"),
        ("text=horse", InputError, r"no row is left; the first thing skipped: .*12 rows do not meet"),
        ("mask", ConfigError, r"'mask' after '#': expected masks, polarity=\.\.\., empty=skip"),
        ("polarity=white", ConfigError, r"mask polarity 'white': expected one of foreground"),
        ("empty=drop", ConfigError, r"empty masks: expected 'skip' or 'keep', got 'drop'"),
    ],
)
def test_what_is_asked_for_wrongly(tmp_path: Path, words: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_collection(f"{mask_set(tmp_path)}#{words}")


def test_masks_asked_of_a_set_without(tmp_path: Path) -> None:
    folder = mask_set(tmp_path)
    (folder / "pairs.csv").unlink()
    (folder / "captions.csv").write_text("image,caption\np0.png,dog\n")
    with pytest.raises(InputError, match=r"holds no masks to which 'masks' could apply"):
        open_collection(f"{folder}#masks")
    assert not is_mask_table(folder / "captions.csv")
    assert not is_mask_table(folder / "gone.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("p0.png,dog,../../secret.png,desk\n", r"image name '\.\./\.\./secret\.png' leads out of"),
        ("p0.png,dog,p0_dog.png\n", r"pairs\.csv, row 14: 3 columns; the header has 4"),
        ('p0.png,"dog,p0_dog.png,desk\n', r"pairs\.csv, row 14: unexpected end of data; a text with a comma"),
    ],
)
def test_rows_that_are_wrong(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_collection(mask_set(tmp_path, extra=rows))


def test_tables_that_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,text,mask\n")
    with pytest.raises(InputError, match=r"a\.csv: no rows; expected image,text,mask rows"):
        open_collection(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("image,words,mask\np.png,dog,m.png\n")
    with pytest.raises(InputError, match=r"b\.csv, row 2: no text column"):
        open_collection(tmp_path / "b.csv")
    (tmp_path / "c.jsonl").write_text('{"image": "a", "text": "b", "mask": {"counts": 3}}')
    with pytest.raises(InputError, match=r"expected a text and a mask's file name"):
        open_collection(tmp_path / "c.jsonl")
    (tmp_path / "d.jsonl").write_text('{"image": "a", "text": "b", "mask": "c"}\n[1]')
    with pytest.raises(InputError, match=r"row 2: expected an object with a value for each column, got \[1\]"):
        open_collection(tmp_path / "d.jsonl")
