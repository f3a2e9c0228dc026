"""One reader for those who stop at the first bad row and those who want them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plait.core.errors import InputError
from plait.data.assemble import Row
from plait.data.sources.coco import read_coco_rows
from plait.data.sources.rows import open_rows, read_rows
from plait.data.sources.table import Problem, first_columns, read_json_file, read_text, strict, table_rows

BAD = [
    b"image,caption",
    b"a.jpg,first",
    b'b.jpg,"He" said',  # row 3: a quotation mark inside quotes
    b"c.jpg,caf\xe9",  # row 4: Latin-1
    b"d.jpg,x,y,z",  # row 5: commas, but the caption is last
    b"e.jpg",  # row 6: no caption
    b"",
    b'f.jpg,"never closed',  # row 8
    b"g.jpg,last",
]


def test_bad_rows_are_problems_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes(b"\n".join(BAD) + b"\n")
    found = list(read_rows(path))
    rows = [(item.image, item.text) for item in found if isinstance(item, Row)]
    assert rows == [("a.jpg", "first"), ("d.jpg", "x,y,z"), ("g.jpg", "last")]
    problems = {item.where.removeprefix(f"{path}, "): item.reason for item in found if isinstance(item, Problem)}
    assert list(problems) == ["row 3", "row 4", "row 6", "row 8"]
    assert "in quotes" in problems["row 3"]
    assert "UTF-8" in problems["row 4"]
    assert "1 columns; the header has 2" in problems["row 6"]
    assert "unexpected end of data" in problems["row 8"]


def test_opening_stops_at_the_first_problem(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes(b"\n".join(BAD) + b"\n")
    with pytest.raises(InputError, match=r"captions\.csv, row 3: .*in quotes"):
        open_rows(path)
    rows = strict(read_rows(path))
    assert next(rows).image == "a.jpg"
    with pytest.raises(InputError, match="row 3"):
        next(rows)


def test_quotes_that_never_close_do_not_take_forever(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text("image,caption\n" + 'a.jpg,"open\nb.jpg,fine\n' * 2001)
    found = list(read_rows(path))
    assert 1 <= sum(isinstance(item, Problem) for item in found) <= 5000


def test_tables_of_any_columns(tmp_path: Path) -> None:
    path = tmp_path / "vqa.csv"
    path.write_text("image,question,answer\na.jpg,what?,cup\nb.jpg,where?\nc.jpg,who?,x,y\n")
    found = list(table_rows(path, label="vqa.csv"))
    assert found[0] == ("vqa.csv, row 2", {"image": "a.jpg", "question": "what?", "answer": "cup"})
    assert [item.where for item in found if isinstance(item, Problem)] == ["vqa.csv, row 3", "vqa.csv, row 4"]
    assert found[2:] == list(table_rows(path, label="vqa.csv", last_takes_rest=("caption",)))[2:]
    rest = list(table_rows(path, last_takes_rest=("answer",)))
    assert not isinstance(rest[2], Problem)
    assert rest[2][1]["answer"] == "x,y"


def test_json_lines_and_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"image": "a", "caption": "x"}\n{"image"\n[1]\n{"image": "b", "caption": "caf\xe9"}\n{"image": "c"}\n'
    )
    problems = [item for item in read_rows(path) if isinstance(item, Problem)]
    assert [item.where.rpartition(", ")[2] for item in problems] == ["row 2", "row 3", "row 4", "row 5"]
    assert problems[0].reason.startswith("not valid JSON")
    assert "no caption column" in problems[3].reason
    assert first_columns(path) == ["image", "caption"]
    broken_first = tmp_path / "b.jsonl"
    broken_first.write_text('{"image"\n{"image": "a", "label": "x"}\n')
    assert first_columns(broken_first) == ["image", "label"]
    assert isinstance(next(table_rows(broken_first, label="b")), Problem)


def test_deep_json_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="not valid JSON"):
        read_json_file(path)


def test_coco_annotations_one_by_one(tmp_path: Path) -> None:
    data = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2}],
        "annotations": [
            {"image_id": 1, "caption": "x"},
            {"image_id": 9, "caption": "x"},
            {"image_id": 1},
            {"image_id": 1, "caption": 3},
            {"image_id": 1, "caption": "y"},
        ],
    }
    found = list(read_coco_rows(tmp_path / "c.json", json.loads(json.dumps(data))))
    assert [item.text for item in found if isinstance(item, Row)] == ["x", "y"]
    assert sum(isinstance(item, Problem) for item in found) == 4


def test_files_in_utf16_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("image,caption\na.jpg,x\n".encode("utf-16"))
    with pytest.raises(InputError, match="UTF-16"):
        read_text(path)
    with pytest.raises(InputError, match="Is a directory"):
        read_text(tmp_path)
