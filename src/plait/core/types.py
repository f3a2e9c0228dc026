"""The contracts between rooms: what travels from data to encoders to fusion to heads to objectives.

Letters: B batch, C captions or candidates, T text tokens, P image tokens, N any tokens, Q queries, K keys, D width,
H, W pixels, h, w grid. Masks: True = real, everywhere; only `nn/attention` converts for PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "AnswerLogits",
    "AnswerTarget",
    "AttentionMap",
    "Batch",
    "CaptionLogits",
    "ClassLogits",
    "EncoderParts",
    "Fused",
    "ImageSpec",
    "Level",
    "Loss",
    "MaskLogits",
    "MaskTarget",
    "MatchScores",
    "Modality",
    "Movable",
    "Similarities",
    "Target",
    "Targets",
    "TextInput",
    "Tokens",
]

Modality = Literal["text", "image"]


class Movable(Protocol):
    """What moves to a device as a whole: a tensor, or a record of tensors."""

    def to(self, device: torch.device, /) -> Self:
        """Give the same on another device."""
        ...


# What a task asks of the captions of a batch: group numbers, masks, answers, ...
Target = Movable


class Targets(Protocol):
    """The targets of a collection's captions, made by the task and asked for batch by batch."""

    def take(self, rows: np.ndarray, view: np.ndarray, /) -> Target:
        """Give the targets of the captions `rows` (B,) int64, each in the view (B,) int64 its image is shown in."""
        ...


@dataclass(frozen=True)
class Level:
    """A finer grid of a photo: what an image encoder saw before its last strides.

    Fields:
        values: (B, N, D) float, row by row; D is the encoder's own at this stride
        grid:   (h, w) with h * w = N
    """

    values: Tensor
    grid: tuple[int, int]

    def to(self, device: torch.device) -> Level:
        """Give the same on another device."""
        return replace(self, values=self.values.to(device))


@dataclass(frozen=True)
class Tokens:
    """A sequence of vectors with their mask and, for images, their geometry.

    Fields:
        values: (B, N, D) float
        valid:  (B, N) bool, True = real token
        grid:   (h, w) with h * w = N where the tokens lie row by row on a grid (no class token among them), else None
        boxes:  (B, N, 4) float x0, y0, x1, y1 in [0, 1] for region tokens, else None
        pooled: (B, D') float, the encoder's own one-vector summary, or None. D' may differ from D: a sentence
                embedding or a classifier's features need not live in the tokens' space.
        levels: finer grids of the same photo, coarse to fine (stride 16, then 8). Never fused; decoders read them.
    """

    values: Tensor
    valid: Tensor
    grid: tuple[int, int] | None = None
    boxes: Tensor | None = None
    pooled: Tensor | None = None
    levels: tuple[Level, ...] = ()

    def __len__(self) -> int:
        return self.values.shape[0]

    def take(self, index: Tensor | slice) -> Tokens:
        """Give the rows `index` of the batch: (M,) int64 or a slice."""
        return replace(
            self,
            values=self.values[index],
            valid=self.valid[index],
            boxes=None if self.boxes is None else self.boxes[index],
            pooled=None if self.pooled is None else self.pooled[index],
            levels=tuple(replace(level, values=level.values[index]) for level in self.levels),
        )

    def to(self, device: torch.device) -> Tokens:
        """Give the same on another device."""
        return replace(
            self,
            values=self.values.to(device),
            valid=self.valid.to(device),
            boxes=None if self.boxes is None else self.boxes.to(device),
            pooled=None if self.pooled is None else self.pooled.to(device),
            levels=tuple(level.to(device) for level in self.levels),
        )


@dataclass(frozen=True)
class MaskTarget:
    """The regions that texts refer to, in the image encoder's input frame.

    Fields:
        values: (B, h, w) float in [0, 1], the share of each cell that is foreground
        valid:  (B, h, w) bool, True = the cell lies inside the photo, False = padding
        absent: (A, 2) int64, or None: pairs of rows; what the text of the first refers to is absent from the image of
                the second
    """

    values: Tensor
    valid: Tensor
    absent: Tensor | None = None

    def __len__(self) -> int:
        return self.values.shape[0]

    def to(self, device: torch.device) -> MaskTarget:
        """Give the same on another device."""
        absent = None if self.absent is None else self.absent.to(device)
        return MaskTarget(self.values.to(device), self.valid.to(device), absent)


@dataclass(frozen=True)
class Batch:
    """Pairs ready for a model: row i of the text belongs to row `image_row[i]` of the image.

    Images with several captions in one batch are held, and encoded, once.

    Fields:
        text_ids:   (B, T) int64, or None where `text` holds cached tokens
        text_valid: (B, T) bool, or None likewise
        pixels:     (U, 3, H, W) float32 normalised for the image encoder, or None where `image` holds cached tokens
        target:     what the task asks of the captions, B rows; see `Targets`
        text:       cached `Tokens` of a frozen text encoder, B rows, or None
        image:      cached `Tokens` of a frozen image encoder, U rows, or None
        image_row:  (B,) int64 in [0, U), or None where U = B and rows belong one to one
    """

    text_ids: Tensor | None
    text_valid: Tensor | None
    pixels: Tensor | None
    target: Any
    text: Tokens | None = None
    image: Tokens | None = None
    image_row: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Give the same on another device."""
        return Batch(**{key: None if part is None else part.to(device) for key, part in vars(self).items()})


@dataclass(frozen=True)
class AttentionMap:
    """Which tokens attended to which.

    Fields:
        weights: (B, heads, Q, K) in [0, 1]; each row sums to 1 over valid keys
        query:   modality of the queries
        key:     modality of the keys
        layer:   0 is the first
    """

    weights: Tensor
    query: Modality
    key: Modality
    layer: int = 0


@dataclass(frozen=True)
class Fused:
    """Pairs after fusion: row i of both sides has seen (at most) the other side's row i.

    Fields:
        text, image: the fused sides, one row per pair
        maps:        empty unless asked for
        text_row:    (M,) int64, or None. Given, `text` holds one row per text that several pairs share, because fusion
                     left this side as it was: pair m is its row text_row[m]. A head then reads each row once.
        image_row:   likewise for the image
    """

    text: Tokens
    image: Tokens
    maps: tuple[AttentionMap, ...] = ()
    text_row: Tensor | None = None
    image_row: Tensor | None = None


@dataclass(frozen=True)
class Similarities:
    """Fine-grained similarities of every image with every caption, before a head pools them to one score.

    Fields:
        values: (B, C, Q) cosine in [-1, 1], image b against caption c, one per query (word, region, or 1 if pooled)
        valid:  (B or 1, C or 1, Q) bool, broadcastable to `values`, True = real query
    """

    values: Tensor
    valid: Tensor


@dataclass(frozen=True)
class MatchScores:
    """Scores of images (rows) against captions (columns).

    Fields:
        values: (B, C) float, higher = better match
        kind:   "cosine" in about [-1, 1] (a LogSumExp pool may leave it), or "logit", unbounded
    """

    values: Tensor
    kind: Literal["cosine", "logit"]


@dataclass(frozen=True)
class MaskLogits:
    """The region of the image that each text refers to, in the image encoder's input frame at the decoder's resolution.

    Fields:
        values: (B, h, w) float logits, unbounded; sigmoid gives the probability that the cell is foreground
    """

    values: Tensor

    def __len__(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class CaptionLogits:
    """The next word after each word of a caption, of V known words.

    Fields:
        values:  (B, T, V) float logits, unbounded; row t says which word follows word t
        weights: (B, T, P) float in [0, 1], what each of these predictions attended to in the image, each row summing to
                 1 over real tokens; None for a decoder that does not attend
    """

    values: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class ClassLogits:
    """How much each image looks like each class.

    Fields:
        values: (B, K) float logits, unbounded; softmax over K gives the classes' probabilities
    """

    values: Tensor

    def __len__(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class AnswerLogits:
    """How probable each answer of a fixed list is for each pair of a question and its image.

    Fields:
        values: (B, A) float logits, unbounded; one column per answer, in the order of the list
    """

    values: Tensor

    def __len__(self) -> int:
        return self.values.shape[0]


@dataclass(frozen=True)
class AnswerTarget:
    """What is right to answer, in the columns of `AnswerLogits`.

    Fields:
        scores: (B, A) float in [0, 1], how right each answer is; 0 throughout where all right ones are outside the list
        common: (B,) int64 in [0, A), the most common of the right answers that are in the list; -1 = there is none
    """

    scores: Tensor
    common: Tensor

    def __len__(self) -> int:
        return self.scores.shape[0]

    def to(self, device: torch.device) -> AnswerTarget:
        """Give the same on another device."""
        return AnswerTarget(self.scores.to(device), self.common.to(device))


@dataclass(frozen=True)
class Loss:
    """What an objective returns.

    Fields:
        total: () mean per example (nats for cross-entropies; else the objective's docstring says)
        parts: named terms of the total, detached, for logs
    """

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


class TextInput(Protocol):
    """How strings become the tensors a text encoder reads."""

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Give (B, T) int64 ids and (B, T) bool mask, padded to the longest of this call."""
        ...

    def pieces(self, text: str) -> list[str]:
        """Give the printable piece of each token that `__call__` makes of this text, in order."""
        ...


@dataclass(frozen=True)
class ImageSpec:
    """How a photo becomes the tensor an image encoder reads: resize, scale to [0, 1], then (x - mean) / std.

    Fields:
        size_px:  side of the square input
        mean:     per channel, in units of [0, 1]
        std:      per channel, in units of [0, 1]
        resample: Pillow filter's name, "bicubic" or "bilinear"
        fit:      "squash" (both sides to size_px, aspect ratio lost), "crop" (short side, then centre crop) or "pad"
                  (long side, then padding with `mean`)
    """

    size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: Literal["bicubic", "bilinear"] = "bicubic"
    fit: Literal["squash", "crop", "pad"] = "crop"


@dataclass(frozen=True)
class EncoderParts:
    """An encoder, cut where training begins.

    Fields:
        frozen:   module: (ids, valid) or pixels -> Tokens. Its tokens are computed once and cached. None when the
                  whole encoder is trained; then `trained` takes the raw inputs.
        trained:  module: Tokens (or raw inputs) -> Tokens, trained with the model. None when all is frozen.
        width:    D of the tokens that come out at the end
        pooled_width: D' of `Tokens.pooled` that comes out at the end, or None if there is none
        input:    `TextInput` for a text encoder, `ImageSpec` for an image encoder
        level_widths: D of each of `Tokens.levels` that come out at the end, coarse to fine; empty if there are none
        identity: name, cut, options and the weights' SHA-256 of the *frozen* part; two equal identities give equal
                  tokens. Part of the cache's key, and checked when a run is loaded.
    """

    frozen: nn.Module | None
    trained: nn.Module | None
    width: int
    pooled_width: int | None
    input: TextInput | ImageSpec
    identity: str
    level_widths: tuple[int, ...] = ()
