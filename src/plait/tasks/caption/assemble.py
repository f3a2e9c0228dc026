"""From a recipe to a learner of captions: which encoders, fusions, heads and objectives serve."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any, Protocol, cast

from plait.build import make_fusion, make_head, make_objective
from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError
from plait.core.recipe.ranges import Range, checked_number
from plait.core.tables import Entry, look_up
from plait.core.types import TextInput
from plait.encoders import TEXT_ENCODERS
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.heads.caption.base import CaptionDecoder
from plait.model import FusionModel, Side
from plait.objectives import OBJECTIVES
from plait.objectives.caption import NextWord
from plait.task import Use
from plait.tasks.caption import TASK
from plait.tasks.caption.learner import CaptionLearner

__all__ = ["DEFAULT_HEAD", "Decoding", "assemble", "use_of"]

DEFAULT_HEAD = "show_attend_tell"
BEAM_RANGE, PENALTY_RANGE = Range(1, 100), Range(0, 10)
# Adapters that project each token by itself: others would let a word read those after it.
_TOKENWISE = ("linear", "bottleneck", "none")


@dataclass(frozen=True)
class Decoding:
    """How captions are written when a run is measured, from `fusion.head`; `Model.caption` takes it as its default.

    Fields:
        beam:           captions kept per image; 1 = the most probable word at each place
        length_penalty: see `beam_search`
    """

    beam: int = 3
    length_penalty: float = 0.7

    @classmethod
    def of(cls, settings: FusionSettings) -> Decoding:
        """Read it from a recipe. Raises ConfigError for a value out of its range."""
        head = settings.head
        return cls(
            beam=checked_number(head.get("beam", cls.beam), "key 'fusion.head.beam'", BEAM_RANGE),
            length_penalty=checked_number(
                head.get("length_penalty", cls.length_penalty),
                "key 'fusion.head.length_penalty'",
                PENALTY_RANGE,
                whole=False,
            ),
        )


class _KnowsWords(TextInput, Protocol):
    @property
    def vocabulary(self) -> Sized: ...


def use_of(recipe: Recipe) -> Use:
    """Say how the recipe is used for captions, before anything is loaded.

    Raises:
        ConfigError: an unknown name; a text encoder in which a word reads those after it; a fusion, head, objective or
            adapter that does not serve captions; a pairing, or one token per side.
    """
    settings = recipe.fusion
    _check_serves("fusion", FUSIONS, settings.name)
    _check_serves("head", HEADS, _head_name(settings))
    _check_serves("objective", OBJECTIVES, recipe.objective.name or TASK.objective)
    encoder = look_up("text encoder", TEXT_ENCODERS, recipe.text.encoder.partition(":")[0])
    if encoder.gives != "words":
        fitting = ", ".join(name for name, entry in TEXT_ENCODERS.items() if entry.gives == "words")
        raise ConfigError(
            f"text.encoder {recipe.text.encoder!r}: in it each word reads the words after it, and a caption would be "
            f"predicted from itself; these serve task {TASK.name!r}: {fitting}"
        )
    if settings.adapter not in _TOKENWISE:
        raise ConfigError(
            f"fusion.adapter {settings.adapter!r} lets a word read those after it; use one of {', '.join(_TOKENWISE)}, "
            "and layers of fusion 'unfused' for self-attention over the image"
        )
    if settings.pairing not in ("", "own"):
        raise ConfigError(
            f"fusion.pairing {settings.pairing!r} compares images with captions; a caption is written about one image: "
            "leave fusion.pairing out"
        )
    if settings.tokens == "pooled":
        raise ConfigError(
            'fusion.tokens = "pooled" makes one vector of a sentence, and a caption is read word by word; for an image '
            'as one vector use head = { name = "show_and_tell" }'
        )
    Decoding.of(settings)
    return Use({"tokens": settings.tokens, "pairing": "own", "rerank_k": None})


def assemble(recipe: Recipe, text: Side, image: Side) -> CaptionLearner:
    """Join the sides with fusion, head and objective; weights are drawn in this order.

    Raises:
        ConfigError: as `use_of`, or an unknown option.
    """
    use_of(recipe)
    settings = recipe.fusion
    words = len(cast(_KnowsWords, text.text_input).vocabulary)
    own = ("name", *Decoding.__dataclass_fields__)
    options: dict[str, Any] = {key: value for key, value in settings.head.items() if key not in own}
    fusion = make_fusion(settings.name, settings.options, width=settings.width)
    head = make_head(_head_name(settings), options, settings.width, words)
    if not isinstance(head, CaptionDecoder):
        raise TypeError(f"HEADS[{_head_name(settings)!r}]: expected a CaptionDecoder, got {type(head).__name__}")
    objective = make_objective(recipe.objective.name or TASK.objective, recipe.objective.options)
    if not isinstance(objective, NextWord):
        raise TypeError(f"expected an objective of next words, got {type(objective).__name__}")
    return CaptionLearner(FusionModel(text, image, fusion=fusion, head=head), objective)


def _head_name(settings: FusionSettings) -> str:
    return str(settings.head.get("name", DEFAULT_HEAD))


def _check_serves(kind: str, table: Mapping[str, Entry], name: str) -> None:
    if not TASK.serves(kind, look_up(kind, table, name)):
        fitting = ", ".join(other for other, entry in table.items() if TASK.serves(kind, entry))
        raise ConfigError(f"{kind} {name!r} does not serve task {TASK.name!r}; these do: {fitting}")
