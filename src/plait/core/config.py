"""Recipes: what a run is made of, as frozen dataclasses read from a short TOML file. Imports no torch.

A recipe has five tables, each optional: `[text]`, `[image]`, `[fusion]`, `[objective]`, `[train]`, and the two plain
keys `name` and `task`. An unknown key is an error that names the nearest valid one. The data set is not part of a
recipe: the same recipe runs on any.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from plait.core.errors import ConfigError, nearest
from plait.core.os_errors import os_sentence
from plait.core.recipe.renamed import renamed
from plait.core.recipe.typed import make_settings

__all__ = [
    "FusionSettings",
    "ImageSettings",
    "ObjectiveSettings",
    "Recipe",
    "TextSettings",
    "TrainSettings",
    "read_recipe",
    "recipe_from_dict",
    "recipe_to_dict",
]


@dataclass(frozen=True)
class TextSettings:
    """The text encoder.

    Fields:
        encoder:    a name from `plait list encoders`
        max_tokens: longer texts are cut here, special tokens included
        trainable:  how many of the encoder's last layers are trained; 0 = frozen, cached once
        min_count:  words seen less often in the training captions become <unk>; for encoders that learn their words
        tokeniser:  "plain" (ours) or "spacy"; likewise
        options:    keyword arguments of the encoder
    """

    encoder: str = "minilm"
    max_tokens: int = 48
    trainable: int = 0
    min_count: int = 2
    tokeniser: Literal["plain", "spacy"] = "plain"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageSettings:
    """The image encoder.

    Fields:
        encoder:   a name from `plait list encoders`
        size_px:   side of the square input; 0 = the encoder's own
        fit:       "squash", "crop" or "pad" (see `ImageSpec`); "" = the encoder's own
        trainable: how many of the encoder's last blocks are trained; 0 = frozen, cached once
        views:     what each training photo is shown as, one drawn at each visit: "full", "flip", "crop0" ... "crop9"
                   (seeded crops of 70 to 100 % of the area, every odd one mirrored). "full" is always among them, and
                   evaluation sees nothing else.
        options:   keyword arguments of the encoder
    """

    encoder: str = "efficientnet_lite2"
    size_px: int = 0
    fit: str = ""
    trainable: int = 0
    views: tuple[str, ...] = ("full",)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FusionSettings:
    """How the two sides are fused.

    Fields:
        name:     a name from `plait list fusions`
        tokens:   "tokens" (words x regions) or "pooled" (one vector per side: the literature's baseline)
        pairing:  for task "match": "all", "itm" (towers and a fused head that re-ranks, trained together), "rerank"
                  (towers first, then the head) or "" = the fusion's own default; "matched" reproduces tables of papers
                  that fuse each image with its own caption before they compare: leaky, and marked so in every result
        width:    common width D both sides are projected to
        adapter:  "linear", "bottleneck" or "transformer": how each side is projected
        adapter_options: keyword arguments of the adapter
        towers:   with pairing "itm" and "rerank": options of the late fusion that finds the candidates
        rerank_k: with these: how many of the towers' best candidates are re-ranked at evaluation
        options:  keyword arguments of the fusion
        head:     keyword arguments of the head that reads it and, where the task has several, its "name"
        objective: in a variant: its own objective, as a table like `[objective]`; empty = the recipe's
        train:    in a variant: keys of `[train]` that differ for it
    """

    name: str = "cross"
    tokens: Literal["tokens", "pooled"] = "tokens"
    pairing: str = ""
    width: int = 256
    adapter: str = "linear"
    adapter_options: dict[str, Any] = field(default_factory=dict)
    towers: dict[str, Any] = field(default_factory=dict)
    rerank_k: int = 16
    options: dict[str, Any] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the answers are judged by.

    Fields:
        name:    a name from `plait list objectives` that serves the task; "" = the task's own default
        options: keyword arguments of the objective
        match:   keyword arguments of the matching term that pairing "itm" adds (see `plait.objectives.match`)
    """

    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    match: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainSettings:
    """The one training loop's settings.

    Fields:
        epochs:       passes over the training captions
        batch_size:   images per step
        captions_per_image: captions of each image in a step; images with fewer bring what they have. An epoch visits
                      every caption once either way
        lr:           peak learning rate of adapters, fusion, head and objective (AdamW, cosine to zero)
        encoder_lr:   peak learning rate of trained encoder parts
        weight_decay: AdamW's, on matrices only
        warmup_frac:  part of all steps with a linearly rising rate
        clip_norm:    gradient norm is clipped here; 0 = never
        ema_decay:    exponential moving average of the weights, used for evaluation; 0 = off
        precision:    "auto" (what this CPU does fast), "fp32" or "bf16"
        seed:         initial weights, order of the data, views, negatives
        checkpoint_s: seconds between resumable checkpoints inside an epoch; one is always written at its end
        steps:        optimiser steps in place of `epochs`, the schedule's length too; 0 = all steps of the epochs
    """

    epochs: int = 5
    batch_size: int = 128
    captions_per_image: int = 1
    lr: float = 1e-3
    encoder_lr: float = 1e-4
    weight_decay: float = 0.01
    warmup_frac: float = 0.1
    clip_norm: float = 1.0
    ema_decay: float = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = 0
    checkpoint_s: float = 60.0
    steps: int = 0


@dataclass(frozen=True, repr=False)
class Recipe:
    """Everything a run is made of, but the data.

    Fields:
        task:     a name from `plait list tasks`
        name, text, image, fusion, objective, train: see there
        first:    tables of keys that differ in the run that must be trained before this one, where the task trains in
                  two stages (pairing "rerank": the towers), such as `[first.train]`
        variants: for comparisons: settings of other fusions, by name, where their defaults will not do. Keys that a
                  variant leaves out are taken from `fusion`, but for those that belong to one fusion: `options`,
                  `head`, `pairing`. A variant that gives `name` is that fusion under a label of its own,
                  so that one fusion can be compared with itself under other options or another `objective`.
    """

    name: str = "unnamed"
    task: str = "match"
    text: TextSettings = field(default_factory=TextSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    first: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, FusionSettings] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say in one line what it trains; `recipe_to_dict` gives all of it."""
        train = self.train
        return (
            f"Recipe({self.name!r}: task {self.task}, fusion {self.fusion.name} on {self.text.encoder} and "
            f"{self.image.encoder}, {train.epochs} epochs, batch {train.batch_size}, lr {train.lr:g}, "
            f"seed {train.seed})"
        )


def read_recipe(path: Path | str) -> Recipe:
    """Read a recipe from a TOML file.

    Raises:
        ConfigError: the file is missing, is not TOML, or holds an unknown key or a value of the wrong type; the
            message names the file and the key.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"recipe {path}: no such file; `plait list recipes` shows those in the package") from None
    except OSError as error:
        raise ConfigError(f"recipe {str(path)[:200]}: cannot be read: {os_sentence(error)}") from error
    except (ValueError, RecursionError) as error:  # also what is not UTF-8, and brackets without end
        raise ConfigError(f"recipe {path}: not valid TOML: {error}") from None
    data.setdefault("name", path.stem)
    return recipe_from_dict(data, where=f"recipe {path}")


def recipe_from_dict(data: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
    """Make a recipe from plain nested data, checking every key and type. See `read_recipe` for errors.

    Keys and names of earlier versions are taken, with a warning that says what they are called now.
    """
    data = renamed(data, where)
    data = {**data, "variants": _filled_variants(data, where)}
    recipe: Recipe = make_settings(Recipe, data, where=where)
    _check_choices(recipe, where)
    return recipe


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Give a recipe as plain nested data that JSON and TOML can hold; `recipe_from_dict` is its inverse."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(recipe))
    return plain


def _filled_variants(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give each variant the keys of `[fusion]` that it leaves out and that are not one fusion's own."""
    base, variants = data.get("fusion", {}), data.get("variants", {})
    if not isinstance(base, Mapping) or not isinstance(variants, Mapping):
        raise ConfigError(f"{where}: expected 'fusion' and 'variants' to be tables")
    own_keys = ("name", "options", "head", "pairing", "objective", "train")
    shared = {key: value for key, value in base.items() if key not in own_keys}
    filled = {}
    for name, own in variants.items():
        if not isinstance(own, Mapping):
            raise ConfigError(f"{where}, key 'variants.{name}': expected a table, got {own!r}")
        filled[name] = {**shared, "name": name, **own}
    return filled


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _check_choices(recipe: Recipe, where: str) -> None:
    image = recipe.image
    known = ["full", "flip", *(f"crop{n}" for n in range(10))]
    for view in image.views:
        if view not in known:
            raise ConfigError(f"{where}, key 'image.views': unknown view {view!r}{nearest(view, known)}")
    for name, own in (("objective", recipe.fusion.objective), ("train", recipe.fusion.train)):
        if own:
            raise ConfigError(f"{where}, key 'fusion.{name}': belongs to a variant; the recipe's own is [{name}]")
    tables = [f.name for f in dataclasses.fields(Recipe)]
    for table in recipe.first:
        if table not in tables:
            raise ConfigError(f"{where}, key 'first': unknown key {table!r}{nearest(table, tables)}")
    if not image.views or image.fit not in ("", "squash", "crop", "pad"):
        raise ConfigError(f"{where}: image.views needs at least one view; image.fit is squash, crop, pad or ''")
