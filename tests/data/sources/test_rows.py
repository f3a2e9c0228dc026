"""Rows of every published form, with and without a header, and what is wrong with the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.core.errors import InputError
from plait.data.sources.images_folder import find_images
from plait.data.sources.rows import open_rows, read_rows
from plait.data.sources.table import strict
from tests.data.photos import save_photo

FORMS = {
    "header.csv": 'image,caption\na.jpg,"A dog, two cats"\na.jpg,Again\nb.jpg,"Say ""hi"""\n',
    "bare.csv": 'a.jpg,"A dog, two cats"\na.jpg,Again\nb.jpg,"Say ""hi"""\n',
    "bom.csv": '\ufefffilename,Caption\r\na.jpg,"A dog, two cats"\r\na.jpg,Again\r\nb.jpg,"Say ""hi"""\r\n',
    "turned.csv": 'id,caption,image\n1,"A dog, two cats",a.jpg\n2,Again,a.jpg\n3,"Say ""hi""",b.jpg\n',
    "semicolon.csv": 'image;text\na.jpg;A dog, two cats\na.jpg;Again\nb.jpg;"Say ""hi"""\n',
    "token.txt": 'a.jpg#0\tA dog, two cats\na.jpg#1\tAgain\nb.jpg#0\tSay "hi"\n',
    "results.csv": "image_name| comment_number| comment\n"
    'a.jpg| 0| A dog, two cats\na.jpg| 1| Again\nb.jpg| 0| Say "hi"\n',
    "bare_pipes.csv": 'a.jpg| 0| A dog, two cats\na.jpg| 1| Again\nb.jpg| 0| Say "hi"\n',
    "unquoted.csv": "image,caption\na.jpg,A dog, two cats\na.jpg,Again\n" + 'b.jpg,"Say ""hi"""\n',
    "unquoted_bare.csv": "a.jpg,A dog, two cats\n\na.jpg,Again\n" + 'b.jpg,"Say ""hi"""\n',
    "rows.jsonl": '{"file_name": "a.jpg", "text": ["A dog, two cats", "Again"]}\n\n'
    '{"file_name": "b.jpg", "text": "Say \\"hi\\""}\n',
    "rows.json": '[{"image": "a.jpg", "caption": "A dog, two cats"}, {"image": "a.jpg", "caption": "Again"},'
    ' {"image": "b.jpg", "caption": "Say \\"hi\\""}]',
    "karpathy.json": '{"images": [{"filename": "a.jpg", "sentences": [{"raw": "A dog, two cats"}, {"raw": "Again"}]},'
    ' {"filename": "b.jpg", "sentences": [{"raw": "Say \\"hi\\""}]}]}',
}
WANTED = [("a.jpg", "A dog, two cats"), ("a.jpg", "Again"), ("b.jpg", 'Say "hi"')]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name].encode())
    assert [(row.image, row.text.strip()) for row in strict(read_rows(tmp_path / name))] == WANTED


def test_names_without_a_suffix_are_known_by_their_files(tmp_path: Path) -> None:
    save_photo(tmp_path / "images" / "17.jpg")
    (tmp_path / "a.csv").write_text("17,A dog\n17,A cat\n")
    assert [row.text for row in strict(read_rows(tmp_path / "a.csv", tmp_path / "images"))] == ["A dog", "A cat"]


def test_a_sentence_that_begins_with_a_quotation_mark_swallows_nothing(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text('a.jpg#0\t"Stop sign\nb.jpg#0\tA " dog\n')
    assert [row.text for row in strict(read_rows(tmp_path / "token.txt"))] == ['"Stop sign', 'A " dog']


def test_long_captions_are_kept(tmp_path: Path) -> None:
    text = "word " * 10_000
    (tmp_path / "a.csv").write_text(f"image,caption\na.jpg,{text}\n")
    assert next(strict(read_rows(tmp_path / "a.csv"))).text == text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "picture_file,words\nx,y\n", r"a\.csv, row 1: no image column.*found: picture_file, words; expected"),
        (
            "a.csv",
            "image,captoin\nx.jpg,y\n",
            r"no caption column \(is 'captoin' meant as 'caption'\?\); found: image, c",
        ),
        ("a.csv", "image,caption,n\na.jpg,y,1,2\n", r"row 2: 4 columns; the header has 3\. Put captions in quotes"),
        ("a.csv", 'image,caption\na.jpg,"He" said\n', r"row 2: .*a text with a comma or a quotation mark must be in"),
        ("a.csv", 'image,caption\nb.jpg,x\na.jpg,"open\n', r"row 3: unexpected end of data"),
        ("a.csv", "image,caption\na.jpg," + "x" * 140_000, r"row 2: field larger than field limit"),
        ("a.csv", " \n\n", r"the file is empty"),
        ("a.jsonl", '{"image": "a.jpg", "caption": "x"}\n{"image"', r"a\.jsonl, row 2: not valid JSON"),
        ("a.jsonl", "[1]\n", r"row 1: expected an object with an image and a caption, got \[1\]"),
        ("a.jsonl", '{"image": "a.jpg"}\n', r"row 1: no caption column; found: image; expected one of: caption"),
        ("a.jsonl", '{"image": null, "caption": "x"}\n', r"key 'image': expected an image's name, got None"),
        ("a.jsonl", '{"image": "a.jpg", "caption": 5}\n', r"key 'caption': expected a sentence, got 5"),
        ("a.json", "{", r"a\.json: not valid JSON"),
        ("a.json", "{}", r"a\.json: expected a list of objects"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        list(strict(read_rows(tmp_path / name)))


def test_files_that_are_not_utf8_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("image,caption\na.jpg,Ein größer Hund\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.csv, row 2: not UTF-8; save the file as UTF-8"):
        list(strict(read_rows(tmp_path / "a.csv")))
    (tmp_path / "a.json").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"a\.json, row 1: not UTF-8"):
        list(strict(read_rows(tmp_path / "a.json")))
    for name in ("gone.csv", "gone.json"):
        with pytest.raises(InputError, match=r"cannot be read: No such file"):
            list(strict(read_rows(tmp_path / name)))


def test_splits_named_by_rows(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.png", "caption": "x", "split": "train" if n < 2 else "val"} for n in range(4)]
    for n in range(4):
        save_photo(tmp_path / "pictures" / f"{n}.png")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert open_rows(tmp_path / "a.jsonl").splits == {"train": (0, 1), "val": (2, 3)}
    (tmp_path / "b.csv").write_text("image,caption,split\n" + "".join(f"{r['image']},x,{r['split']}\n" for r in rows))
    assert open_rows(tmp_path / "b.csv").splits == {"train": (0, 1), "val": (2, 3)}
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, [*rows, {**rows[0], "split": "val"}])))
    with pytest.raises(
        InputError, match=r"row 5: image '0\.png' is in split 'val', but an earlier row put it in 'train'"
    ):
        open_rows(tmp_path / "a.jsonl")


def test_photos_that_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(InputError, match=r"none of the first 1 images .* in pictures/ \(for instance 'a\.jpg'\)"):
        find_images(tmp_path, ["a.jpg"])
