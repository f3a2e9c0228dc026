"""Lists of captions and of splits that are malformed or unusual, for `data`, `data check` and `fit`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected
from tests.campaign.damage import DAMAGES

__all__ = ["cases", "three"]

Spoil = Callable[[Path], None]
# (how `data` ends, words it has to say, how `fit` ends; `data check` always works but for the words in `_UNCHECKED`)
Rule = tuple[Spoil, Expected, tuple[str, ...]]


def _write(name: str, content: str | bytes) -> Spoil:
    def write(data: Path) -> None:
        path = data / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))

    return write


def _with(name: str, content: str | bytes) -> Spoil:
    """In place of captions.csv."""

    def write(data: Path) -> None:
        (data / "captions.csv").unlink()
        _write(name, content)(data)

    return write


def _edit(change: Callable[[str], str], name: str = "captions.csv", encoding: str = "utf-8") -> Spoil:
    def edit(data: Path) -> None:
        path = data / name
        path.write_bytes(change(path.read_text(encoding="utf-8")).encode(encoding, "surrogateescape"))

    return edit


def _append(line: str) -> Spoil:
    return _edit(lambda text: text + line + "\n")


def _rows(data: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((data / "captions.csv").read_text(encoding="utf-8"))))


def _as_json(name: str, shape: Callable[[list[dict[str, str]]], Any]) -> Spoil:
    def write(data: Path) -> None:
        made = shape(_rows(data))
        lines = name.endswith("jsonl")
        text = "\n".join(json.dumps(one) for one in made) if lines else json.dumps(made)
        _with(name, text)(data)

    return write


def _damaged(name: str, how: str) -> Spoil:
    return lambda data: DAMAGES[how](data / name)


_BAD_BYTE = "\udcff"
CSV: dict[str, Rule] = {
    "header_only": (_write("captions.csv", "image,caption\n"), "refused", ("captions.csv",)),
    "other_columns": (_edit(lambda t: t.replace("image,caption", "picture,words", 1)), "refused", ("row 1",)),
    "one_column": (_write("captions.csv", "image\np000.png\n"), "refused", ("captions.csv",)),
    "doubled_column": (_edit(lambda t: t.replace("image,caption", "image,image", 1)), "refused", ("captions.csv",)),
    "bom": (_edit(lambda t: "\ufeff" + t), "works", ()),
    "utf16": (_edit(lambda t: t, encoding="utf-16"), "refused", ("UTF-16",)),
    "bad_byte_in_text": (_append(f"p000.png,caf{_BAD_BYTE}"), "refused", ("captions.csv, row 26",)),
    "bad_byte_in_name": (_append(f"p{_BAD_BYTE}.png,a thing"), "refused", ("captions.csv, row 26",)),
    "crlf": (_edit(lambda t: t.replace("\n", "\r\n")), "works", ()),
    "cr_only": (_edit(lambda t: t.replace("\n", "\r")), "works", ()),
    "semicolons": (
        _edit(lambda t: t.replace("image,caption", "image;caption").replace('.png,"', '.png;"')),
        "works",
        (),
    ),
    "tabs": (_edit(lambda t: t.replace("image,caption", "image\tcaption").replace('.png,"', '.png\t"')), "works", ()),
    "blank_lines": (_edit(lambda t: t.replace("\n", "\n\n")), "works", ()),
    "no_last_newline": (_edit(lambda t: t.rstrip("\n")), "works", ()),
    "spaces_around": (_edit(lambda t: t.replace("image,caption", " image , caption ")), "works", ()),
    "upper_header": (_edit(lambda t: t.replace("image,caption", "IMAGE,Caption")), "works", ()),
    "unclosed_quote": (_append('p000.png,"a thing'), "refused", ("captions.csv, row",)),
    "quote_inside": (_append('p000.png,"a "red" thing"'), "refused", ("captions.csv, row 26",)),
    "too_few_cells": (_append("p000.png"), "refused", ("captions.csv, row 26",)),
    "nul_in_text": (_append("p000.png,a \x00 thing"), "works", ()),
    "nul_in_name": (_append("p\x00.png,a thing"), "noted", ("captions.csv, row 26",)),
    "empty_text": (_append('p000.png,""'), "noted", ("captions.csv, row 26",)),
    "blank_text": (_append('p000.png,"  \t "'), "noted", ("captions.csv, row 26",)),
    "zero_width_text": (_append("p000.png,\u200b\u200b"), "works", ()),
    "emoji_text": (_append("p000.png,\U0001f600 \U0001f1e9\U0001f1ea e\u0301"), "works", ()),
    "right_to_left_text": (_append("p000.png,\u202eabc \u05d0\u05d1"), "works", ()),
    "control_signs": (_append("p000.png,\x1b[31mred\x07"), "works", ()),
    "long_text": (_append("p000.png," + "word " * 50_000), "refused", ("row 26",)),
    "one_long_word": (_append("p000.png," + "w" * 200_000), "refused", ("row 26",)),
    "numbers_text": (_append("p000.png,12345"), "works", ()),
    "formula_text": (_append("p000.png,=1+1"), "works", ()),
    "html_text": (_append("p000.png,<script>alert(1)</script>"), "works", ()),
    "empty_name": (_append(",a thing"), "noted", ("row 26",)),
    "dot_name": (_append(".,a thing"), "noted", ("row 26",)),
    "folder_name": (_append("../images,a thing"), "refused", ("captions.csv", "../images")),
    "missing_image": (_append("p999.png,a thing"), "noted", ("p999.png",)),
    "outside_image": (_append("../../secret.png,a thing"), "refused", ("captions.csv", "secret.png")),
    "absolute_outside": (_append("/etc/passwd,a thing"), "refused", ("captions.csv", "/etc/passwd")),
    "url_name": (_append("https://example.org/a.png,a thing"), "noted", ("example.org",)),
    "long_name": (_append("n" * 5000 + ".png,a thing"), "noted", ("row 26",)),
    "newline_in_name": (_append('"p\n000.png",a thing'), "noted", ("captions.csv, row",)),
    "images_prefix": (_edit(lambda t: t.replace("p0", "images/p0")), "works", ()),
    "dot_prefix": (_edit(lambda t: t.replace("p0", "./p0")), "works", ()),
    "backslashes": (_edit(lambda t: t.replace("p0", "images\\p0")), "works", ()),
    "upper_suffix": (_edit(lambda t: t.replace(".png", ".PNG")), "works", ()),
    "no_suffix": (_edit(lambda t: t.replace(".png", "")), "works", ()),
    "repeated_rows": (_edit(lambda t: t + "".join(t.splitlines(keepends=True)[1:])), "works", ()),
    "many_rows": (_edit(lambda t: t + "".join(f"p000.png,wording {n}\n" for n in range(300))), "works", ()),
    "split_column": (
        _edit(lambda t: "\n".join(f"{line},{'split' if n == 0 else 'train'}" for n, line in enumerate(t.splitlines()))),
        "works",
        (),
    ),
}
JSON: dict[str, Rule] = {
    "objects.json": (_as_json("captions.json", lambda rows: rows), "works", ()),
    "objects.jsonl": (_as_json("captions.jsonl", lambda rows: rows), "works", ()),
    "strings.jsonl": (_as_json("captions.jsonl", lambda rows: [row["caption"] for row in rows]), "refused", ("row 1",)),
    "numbers.json": (_with("captions.json", "[1, 2, 3]"), "refused", ("captions.json",)),
    "number.json": (_with("captions.json", "3"), "refused", ("captions.json",)),
    "text.json": (_with("captions.json", '"a"'), "refused", ("captions.json",)),
    "brackets.json": (_with("captions.json", "[" * 100_000), "refused", ("captions.json",)),
    "brackets.jsonl": (_with("captions.jsonl", "[" * 100_000), "refused", ("captions.jsonl",)),
    "empty_object.json": (_with("captions.json", "{}"), "refused", ("captions.json",)),
    "empty_list.json": (_with("captions.json", "[]"), "refused", ("captions.json",)),
    "cut.json": (_with("captions.json", '[{"image": "p000.png", "capt'), "refused", ("captions.json",)),
    "cut.jsonl": (_with("captions.jsonl", '{"image": "p000.png", "capt'), "refused", ("captions.jsonl, row 1",)),
    "no_caption.jsonl": (_with("captions.jsonl", '{"image": "p000.png"}\n'), "refused", ("captions.jsonl, row 1",)),
    "number_caption.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "caption": 5}, *rows[1:]]),
        "refused",
        ("captions.jsonl, row 1",),
    ),
    "null_caption.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "caption": None}, *rows[1:]]),
        "noted",
        ("captions.jsonl, row 1",),
    ),
    "table_caption.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "caption": {"en": "a"}}, *rows[1:]]),
        "refused",
        ("captions.jsonl, row 1",),
    ),
    "list_captions.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**row, "caption": [row["caption"], "again"]} for row in rows]),
        "works",
        (),
    ),
    "mixed_list.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "caption": ["a", 1]}, *rows[1:]]),
        "refused",
        ("captions.jsonl, row 1",),
    ),
    "number_image.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "image": 7}, *rows[1:]]),
        "noted",
        ("7",),
    ),
    "list_image.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "image": ["p000.png"]}, *rows[1:]]),
        "refused",
        ("captions.jsonl, row 1",),
    ),
    "null_image.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "image": None}, *rows[1:]]),
        "refused",
        ("captions.jsonl, row 1",),
    ),
    "lone_surrogate.jsonl": (
        _as_json("captions.jsonl", lambda rows: [{**rows[0], "caption": "a \ud800 thing"}, *rows[1:]]),
        "works",
        (),
    ),
    "nan.jsonl": (_with("captions.jsonl", '{"image": NaN, "caption": NaN}\n'), "refused", ("captions.jsonl, row 1",)),
    "coco_no_ids.json": (
        _with("captions.json", '{"images": [{"file_name": "p000.png"}], "annotations": [{"caption": "a"}]}'),
        "refused",
        ("captions.json",),
    ),
    "coco_unknown_image.json": (
        _with(
            "captions.json",
            '{"images": [{"id": 1, "file_name": "p000.png"}], "annotations": [{"image_id": 2, "caption": "a"}]}',
        ),
        "refused",
        ("captions.json",),
    ),
    "coco_no_lists.json": (_with("captions.json", '{"images": 3, "annotations": "x"}'), "refused", ("captions.json",)),
    "two_tables": (_write("captions.jsonl", '{"image": "p000.png", "caption": "other"}\n'), "works", ()),
}
_NAMES = [f"p{n:03d}.png" for n in range(12)]


def _splits(**members: Any) -> Spoil:
    return _write("splits.json", json.dumps(members))


SPLITS: dict[str, Rule] = {
    "numbers": (_splits(train=[1, 2], val=[3]), "refused", ("splits.json", "train")),
    "text": (_splits(train="p000.png", val=["p001.png"]), "refused", ("splits.json", "train")),
    "unknown_names": (_splits(train=[*_NAMES[:8], "x.png"], val=_NAMES[8:]), "noted", ("x.png",)),
    "all_unknown": (_splits(train=["x.png"], val=["y.png"]), "refused", ("splits.json",)),
    "doubled": (_splits(train=[*_NAMES[:8], "p000.png"], val=_NAMES[8:]), "refused", ("p000.png",)),
    "in_two": (_splits(train=_NAMES[:9], val=_NAMES[8:]), "refused", ("p008.png",)),
    "some_in_none": (_splits(train=_NAMES[:6], val=_NAMES[8:]), "noted", ("p006.png",)),
    "empty_train": (_splits(train=[], val=_NAMES), "noted", ("train",)),
    "without_suffix": (_splits(train=[n[:-4] for n in _NAMES[:8]], val=[n[:-4] for n in _NAMES[8:]]), "works", ()),
    "with_folder": (_splits(train=[f"images/{n}" for n in _NAMES[:8]], val=_NAMES[8:]), "works", ()),
    "one_held_out": (_splits(train=_NAMES[:11], val=_NAMES[11:]), "refused", ("val",)),
    "own_names": (_splits(train=_NAMES[:6], val=_NAMES[6:9], extra=_NAMES[9:]), "works", ()),
    "empty_name": (_splits(**{"train": _NAMES[:8], "": _NAMES[8:]}), "refused", ("splits.json",)),
    "misnamed": (lambda data: (data / "splits.json").rename(data / "split.json") and None, "refused", ("split.json",)),
    "misnamed_case": (lambda d: (d / "splits.json").rename(d / "Splits.JSON") and None, "refused", ("Splits.JSON",)),
    "hidden_suffix": (
        lambda d: (d / "splits.json").rename(d / "splits.json.txt") and None,
        "refused",
        ("splits.json.txt",),
    ),
    "no_val": (_splits(train=_NAMES[:10], later=_NAMES[10:]), "works", ()),
}
# These are whole as data, and `fit` has nothing to report on, or to train with.
_NO_FIT = ("no_val", "empty_train")
_NOTHING_TO_CHECK = ("header_only", "one_column", "utf16", "empty", "noise")


def cases() -> Iterator[Case]:
    """Give every rule for every verb, and every damage of captions.csv and splits.json."""
    for kind, rules in (("csv", CSV), ("json", JSON), ("splits", SPLITS)):
        for name, (spoil, expect, says) in rules.items():
            yield from three(f"data/{kind}/{name}", spoil, expect, says, fits=name not in _NO_FIT)
    for name in ("captions.csv", "splits.json"):
        for how in (
            "empty",
            "truncated",
            "noise",
            "object",
            "list",
            "null",
            "brackets",
            "folder",
            "broken_link",
            "ring",
        ):
            spoil = _damaged(name, how)
            yield from three(f"data/damaged/{name}/{how}", spoil, "refused", (name,))


def three(name: str, spoil: Spoil, expect: Expected, says: tuple[str, ...], *, fits: bool = True) -> Iterator[Case]:
    """Give the inputs of one data set: looked at, checked, and fitted."""

    def data(bench: Bench) -> Path:
        folder = bench.data()
        spoil(folder)
        return folder

    yield Case(f"{name}/data", lambda b: Command(["data", data(b), "--json"]), expect, says=says)
    yield Case(f"{name}/check", lambda b: Command(["data", "check", data(b), "--json", "--quiet"]), "works")
    yield Case(
        f"{name}/fit",
        lambda b: Command(
            ["fit", "--data", data(b), "--recipe", b.shared.recipe, "--epochs", 1, "--out", b.out, "--json", "--quiet"]
        ),
        expect if fits else "refused",
        says=says if expect != "refused" and fits else (),
    )
