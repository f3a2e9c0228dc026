"""The fusion model: two encoded sides, a fusion and a head, with every step a public method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from plait.core.errors import ShapeError
from plait.core.types import Batch, EncoderParts, Fused, MatchScores, Tokens

__all__ = ["FusionModel", "Side", "Towers"]

# One chunk of expanded pairs may hold this many token vectors; larger ones fall out of the CPU's caches, smaller ones
# leave the matrix products too thin.
TOKENS_PER_CHUNK = 8_192


class Side(nn.Module):
    """One modality's way from raw input to tokens of the common width.

    Formula: adapter(trained(frozen(raw))).

    The frozen part is held outside PyTorch's registration: it is neither trained, moved into checkpoints nor counted,
    and a run that reads cached tokens may drop it.
    """

    def __init__(self, parts: EncoderParts, adapter: nn.Module) -> None:
        super().__init__()
        self._frozen = (parts.frozen,)
        self.trained = parts.trained
        self.adapter = adapter
        self.input = parts.input
        self.identity = parts.identity

    @property
    def has_frozen(self) -> bool:
        """Whether there are frozen tokens that can be cached."""
        return self._frozen[0] is not None

    @torch.no_grad()
    def freeze(self, *raw: Tensor) -> Tokens:
        """Run the frozen part: (ids, valid) for text, (pixels,) for images -> Tokens, without gradients."""
        frozen = self._frozen[0]
        if frozen is None:
            raise ShapeError("this side has no frozen encoder: all of it is trained, so pass raw input to forward")
        tokens: Tokens = frozen(*raw)
        return tokens

    def forward(self, *raw: Tensor | Tokens) -> Tokens:
        """Give tokens of the common width from raw input, or from the frozen part's cached tokens."""
        tokens = raw
        if self.has_frozen and not isinstance(raw[0], Tokens):
            tokens = (self.freeze(*raw),)  # type: ignore[arg-type]
        if self.trained is not None:
            tokens = (self.trained(*tokens),)
        adapted: Tokens = self.adapter(tokens[0])
        return adapted


class Towers(nn.Module):
    """The first stage of the `itm` pairing: a similarity fusion whose all-pairs scores find candidates cheaply."""

    def __init__(self, fusion: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head

    def forward(self, text: Tokens, image: Tokens) -> Tensor:
        """Score every image (rows) with every caption (columns): (B, C) cosine."""
        scores: Tensor = self.head.pool(self.fusion.similarities(text, image)).values  # type: ignore[operator]
        return scores


class FusionModel(nn.Module):
    """Text and image, encoded, fused and read.

    Args:
        text, image: the two `Side`s
        fusion:      aligned pairs of Tokens -> Fused (see `plait.fusion`)
        head:        Fused -> MatchScores (see `plait.heads`)
        towers:      the first stage for pairing "itm", or None for pairing "all"
        pool:        module Tokens -> Tokens with one token a side, for the pooled baselines, or None

    `encode`, `fuse` and `read` are separate public steps because mining negatives, re-ranking and explaining each
    need one of them alone; `forward` is their composition for aligned pairs.
    """

    def __init__(
        self,
        text: Side,
        image: Side,
        *,
        fusion: nn.Module,
        head: nn.Module,
        towers: Towers | None = None,
        pool: Callable[[Tokens], Tokens] | None = None,
    ) -> None:
        super().__init__()
        self.text = text
        self.image = image
        self.fusion = fusion
        self.head = head
        self.towers = towers
        self.pool = pool

    def encode(self, batch: Batch) -> tuple[Tokens, Tokens]:
        """Give both sides' tokens of the common width D: (B, T, D) and (B, P, D)."""
        text = self.encode_text(batch.text) if batch.text is not None else self.encode_text(*_raw_text(batch))
        image = self.encode_image(batch.image if batch.image is not None else _raw_image(batch))
        return text, image

    def encode_text(self, *raw: Tensor | Tokens) -> Tokens:
        """Give text tokens from (ids, valid) or from cached tokens."""
        return self._pooled(self.text(*raw))

    def encode_image(self, raw: Tensor | Tokens) -> Tokens:
        """Give image tokens from pixels (B, 3, H, W) or from cached tokens."""
        return self._pooled(self.image(raw))

    def fuse(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; attention maps are returned when asked."""
        fused: Fused = self.fusion(text, image, maps=maps)
        return fused

    def read(self, fused: Fused) -> MatchScores:
        """Read fused pairs: MatchScores with values (B,)."""
        scores: MatchScores = self.head(fused)
        return scores

    def forward(self, batch: Batch) -> MatchScores:
        """Score the batch's aligned pairs: encode, fuse, read."""
        return self.read(self.fuse(*self.encode(batch)))

    @property
    def has_algebra(self) -> bool:
        """Whether the fusion scores all pairs by algebra instead of expanding every pair."""
        reads: str = self.fusion.reads  # type: ignore[assignment]
        return reads == "similarity"

    def score_all(self, text: Tokens, image: Tokens) -> Tensor:
        """Score every image with every caption through the fusion.

        Formula: s[b, c] = read(fuse(text c, image b)). Where the fusion has an all-pairs algebra that is used; else
        pairs are expanded and fused in chunks. A contract test holds both equal.

        Shapes: text Tokens (C, T, D), image Tokens (B, P, D); returns (B, C) float.
        """
        if self.has_algebra:
            scores: Tensor = self.head.pool(self.fusion.similarities(text, image)).values  # type: ignore[operator]
            return scores
        images, captions = len(image), len(text)
        image_index = torch.arange(images).repeat_interleave(captions)
        text_index = torch.arange(captions).repeat(images)
        return self.score_pairs(text, image, text_index, image_index).view(images, captions)

    def score_pairs(self, text: Tokens, image: Tokens, text_index: Tensor, image_index: Tensor) -> Tensor:
        """Score chosen pairs: (M,) for text rows `text_index` (M,) with image rows `image_index` (M,).

        Shapes: text Tokens (C, T, D), image Tokens (B, P, D), indices (M,) int64; returns (M,) float.
        """
        if text_index.shape != image_index.shape:
            raise ShapeError(
                f"expected as many text as image indices, got {tuple(text_index.shape)} and {tuple(image_index.shape)}"
            )
        if not self.has_algebra:
            # Work that needs one side alone (pooling, projecting) is done once a row, not once a pair.
            text, image = self.fusion.condense(text, image)  # type: ignore[operator]
        tokens_a_pair = text.values.shape[1] + image.values.shape[1]
        step = max(1, TOKENS_PER_CHUNK // tokens_a_pair)
        parts = [
            self.read(self.fuse(_trimmed(text.take(t)), image.take(i))).values
            for t, i in zip(text_index.split(step), image_index.split(step), strict=True)
        ]
        return torch.cat(parts) if parts else text.values.new_zeros(0)

    def _pooled(self, tokens: Tokens) -> Tokens:
        return tokens if self.pool is None else self.pool(tokens)


def _trimmed(tokens: Tokens) -> Tokens:
    """Drop trailing columns that hold padding in every row."""
    longest = int(tokens.valid.sum(1).max()) if len(tokens) else 0
    last = int(tokens.valid.any(0).nonzero().max()) + 1 if longest else 1
    if last == tokens.values.shape[1] or tokens.grid is not None:
        return tokens
    boxes = None if tokens.boxes is None else tokens.boxes[:, :last]
    return replace(tokens, values=tokens.values[:, :last], valid=tokens.valid[:, :last], boxes=boxes)


def _raw_text(batch: Batch) -> tuple[Tensor, Tensor]:
    if batch.text_ids is None or batch.text_valid is None:
        raise ShapeError("the batch holds neither text ids nor cached text tokens; give one of them")
    return batch.text_ids, batch.text_valid


def _raw_image(batch: Batch) -> Tensor:
    if batch.pixels is None:
        raise ShapeError("the batch holds neither pixels nor cached image tokens; give one of them")
    return batch.pixels
