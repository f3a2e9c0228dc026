"""The Python API: every parameter of every public function with values of every wrong, and every fitting, kind."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

import plait
from plait import api
from tests.campaign import adapter
from tests.campaign.bench import Bench
from tests.campaign.case import Case, Expected, Python

__all__ = ["cases"]

_PIXELS = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
# What is given in place of an argument. Made for each input, as generators are used up.
VALUES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "minus": lambda: -1,
    "half": lambda: 0.5,
    "nan": lambda: math.nan,
    "true": lambda: True,
    "empty_text": lambda: "",
    "text": lambda: "two",
    "long_text": lambda: "x" * 5000,
    "nul_text": lambda: "a\x00b",
    "bytes": lambda: b"photo",
    "empty_list": list,
    "numbers": lambda: [1, 2],
    "dict": lambda: {"a": 1},
    "generator": lambda: (word for word in ("late", "cross")),
    "array": lambda: _PIXELS.copy(),
    "tensor": lambda: torch.zeros(3, 24, 24),
    "image": lambda: Image.fromarray(_PIXELS),
    "object": object,
    "type": lambda: str,
    "huge": lambda: 10**30,
}
# Of the values so many are drawn for each parameter.
DRAWN, SEED = 12, 5
Call = Callable[[Bench, Any], Any]
NONE = ("none",)
EMPTY = ("none", "empty_text")
IMAGE = ("array", "image", "tensor")
TEXTS = ("generator",)
WORDS = ("text", "long_text", "nul_text")
TEXT = (*WORDS, *TEXTS)
# "function.parameter" -> the call, and the values that mean something there.
PARAMETERS: dict[str, tuple[Call, tuple[str, ...]]] = {
    # Of a recipe that is None the photos' own is taken, which trains for minutes: 1 is none.
    "fit.recipe": (lambda b, v: adapter.fit(1 if v is None else v, b.shared.data, b.out), ()),
    "fit.data": (lambda b, v: adapter.fit(b.shared.recipe, v, b.out), ()),
    "fit.out": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, v), ("text",)),
    "fit.tokens": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, b.out, tokens=v), NONE),
    "fit.pairing": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, b.out, pairing=v), EMPTY),
    "fit.limit": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, b.out, limit=v), NONE),
    "fit.device": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, b.out, device=v), ()),
    "fit.devices": (lambda b, v: adapter.fit(b.shared.recipe, b.shared.data, b.out, devices=v), ()),
    "compare.data": (lambda b, v: adapter.compare(v, b.out, recipe=b.shared.recipe, seeds=1), ()),
    "compare.out": (lambda b, v: _compare(b, b.shared.data, v), ("text",)),
    "compare.fusions": (lambda b, v: _compare(b, fusions=v), TEXTS),
    "compare.seeds": (lambda b, v: _compare(b, seeds=v), ("numbers",)),
    "compare.epochs": (lambda b, v: _compare(b, epochs=v), NONE),
    "compare.tokens": (lambda b, v: _compare(b, tokens=v), NONE),
    "compare.pairing": (lambda b, v: _compare(b, pairing=v), EMPTY),
    "compare.match_budget": (lambda b, v: _compare(b, match_budget=v), EMPTY),
    "compare.jobs": (lambda b, v: _compare(b, jobs=v), ()),
    "compare.device": (lambda b, v: _compare(b, device=v), ()),
    "evaluate.run": (lambda b, v: adapter.evaluate(v, b.shared.data), ()),
    "evaluate.data": (lambda b, v: adapter.evaluate(b.shared.run, v), ()),
    "evaluate.split": (lambda b, v: adapter.evaluate(b.shared.run, b.shared.data, split=v), ()),
    "evaluate.limit": (lambda b, v: adapter.evaluate(b.shared.run, b.shared.data, limit=v), NONE),
    "evaluate.device": (lambda b, v: adapter.evaluate(b.shared.run, b.shared.data, device=v), ()),
    "audit.run": (lambda b, v: adapter.audit(v), ()),
    "audit.fusion": (lambda b, v: adapter.audit(fusion=v), ()),
    "audit.seeds": (lambda b, v: adapter.audit(fusion="late", seeds=v), ()),
    "load.run": (lambda b, v: adapter.load(v), ()),
    "load.device": (lambda b, v: adapter.load(b.shared.run, device=v), ()),
    "package.run": (lambda b, v: adapter.package(v, b.out), ()),
    "package.out": (lambda b, v: adapter.package(b.shared.run, v), ("text",)),
    "open_data.where": (lambda b, v: adapter.open_data(v), ()),
    "open_data.limit": (lambda b, v: adapter.open_data(b.shared.data, limit=v), NONE),
    "open_data.images": (lambda b, v: adapter.open_data(b.shared.data, images=v), NONE),
    "open_data.seed": (lambda b, v: adapter.open_data("scenes:12", seed=v), ()),
    "check.data": (lambda b, v: adapter.check(v), ()),
    "check.fix": (lambda b, v: adapter.check(b.shared.data, fix=v), (*NONE, "text")),
    "check.out": (lambda b, v: adapter.check(b.shared.data, out=v), (*NONE, "text")),
    "recipe.name": (lambda b, v: plait.recipe(v), ()),
    "report.out": (lambda b, v: plait.report(v), ()),
    "describe.collection": (lambda b, v: plait.describe(v), ()),
    "verify.collection": (lambda b, v: api.verify(v), ()),
    "list_names.kind": (lambda b, v: plait.list_names(v), ()),
    "clear_cache.name": (lambda b, v: api.clear_cache(v), NONE),
    "match.images": (lambda b, v: adapter.load(b.shared.run).match(v, ["red", "blue"]), IMAGE),
    "match.image": (lambda b, v: adapter.load(b.shared.run).match([v], ["red", "blue"]), IMAGE),
    "match.texts": (lambda b, v: adapter.load(b.shared.run).match([b.shared.photo], v), TEXT),
    "match.text": (
        lambda b, v: adapter.load(b.shared.run).match([b.shared.photo], [v]),
        WORDS,
    ),
    "attention.image": (lambda b, v: adapter.load(_cross(b)).attention(v, "red"), IMAGE),
    "attention.text": (
        lambda b, v: adapter.load(_cross(b)).attention(b.shared.photo, v),
        WORDS,
    ),
    "encode_texts.texts": (lambda b, v: adapter.load(b.shared.run).encode_texts(v), TEXT),
    "encode_images.images": (lambda b, v: adapter.load(b.shared.run).encode_images(v), IMAGE),
    "mask.image": (lambda b, v: adapter.load(b.shared.mask_run).mask(v, "dog"), IMAGE),
    "mask.text": (
        lambda b, v: adapter.load(b.shared.mask_run).mask(_masked(b), v),
        WORDS,
    ),
    "mask.threshold": (
        lambda b, v: adapter.load(b.shared.mask_run).mask(_masked(b), "dog", threshold=v),
        (*NONE, "half"),
    ),
    "mask.out": (lambda b, v: adapter.load(b.shared.mask_run).mask(_masked(b), "dog", out=v), (*NONE, "text")),
}
ARRAYS: dict[str, tuple[Callable[[], np.ndarray], Expected]] = {
    "grey": (lambda: _PIXELS[..., 0], "works"),
    "rgba": (lambda: np.dstack([_PIXELS, _PIXELS[..., 0]]), "refused"),
    "channels_first": (lambda: _PIXELS.transpose(2, 0, 1), "refused"),
    "float_unit": (lambda: _PIXELS / 255, "refused"),
    "float_255": (lambda: _PIXELS.astype(float), "refused"),
    "nan": (lambda: np.full((24, 24, 3), np.nan), "refused"),
    "int64": (lambda: _PIXELS.astype(np.int64), "refused"),
    "bool": (lambda: _PIXELS > 100, "refused"),
    "empty": (lambda: np.zeros((0, 0, 3), np.uint8), "refused"),
    "one_pixel": (lambda: np.zeros((1, 1, 3), np.uint8), "works"),
    "four_axes": (lambda: _PIXELS[None], "refused"),
    "vector": (lambda: np.zeros(10, np.uint8), "refused"),
    "scalar": (lambda: np.uint8(3), "refused"),
    "texts": (lambda: np.array(["a", "b"]), "refused"),
    "objects": (lambda: np.array([None, 1], dtype=object), "refused"),
    "turned": (lambda: _PIXELS[::-1, ::-1], "works"),
}


def cases() -> Iterator[Case]:
    """Give every parameter with every value, then arrays as images, then names of the package."""
    for parameter, (call, right) in PARAMETERS.items():
        for how in random.Random(f"{SEED} {parameter}").sample(sorted(VALUES), DRAWN):
            value = VALUES[how]
            yield Case(
                f"python/{parameter}/{how}",
                lambda b, call=call, value=value: Python(lambda: call(b, value())),
                "works" if how in right else "refused",
                writes=("out", "here"),
                limit_s=60,
            )
    for how, (make, expect) in ARRAYS.items():
        yield Case(
            f"python/array/{how}",
            lambda b, make=make: Python(lambda: adapter.load(b.shared.run).match([make()], ["red", "blue"])),
            expect,
        )
    for name in ("Model", "nosuch", "Fit", "compair"):
        yield Case(
            f"python/name/{name}",
            lambda b, name=name: Python(lambda: name in dir(plait)),
            "works",
            check=lambda b, known, name=name: "" if known == (name == "Model") else f"dir(plait) and {name}",
        )


def _compare(bench: Bench, data: Any = None, out: Any = None, **options: Any) -> Any:
    given = {"recipe": bench.shared.recipe, "seeds": 1, "epochs": 1, **options}
    return adapter.compare(bench.shared.data if data is None else data, bench.out if data is None else out, **given)


def _cross(bench: Bench) -> Any:
    return bench.shared.comparison / "runs" / "cross-s0"


def _masked(bench: Bench) -> Any:
    return bench.shared.masks / "images" / "p0.png"
