"""Recipe -> parts. Only the rooms' tables turn names into classes; a task joins the parts to what it trains."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from plait.core.config import FusionSettings, Recipe
from plait.core.errors import UnknownNameError
from plait.core.tables import Entry, check_options, load_entry, look_up
from plait.core.types import EncoderParts, ImageSpec, Modality, TextInput
from plait.encoders.adapters import Adapter
from plait.encoders.choose import (
    adapter,
    check_adapter,
    check_encoder,
    image_parts,
    needs_text_input,
    text_parts,
)
from plait.fusion import FUSIONS
from plait.fusion.base.fusion import Fusion
from plait.heads import HEADS
from plait.model import Side
from plait.objectives import OBJECTIVES

__all__ = [
    "bare_sides",
    "check_objective",
    "check_parts",
    "expand_fusions",
    "image_side",
    "make_fusion",
    "make_head",
    "make_objective",
    "needs_words",
    "text_side",
    "tokens_seen",
]

_NO_INPUT = ImageSpec(1, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def check_parts(recipe: Recipe) -> None:
    """Refuse names and options of encoders, adapter and fusion that cannot be, before anything is loaded or written.

    Those of heads, objectives and a task's own parts are checked by the task, which knows where they come from.

    Raises:
        UnknownNameError, ConfigError: the message names the part and the option.
    """
    check_encoder("text encoder", recipe.text.encoder, recipe.text.options)
    check_encoder("image encoder", recipe.image.encoder, recipe.image.options)
    check_adapter(recipe.fusion.adapter, recipe.fusion.adapter_options)
    name = recipe.fusion.name
    check_options("fusion", name, load_entry(look_up("fusion", FUSIONS, name)), recipe.fusion.options)


def check_objective(name: str, options: Mapping[str, Any]) -> None:
    """Refuse an objective's name or options that cannot be. Raises UnknownNameError or ConfigError."""
    check_options("objective", name, load_entry(look_up("objective", OBJECTIVES, name)), options)


def needs_words(recipe: Recipe) -> bool:
    """Whether the recipe's text encoder learns its own words, and so needs the training captions' vocabulary."""
    return needs_text_input(recipe.text.encoder)


def tokens_seen(settings: FusionSettings) -> str:
    """Say whether the fusion gets "tokens" or one "pooled" vector per side, whatever the recipe asks of it.

    Raises:
        UnknownNameError: no such fusion.
    """
    return look_up("fusion", FUSIONS, settings.name).takes or settings.tokens


def expand_fusions(names: list[str], labels: Collection[str] = ()) -> list[str]:
    """Check fusion names and expand a family folder ("ladder") to all its members, in table order.

    Arguments:
        labels: of a recipe's variants; they count as names, and "variants" names all of them
    Raises:
        UnknownNameError: a name is neither a fusion, nor a family folder, nor a label.
    """
    expanded: list[str] = []
    for name in names:
        if name in labels:
            members = [name]
        elif name == "variants":
            members = list(labels)
        else:
            members = [known for known in FUSIONS if known == name or known.startswith(f"{name}/")]
        if not members:
            raise UnknownNameError("fusion", name, [*labels, *FUSIONS])
        expanded += [member for member in members if member not in expanded]
    return expanded


def text_side(recipe: Recipe, words: TextInput | None = None) -> Side:
    """Make the text encoder and its adapter.

    Raises:
        ConfigError: an unknown name or option, or no `words` for an encoder that learns its own (`needs_words`).
    """
    settings = recipe.text
    parts = text_parts(
        settings.encoder,
        settings.options,
        max_tokens=settings.max_tokens,
        trainable=settings.trainable,
        text_input=words,
    )
    return Side(parts, _adapter(recipe.fusion, parts, "text"))


def image_side(recipe: Recipe) -> Side:
    """Make the image encoder and its adapter. Raises ConfigError for an unknown name or option."""
    settings = recipe.image
    parts = image_parts(
        settings.encoder,
        settings.options,
        size_px=settings.size_px,
        fit=settings.fit,
        trainable=settings.trainable,
    )
    return Side(parts, _adapter(recipe.fusion, parts, "image"))


def bare_sides(width: int, *, pooled_width: int = 0) -> tuple[Side, Side]:
    """Give sides without encoders: tokens of this width pass through, with summaries of `pooled_width` (0 = `width`).

    The audit asks fusions about noise through them.
    """
    parts = EncoderParts(None, None, width, pooled_width or width, _NO_INPUT, "tokens as they are")
    return Side(parts, Adapter()), Side(parts, Adapter())


def make_fusion(name: str, options: Mapping[str, Any], *, width: int) -> Fusion:
    """Make a fusion by its name in FUSIONS. Raises ConfigError for an unknown name or option."""
    fusion = _make("fusion", FUSIONS, name, options, width)
    if not isinstance(fusion, Fusion):
        raise TypeError(f"FUSIONS[{name!r}]: expected a plait.fusion.base.fusion.Fusion, got {type(fusion).__name__}")
    return fusion


def make_head(name: str, options: Mapping[str, Any], *ready: Any) -> nn.Module:
    """Make a head by its name in HEADS from ready parts. Raises ConfigError for an unknown name or option."""
    return _make("head", HEADS, name, options, *ready)


def make_objective(name: str, options: Mapping[str, Any], *ready: Any) -> nn.Module:
    """Make an objective by its name in OBJECTIVES. Raises ConfigError for an unknown name or option."""
    return _make("objective", OBJECTIVES, name, options, *ready)


def _adapter(fusion: FusionSettings, parts: EncoderParts, modality: Modality) -> Adapter:
    return adapter(
        fusion.adapter,
        fusion.adapter_options,
        width_in=parts.width,
        width=fusion.width,
        pooled_width_in=parts.pooled_width,
        modality=modality,
    )


def _make(kind: str, table: Mapping[str, Entry], name: str, options: Mapping[str, Any], *ready: Any) -> nn.Module:
    """Look up, check the options, and construct with ready sub-parts first."""
    entry = look_up(kind, table, name)
    target = load_entry(entry)
    check_options(kind, name, target, options)
    module: nn.Module = target(*ready, **{**(entry.options or {}), **options})
    return module
