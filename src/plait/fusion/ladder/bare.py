"""The two versions without a parameter: v0, one attention per direction, and v1, one matrix for both."""

from __future__ import annotations

from dataclasses import replace

from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.ladder.pieces import attend_shared, attend_with_weights, fused

__all__ = ["IndependentAttention", "SharedAttention"]


class IndependentAttention(Fusion):
    """v0: let each side attend to the other by bare dot products.

    Formula: text_out = softmax(X Y^T / sqrt(D)) Y, image_out = softmax(Y X^T / sqrt(D)) X, with X words, Y regions.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: neither output keeps its own side. With one token per side the two are exchanged: text_out is the
    image and image_out the text. Nothing scales the inputs, so their size sets how sharp attention is.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v0; Vaswani et al. 2017. Differs: padding is masked, and a
    side without real tokens gives zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        x, y = text.values, image.values
        words, t2i = attend_with_weights(x, y, y, image.valid, maps=maps)
        regions, i2t = attend_with_weights(y, x, x, text.valid, maps=maps)
        return fused(
            replace(text, values=words, pooled=None),
            replace(image, values=regions, pooled=None),
            tuple(weights[:, None] for weights in t2i),
            tuple(weights[:, None] for weights in i2t),
        )


class SharedAttention(Fusion):
    """v1: let both sides attend to each other by one matrix of bare dot products.

    Formula: A = softmax over words of Y X^T / sqrt(D); image_out = A X, text_out = A^T Y, with X words, Y regions and
    the rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side it is v0, an exchange.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v1, described and not printed there. Differs: padding is
    masked in both directions, and A^T is divided by its rows' sums (see `shared_weights`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        a = attend_shared(text.values, text.valid, image.values, image.valid, maps)
        words = replace(text, values=a.words, pooled=None)
        return fused(words, replace(image, values=a.regions, pooled=None), a.t2i, a.i2t)
