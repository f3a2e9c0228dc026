"""Words reading regions without a residual, and both sides reading themselves first and then each other."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.pairs import PairFusion, rows_of, shared_rows
from plait.fusion.base.one_token import one_token
from plait.nn.attention import MultiHeadAttention
from plait.nn.pooling import masked_mean

__all__ = ["CrossModalAttention", "HierarchicalAttention"]


class CrossModalAttention(PairFusion):
    """Let words read regions, both projected first; what they read takes their place.

    Formula: text_out = MHA(X W_t, Y W_i) with X words, Y regions, queries first; image_out = Y W_i.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); one map, if asked: (B, heads, T, P)
    Requirements: words only choose. With one token a side there is nothing to choose, and the text is not read at all.
    Raises:
        ConfigError: heads does not divide D.
    Source: Multimodal Deep Learning, section 10.4.2 (dldna), CrossModalAttention. Differs: padding is masked; the
    projected image is returned beside what words read.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.text_project = nn.Linear(width, width)
        self.image_project = nn.Linear(width, width)
        self.attention = MultiHeadAttention(width, heads=heads)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Project each side."""
        return (
            replace(text, values=self.text_project(text.values), pooled=None),
            replace(image, values=self.image_project(image.values), pooled=None),
        )

    shares_image = True

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Let words read regions; those of an image are projected once for all the pairs it takes part in."""
        text = rows_of(text, text_row)
        if maps:
            image, image_row = rows_of(image, image_row), None
        elif image_row is not None:
            image, image_row = shared_rows(image, image_row)
        found, weights = self.attention(text.values, image.values, image.valid, row=image_row, weights=maps)
        shown = () if weights is None else (AttentionMap(weights, "text", "image"),)
        return Fused(replace(text, values=found), image, shown, image_row=image_row)


class HierarchicalAttention(PairFusion):
    """Let each side read itself, then the other, and mix what both found to one vector.

    Formula: X' = MHA(X, X), Y' = MHA(Y, Y); a = MHA(X' A, Y B), b = MHA(Y' C, X E), queries first;
    out = W [mean over words of a; mean over regions of b] + w, which is both text_out and image_out.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with the same one token on both sides, (B, 1, D); two maps, if asked: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: with one token a side it is one linear map of both. Both outputs are one vector, so pairing "matched"
    compares each pair with itself and "wins" on noise.
    Raises:
        ConfigError: heads does not divide D.
    Source: Multimodal Deep Learning, section 10.4.2 (dldna), HierarchicalCrossModalAttention. Differs: printed, the two
    directions are laid side by side token by token, for which a sentence would need as many words as the image
    has regions; W is linear, so means over tokens give what its mean would be. Padding is masked.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.local_text = MultiHeadAttention(width, heads=heads)
        self.local_image = MultiHeadAttention(width, heads=heads)
        self.text_query, self.image_key = nn.Linear(width, width), nn.Linear(width, width)
        self.image_query, self.text_key = nn.Linear(width, width), nn.Linear(width, width)
        self.t2i = MultiHeadAttention(width, heads=heads)
        self.i2t = MultiHeadAttention(width, heads=heads)
        self.out = nn.Linear(2 * width, width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Let each side read itself and project it to what it asks and what it answers: (C, T, 2 D), (B, P, 2 D)."""
        words = self.local_text(text.values, text.values, text.valid)[0]
        regions = self.local_image(image.values, image.values, image.valid)[0]
        words = torch.cat([self.text_query(words), self.text_key(text.values)], -1)
        regions = torch.cat([self.image_query(regions), self.image_key(image.values)], -1)
        return replace(text, values=words, pooled=None), replace(image, values=regions, pooled=None)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Let the sides read each other and mix the two means."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        (words, word_keys), (regions, region_keys) = text.values.chunk(2, -1), image.values.chunk(2, -1)
        a, t2i = self.t2i(words, region_keys, image.valid, weights=maps)
        b, i2t = self.i2t(regions, word_keys, text.valid, weights=maps)
        joint = one_token(self.out(torch.cat([masked_mean(a, text.valid), masked_mean(b, image.valid)], -1)))
        shown = () if t2i is None else (AttentionMap(t2i, "text", "image"), AttentionMap(i2t, "image", "text"))
        return Fused(joint, joint, shown)
