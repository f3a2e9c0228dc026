"""Recipe -> parts: the only file that turns names into classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from plait.core.config import FusionSettings, ObjectiveSettings, Recipe
from plait.core.errors import ConfigError, UnknownNameError
from plait.core.tables import Entry, check_options, load_entry, look_up
from plait.core.types import EncoderParts, ImageSpec, Modality, TextInput
from plait.encoders.adapters import Adapter
from plait.encoders.choose import adapter, image_parts, needs_text_input, text_parts
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.model import FusionModel, Side, Towers
from plait.nn.pooling import single_token
from plait.objectives import OBJECTIVES

__all__ = ["Built", "build", "build_bare", "expand_fusions", "needs_words", "resolve_pairing", "tokens_seen"]


# Fusions that look at one vector a side whatever the recipe says.
POOLED_BY_NATURE = ("late", "product", "chapter/multimodal_embedding")
# Fusions that give one vector, whatever they are fed: no grid is left to decode.
VECTOR_BY_NATURE = ("self_cross_printed",)
_NO_INPUT = ImageSpec(1, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Built:
    """What a recipe was built into.

    Fields:
        model:     the fusion model
        objective: nn.Module; see `plait.objectives`
        pairing:   "all", "itm", "matched" or, for masks, "own"
    """

    model: FusionModel
    objective: nn.Module
    pairing: str


def needs_words(recipe: Recipe) -> bool:
    """Whether the recipe's text encoder learns its own words, and so needs the training captions' vocabulary."""
    return needs_text_input(recipe.text.encoder)


def resolve_pairing(settings: FusionSettings, task: str = "match") -> str:
    """Give the pairing a fusion is trained and scored with: the asked one, or the fusion's first; for masks "own".

    Raises:
        UnknownNameError: no such fusion.
        ConfigError: the fusion does not serve the task, or cannot be scored that way.
    """
    entry = look_up("fusion", FUSIONS, settings.name)
    _check_task("fusion", FUSIONS, settings.name, task)
    if task == "mask":
        if settings.pairing not in ("", "own"):
            raise ConfigError(
                f"pairing {settings.pairing!r} compares photos with captions; a mask is read from a text and its "
                "own photo: leave fusion.pairing out"
            )
        return "own"
    pairing = settings.pairing or entry.pairings[0]
    if pairing not in entry.pairings:
        raise ConfigError(
            f"fusion {settings.name!r} cannot be paired {pairing!r}; it can be: {', '.join(entry.pairings)}"
        )
    return pairing


def tokens_seen(settings: FusionSettings, task: str = "match") -> str:
    """Say whether the fusion meets "tokens" or one "pooled" vector a side, whatever the recipe asks of it."""
    return "pooled" if task == "match" and settings.name in POOLED_BY_NATURE else settings.tokens


def expand_fusions(names: list[str], labels: Collection[str] = ()) -> list[str]:
    """Check fusion names and expand a family folder ("ladder") to all its members, in table order.

    Arguments:
        labels: of a recipe's variants; they count as names, and "variants" stands for all of them
    Raises:
        UnknownNameError: a name is neither a fusion, nor a family folder, nor a label.
    """
    expanded: list[str] = []
    for name in names:
        members = (
            [name]
            if name in labels
            else list(labels)
            if name == "variants"
            else [n for n in FUSIONS if n == name or n.startswith(f"{name}/")]
        )
        if not members:
            raise UnknownNameError("fusion", name, [*labels, *FUSIONS])
        expanded += [n for n in members if n not in expanded]
    return expanded


def build(recipe: Recipe, words: TextInput | None = None) -> Built:
    """Make the model and the objective of a recipe, with initial weights drawn from `recipe.train.seed`.

    Raises:
        ConfigError: an unknown name or option, or no `words` for a text encoder that learns its own (`needs_words`).
    """
    torch.manual_seed(recipe.train.seed)
    resolve_pairing(recipe.fusion, recipe.task)  # refuse before encoders are loaded
    text, image = _text_side(recipe, words), _image_side(recipe)
    if recipe.task == "mask":
        return _assemble_mask(text, image, recipe.fusion, recipe.objective)
    return _assemble(text, image, recipe.fusion, recipe.objective)


def build_bare(
    fusion: FusionSettings, objective: ObjectiveSettings | None = None, *, seed: int = 0, pooled_width: int = 0
) -> Built:
    """Make a fusion, its head and its objective without encoders: the sides pass tokens of the fusion's width through.

    The audit asks such a model about noise. Weights are drawn from `seed`; `pooled_width` is that of the encoders' own
    summaries, 0 = the fusion's.

    Raises:
        ConfigError: as `build`.
    """
    torch.manual_seed(seed)
    parts = EncoderParts(None, None, fusion.width, pooled_width or fusion.width, _NO_INPUT, "tokens as they are")
    sides = [Side(parts, Adapter()) for _ in ("text", "image")]
    return _assemble(sides[0], sides[1], fusion, objective or ObjectiveSettings())


def _assemble(text: Side, image: Side, fusion: FusionSettings, objective: ObjectiveSettings) -> Built:
    pairing = resolve_pairing(fusion)
    model = FusionModel(
        text,
        image,
        fusion=_fusion(fusion.name, fusion),
        head=_named("head", HEADS, "pair", {}) if pairing == "matched" else _head(fusion),
        towers=_towers(fusion) if pairing == "itm" else None,
        pool=single_token if fusion.tokens == "pooled" else None,
        pairing=pairing,
    )
    if objective.name == "match":
        raise ConfigError(
            "objective 'match' is not chosen by name: fusion.pairing = \"itm\" adds it to the contrastive objective, "
            "which is infonce, sigmoid or triplet"
        )
    options = dict(objective.options)
    if pairing == "all" and not model.has_algebra and objective.name != "triplet":
        options.setdefault("scale", 1.0)  # a logit is on its own scale already; 14.3 is for cosines
    _check_task("objective", OBJECTIVES, objective.name, "match")
    contrast = _named("objective", OBJECTIVES, objective.name, options)
    if pairing != "itm":
        return Built(model, contrast, pairing)
    return Built(model, _named("objective", OBJECTIVES, "match", objective.match, contrast), pairing)


def _assemble_mask(text: Side, image: Side, fusion: FusionSettings, objective: ObjectiveSettings) -> Built:
    model = FusionModel(
        text,
        image,
        fusion=_fusion(fusion.name, fusion),
        head=_mask_head(fusion, image.level_widths),
        pool=single_token if fusion.tokens == "pooled" else None,
        pairing="own",
    )
    _check_task("objective", OBJECTIVES, objective.name, "mask")
    return Built(model, _named("objective", OBJECTIVES, objective.name, objective.options), "own")


def _mask_head(fusion: FusionSettings, level_widths: tuple[int, ...]) -> nn.Module:
    pooled = fusion.tokens == "pooled" or fusion.name in VECTOR_BY_NATURE
    name = fusion.decoder or ("vector" if pooled else "spatial")
    if name == "vector":
        return _named("head", HEADS, name, fusion.head, fusion.width)
    if pooled:
        raise ConfigError(
            f"fusion {fusion.name!r} with one vector a side leaves no grid for decoder 'spatial'; use decoder "
            "'vector', or tokens = \"tokens\""
        )
    entry = look_up("head", HEADS, name)
    target = load_entry(entry)
    check_options("head", name, target, fusion.head)
    module: nn.Module = target(fusion.width, **{"skips": level_widths, **fusion.head})
    return module


def _check_task(kind: str, table: Mapping[str, Entry], name: str, task: str) -> None:
    if task not in look_up(kind, table, name).tasks:
        fitting = ", ".join(other for other, entry in table.items() if task in entry.tasks)
        raise ConfigError(f"{kind} {name!r} does not serve task {task!r}; these do: {fitting or 'none'}")


def _text_side(recipe: Recipe, words: TextInput | None) -> Side:
    settings = recipe.text
    parts = text_parts(
        settings.encoder,
        settings.options,
        max_tokens=settings.max_tokens,
        trainable=settings.trainable,
        text_input=words,
    )
    return Side(parts, _adapter(recipe.fusion, parts, "text"))


def _image_side(recipe: Recipe) -> Side:
    settings = recipe.image
    parts = image_parts(
        settings.encoder,
        settings.options,
        size_px=settings.size_px,
        fit=settings.fit,
        trainable=settings.trainable,
    )
    return Side(parts, _adapter(recipe.fusion, parts, "image"))


def _adapter(fusion: FusionSettings, parts: EncoderParts, modality: Modality) -> Adapter:
    return adapter(
        fusion.adapter,
        fusion.adapter_options,
        width_in=parts.width,
        width=fusion.width,
        pooled_width_in=parts.pooled_width,
        modality=modality,
    )


def _fusion(name: str, settings: FusionSettings) -> nn.Module:
    return _named("fusion", FUSIONS, name, settings.options, settings.width)


def _head(settings: FusionSettings) -> nn.Module:
    reads = load_entry(look_up("fusion", FUSIONS, settings.name)).reads  # type: ignore[attr-defined]
    ready = (settings.width,) if reads == "logit" else ()
    return _named("head", HEADS, reads, settings.head, *ready)


def _towers(settings: FusionSettings) -> Towers:
    late = replace(settings, name="late", options=dict(settings.towers))
    return Towers(_fusion("late", late), _named("head", HEADS, "similarity", {}))


def _named(kind: str, table: Mapping[str, Any], name: str, options: Mapping[str, Any], *ready: Any) -> nn.Module:
    """Look up, check the options, and construct with ready sub-parts first."""
    entry = look_up(kind, table, name)
    target = load_entry(entry)
    fixed = dict(entry.options or {})
    check_options(kind, name, target, options)
    module: nn.Module = target(*ready, **{**fixed, **options})
    return module
