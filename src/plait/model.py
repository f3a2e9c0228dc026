"""The fusion model: two encoded sides, a fusion and a head; and what is trained, a model with its objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from plait.core.errors import ShapeError
from plait.core.types import Batch, EncoderParts, Fused, ImageSpec, Loss, TextInput, Tokens
from plait.encoders.adapters import Adapter
from plait.fusion.base.fusion import Fusion
from plait.nn.digest import weights_digest

__all__ = ["FusionModel", "Learner", "Side", "raw_image", "raw_text"]


class Side(nn.Module):
    """One modality's way from raw input to tokens of the common width.

    Formula: adapter(trained(frozen(raw))).

    The frozen part is held outside PyTorch's registration: it is neither trained, saved nor counted, and a run that
    reads cached tokens may drop it. `to` moves it with the side. The trained part can be fixed as well (`fix_encoder`):
    it is saved and counted, but takes no gradient, and its tokens are cached.
    """

    def __init__(self, parts: EncoderParts, adapter: Adapter) -> None:
        super().__init__()
        self._frozen = (parts.frozen,)
        self.trained = parts.trained
        self.adapter = adapter
        self.input = parts.input
        self.identity = parts.identity
        self.level_widths = parts.level_widths
        self._is_fixed = False
        self._fixed: tuple[nn.Module, ...] = ()  # registered above, under names of their own

    def fix_encoder(self) -> None:
        """Stop training the encoder and the projection of its summary; the projection of tokens stays trained.

        What the encoder gives is cached from here on, under a name that depends on its weights.
        """
        self._is_fixed = self.trained is not None and any(True for _ in self.trained.parameters())
        self._fixed = self.adapter.summary_parts()
        if self._is_fixed and self.trained is not None:
            self._fixed += (self.trained,)
        for part in self._fixed:
            part.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Switch dropout and the like on or off; what is fixed stays in evaluation mode."""
        super().train(mode)
        for part in self._fixed:
            part.eval()
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Change all tensors, as `to` and its kin do: those of the frozen part too, which PyTorch does not know of."""
        frozen = self._frozen[0]
        if frozen is not None:
            frozen._apply(fn, recurse)
        side: Self = super()._apply(fn, recurse)
        return side

    @property
    def has_frozen(self) -> bool:
        """Whether there are tokens that can be cached: of a frozen part, or of an encoder that is fixed."""
        return self._is_fixed or self._frozen[0] is not None

    @property
    def cached_identity(self) -> str:
        """What the tokens that `freeze` gives depend on: the frozen part and, where they are fixed, trained weights."""
        if not self._is_fixed or self.trained is None:
            return self.identity
        return f"{self.identity} then weights sha256={weights_digest(self.trained)}"

    @property
    def text_input(self) -> TextInput:
        """How a text side reads strings."""
        if isinstance(self.input, ImageSpec):
            raise ShapeError("this is an image side: it reads pixels, not strings")
        return self.input

    @property
    def image_spec(self) -> ImageSpec:
        """How an image side reads pixels."""
        if not isinstance(self.input, ImageSpec):
            raise ShapeError("this is a text side: it reads strings, not pixels")
        return self.input

    @torch.no_grad()
    def freeze(self, *raw: Tensor) -> Tokens:
        """Run what is not trained: (ids, valid) for text, (pixels,) for images -> Tokens, without gradients."""
        if not self.has_frozen:
            raise ShapeError("this side has no frozen encoder: all of it is trained, so pass raw input to forward")
        frozen = self._frozen[0]
        found: tuple[Any, ...] = raw if frozen is None else (frozen(*raw),)
        if self._is_fixed and self.trained is not None:
            found = (self.trained(*found),)
        tokens: Tokens = found[0]
        return tokens

    def encode(self, *raw: Tensor | Tokens) -> Tokens:
        """Give the encoder's own tokens, before the adapter, from raw input or from the frozen part's cached tokens."""
        found = raw
        if self.has_frozen and not isinstance(raw[0], Tokens):
            found = (self.freeze(*(part for part in raw if isinstance(part, Tensor))),)
        if self.trained is not None and not self._is_fixed:
            found = (self.trained(*found),)
        if not isinstance(found[0], Tokens):
            raise ShapeError(f"expected an encoder that gives Tokens, got {type(found[0]).__name__}")
        return found[0]

    def forward(self, *raw: Tensor | Tokens) -> Tokens:
        """Give tokens of the common width from raw input, or from the frozen part's cached tokens."""
        adapted: Tokens = self.adapter(self.encode(*raw))
        return adapted

    def summarised(self, *raw: Tensor | Tokens) -> Tokens:
        """Give the encoder's own tokens with their summary as `forward` gives it, for parts that read no token.

        `projected` of these, or of some of their rows, is what `forward` gives.
        """
        encoded = self.encode(*raw)
        return replace(encoded, pooled=self.adapter.summarise(encoded))

    def projected(self, tokens: Tokens) -> Tokens:
        """Bring summarised tokens to the common width."""
        return replace(tokens, values=self.adapter.project(tokens))


class FusionModel(nn.Module):
    """Text and image: encoded, fused and read.

    Args:
        text, image: the two `Side`s
        fusion:      aligned pairs of Tokens -> Fused (see `plait.fusion`)
        head:        Fused -> a result type of `core/types` (see `plait.heads`)
        pool:        Tokens -> Tokens with one token per side, for the pooled baselines, or None

    Encoding, fusing and reading are separate steps because mining negatives, re-ranking and explaining each need one
    of them alone. What is asked of many pairs at once is the task's (`plait.tasks`).
    """

    def __init__(
        self,
        text: Side,
        image: Side,
        *,
        fusion: Fusion,
        head: nn.Module,
        pool: Callable[[Tokens], Tokens] | None = None,
    ) -> None:
        super().__init__()
        self.text = text
        self.image = image
        self.fusion = fusion
        self.head = head
        self.pool = pool

    def encode(self, batch: Batch) -> tuple[Tokens, Tokens]:
        """Give both sides' tokens of the common width D: (B, T, D) and (U, P, D)."""
        return self.encode_text(*raw_text(batch)), self.encode_image(raw_image(batch))

    def encode_text(self, *raw: Tensor | Tokens) -> Tokens:
        """Give text tokens from (ids, valid) or from cached tokens."""
        return self.pooled(self.text(*raw))

    def encode_image(self, raw: Tensor | Tokens) -> Tokens:
        """Give image tokens from pixels (B, 3, H, W) or from cached tokens."""
        return self.pooled(self.image(raw))

    def pooled(self, tokens: Tokens) -> Tokens:
        """Give one token per row, where the model is a pooled baseline; else the tokens as they are."""
        return tokens if self.pool is None else self.pool(tokens)

    def fuse(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; attention maps are returned when asked."""
        fused: Fused = self.fusion(text, image, maps=maps)
        return fused

    def read(self, fused: Fused) -> Any:
        """Read fused pairs: the head's own result type, one row per pair."""
        return self.head(fused)


class Learner(nn.Module, ABC):
    """What is trained: a model, its objective, and the loss of a batch. Every task has its own.

    Names of saved weights begin with "model." and "objective."; further parts of a task have names of their own.
    """

    def __init__(self, model: FusionModel, objective: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    @abstractmethod
    def loss(self, batch: Batch) -> Loss:
        """Give the loss of a batch whose targets are the task's."""

    def trained_parameters(self) -> list[nn.Parameter]:
        """Give the parameters that take a gradient."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def raw_text(batch: Batch) -> tuple[Tensor | Tokens, ...]:
    """Give what a text side reads of a batch: cached tokens, or ids and their mask.

    Raises:
        ShapeError: the batch holds neither.
    """
    if batch.text is not None:
        return (batch.text,)
    if batch.text_ids is None or batch.text_valid is None:
        raise ShapeError("the batch holds neither text ids nor cached text tokens; give one of them")
    return batch.text_ids, batch.text_valid


def raw_image(batch: Batch) -> Tensor | Tokens:
    """Give what an image side reads of a batch: cached tokens, or pixels.

    Raises:
        ShapeError: the batch holds neither.
    """
    if batch.image is not None:
        return batch.image
    if batch.pixels is None:
        raise ShapeError("the batch holds neither pixels nor cached image tokens; give one of them")
    return batch.pixels
