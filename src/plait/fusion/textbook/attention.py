"""Words that attend to regions without a residual, and sides that attend to themselves first and then to each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.one_token import one_token
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.nn.attention import MultiHeadAttention
from plait.nn.pooling import masked_mean

__all__ = ["CrossModalAttention", "HierarchicalAttention", "QueryKey"]


class CrossModalAttention(PairFusion[Values, Values]):
    """Let words attend to regions, both projected first; the attended vectors take the words' place.

    Formula: text_out = MHA(X W_t, Y W_i) with X words, Y regions, queries first; image_out = Y W_i.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); one map, if requested: (B, heads, T, P)
    Requirements: words only choose. With one token per side there is nothing to choose, and the text is not read.
    Raises:
        ConfigError: heads does not divide D.
    Source: Park 2025, Deep Learning DNA, section 10.4.2, CrossModalAttention. Differs: padding is masked; the projected
    image is returned beside the attended vectors.
    """

    unread_with_one_token = "text"
    shares_image = True
    takes_shared_rows = True

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.text_project = nn.Linear(width, width)
        self.image_project = nn.Linear(width, width)
        self.attention = MultiHeadAttention(width, heads=heads)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Project the words."""
        return prepared(text, Values(self.text_project(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Project the regions."""
        return prepared(image, Values(self.image_project(image.values)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let words attend to regions; keys of an image are projected once for all the pairs that share it."""
        text = text.aligned()
        image = image.aligned() if maps else image.shared()
        words, regions = text.parts.values, image.parts.values
        attended, weights = self.attention(words, regions, image.valid, row=image.row, weights=maps)
        shown = () if weights is None else (AttentionMap(weights, "text", "image"),)
        return Fused(text.tokens(attended), image.tokens(regions), shown, image_row=image.row)


@dataclass(frozen=True)
class QueryKey(Parts):
    """One side's tokens as queries and as keys.

    Fields:
        query: (R, N, D) float, projected after self-attention
        key:   (R, N, D) float, projected as they came
    """

    query: Tensor
    key: Tensor


class HierarchicalAttention(PairFusion[QueryKey, QueryKey]):
    """Let each side attend to itself, then to the other, and mix both results to one vector.

    Formula: X' = MHA(X, X), Y' = MHA(Y, Y); a = MHA(X' A, Y B), b = MHA(Y' C, X E), queries first;
    out = W [mean over words of a; mean over regions of b] + w, which is both text_out and image_out.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with the same one token on both sides, (B, 1, D); two maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: with one token per side it is one linear map of both. Both outputs are one vector, so pairing
    "matched" compares each pair with itself and "wins" on noise.
    Raises:
        ConfigError: heads does not divide D.
    Source: Park 2025, Deep Learning DNA, section 10.4.2, HierarchicalCrossModalAttention. Differs: as printed, the two
    directions are concatenated token by token, for which a sentence would need as many words as the image has regions;
    W is linear, so means over tokens give what its mean would be. Padding is masked.
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

    def prepare_text(self, text: Tokens) -> Prepared[QueryKey]:
        """Let words attend to each other, and project queries and keys."""
        words = self.local_text(text.values, text.values, text.valid)[0]
        return prepared(text, QueryKey(self.text_query(words), self.text_key(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKey]:
        """Let regions attend to each other, and project queries and keys."""
        regions = self.local_image(image.values, image.values, image.valid)[0]
        return prepared(image, QueryKey(self.image_query(regions), self.image_key(image.values)))

    def meet(self, text: Prepared[QueryKey], image: Prepared[QueryKey], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other and mix the two means."""
        a, t2i = self.t2i(text.parts.query, image.parts.key, image.valid, weights=maps)
        b, i2t = self.i2t(image.parts.query, text.parts.key, text.valid, weights=maps)
        joint = one_token(self.out(torch.cat([masked_mean(a, text.valid), masked_mean(b, image.valid)], -1)))
        shown = () if t2i is None else (AttentionMap(t2i, "text", "image"), AttentionMap(i2t, "image", "text"))
        return Fused(joint, joint, shown)
