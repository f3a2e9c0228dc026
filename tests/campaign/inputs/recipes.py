"""Recipes: every key with every kind of wrong value, and files that are no recipe."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plait.core.config import (
    FusionSettings,
    ImageSettings,
    ObjectiveSettings,
    Recipe,
    TextSettings,
    TrainSettings,
)
from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command
from tests.campaign.toml import VALUES, changed
from tests.doors.tools import TINY

__all__ = ["cases"]

_TABLES: dict[str, Any] = {
    "": Recipe,
    "text": TextSettings,
    "image": ImageSettings,
    "fusion": FusionSettings,
    "objective": ObjectiveSettings,
    "train": TrainSettings,
}
# Values of the right type that mean something, key by key; all others are refused.
RIGHT: dict[str, tuple[str, ...]] = {
    "name": ("string", "empty"),
    "text.trainable": ("zero",),
    "image.size_px": ("zero",),
    "image.trainable": ("zero",),
    "image.fit": ("empty",),
    "fusion.pairing": ("empty",),
    "objective.name": ("empty",),
    "train.encoder_lr": ("zero",),
    "train.weight_decay": ("zero",),
    "train.warmup_frac": ("zero",),
    "train.clip_norm": ("zero", "huge"),
    "train.ema_decay": ("zero",),
    "train.seed": ("zero",),
    "train.checkpoint_s": ("huge",),
}
_FILES: dict[str, str | bytes] = {
    "not_toml": "epochs: 3\n- yaml",
    "json": '{"task": "match"}',
    "cut": TINY[: len(TINY) // 2] + '\nname = "la',
    "doubled_key": TINY + "epochs = 3\n",
    "doubled_table": TINY + "\n[text]\nmin_count = 1\n",
    "latin1": b'name = "gr\xfcn"\n' + TINY.encode(),
    "utf16": TINY.encode("utf-16"),
    "bom": b"\xef\xbb\xbf" + TINY.encode(),
    "crlf": TINY.replace("\n", "\r\n").encode(),
    "nul": TINY.encode() + b"\x00",
    "brackets": b"a = " + b"[" * 100_000,
    "huge_number": TINY.replace("epochs = 2", f"epochs = {10**40}"),
    "unknown_table": TINY + "\n[trian]\nepochs = 2\n",
    "unknown_key": TINY.replace("epochs = 2", "epoch = 2"),
    "list_of_tables": TINY.replace("[text]", "[[text]]"),
    "table_as_value": TINY.replace("[variants.cross]\noptions = { layers = 1, heads = 2 }", "variants = 3"),
    "variant_as_value": TINY.replace("[variants.cross]\noptions = { layers = 1, heads = 2 }", "variants.cross = 3"),
    "renamed_key": TINY.replace("epochs = 2", "epochs = 2\ncaptions_a_photo = 1"),
    "both_names": TINY.replace("epochs = 2", "epochs = 2\ncaptions_a_photo = 1\ncaptions_per_image = 1"),
    "million_keys": TINY + "".join(f"key{n} = {n}\n" for n in range(20_000)),
    "long_name": TINY.replace('name = "late"', f'name = "{"x" * 5000}"'),
    "control_name": TINY.replace('name = "late"', 'name = "\\u0007late\\n"'),
}
_WORK = ("crlf", "renamed_key")


def cases() -> Iterator[Case]:
    """Give every key with every value, then files that are no recipe, then places where there is none."""
    for table, settings in _TABLES.items():
        hints = typing.get_type_hints(settings)
        for field in dataclasses.fields(settings):
            if dataclasses.is_dataclass(hints[field.name]):
                continue
            key = f"{table}.{field.name}".lstrip(".")
            for how, value in VALUES.items():
                yield _keyed(key, how, value)
    for table in ("text", "image", "fusion", "objective", "train", "variants"):
        for how in ("negative", "nan", "string", "list", "bool"):
            yield _refused(f"recipes/table/{table}/{how}", changed(table, VALUES[how]), (table,))
    for name, content in _FILES.items():
        if name in _WORK:
            yield Case(f"recipes/file/{name}", lambda b, content=content: _fit(b, b.recipe(content)), "works")
        else:
            yield _refused(f"recipes/file/{name}", content, ("recipe|unknown fusion",))
    yield from _places()


def _keyed(key: str, how: str, value: Any) -> Case:
    name, text = f"recipes/{key}/{how}", changed(key, value)
    if how in RIGHT.get(key, ()):
        return Case(name, lambda b: _fit(b, b.recipe(text)), "works")
    table, _, last = key.rpartition(".")
    # A name that is in no table is unknown; an option is named itself.
    said = "option 'a'" if last in ("options", "adapter_options", "towers", "head") else f"unknown {table}"
    return _refused(name, text, (f"{last}|{said}|cannot be paired",))


def _refused(name: str, text: str | bytes, says: tuple[str, ...], known: str = "") -> Case:
    return Case(name, lambda b: _fit(b, b.recipe(text)), says=says, known=known, limit_s=20)


def _fit(bench: Bench, recipe: Path | str) -> Command:
    return Command(["fit", "--data", bench.shared.data, "--recipe", recipe, "--out", bench.out, "--quiet"])


def _places() -> Iterator[Case]:
    def folder(bench: Bench) -> Path:
        path = bench.folder / "recipe.toml"
        path.mkdir()
        return path

    def link(bench: Bench) -> Path:
        path = bench.folder / "recipe.toml"
        path.symlink_to(bench.folder / "nowhere.toml")
        return path

    def forbidden(bench: Bench) -> Path:
        path = bench.recipe()
        bench.without_rights(path)
        return path

    for name, make in {"folder": folder, "broken_link": link, "unreadable": forbidden}.items():
        yield Case(f"recipes/place/{name}", lambda b, make=make: _fit(b, make(b)), says=("recipe.toml",))
    for name, given in {
        "no_such_name": "phtos",
        "no_such_file": "nowhere.toml",
        "empty_name": "",
        "dot": ".",
        "slash": "/",
        "long": "x" * 5000 + ".toml",
        "nul": "a\x00b.toml",
        "other_suffix": "recipe.yaml",
        "traversal": "../recipes/photos",
        "dev_null": "/dev/null",
    }.items():
        yield Case(f"recipes/place/{name}", lambda b, given=given: _fit(b, given), says=("recipe",))
