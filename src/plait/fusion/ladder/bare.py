"""The two rungs without a parameter: v0, one attention a direction, and v1, one matrix for both."""

from __future__ import annotations

from torch import Tensor

from plait.fusion.ladder.pieces import Met, Rung, read, shared_weights

__all__ = ["IndependentAttention", "SharedAttention", "meet_shared"]


class IndependentAttention(Rung):
    """v0: let each side read the other by bare dot products.

    Formula: text_out = softmax(X Y^T / sqrt(D)) Y, image_out = softmax(Y X^T / sqrt(D)) X, with X words, Y regions.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: neither output keeps its own side. With one token a side the two are exchanged: text_out is the image
    and image_out the text. Nothing scales the inputs, so their size sets how sharp attention is.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v0; Vaswani et al. 2017. Differs: padding is masked, and
    a side without real tokens gives zeros.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        to_words, t2i = read(words, regions, regions, real_regions, maps=maps)
        to_regions, i2t = read(regions, words, words, real_words, maps=maps)
        return Met(to_words, to_regions, tuple(w[:, None] for w in t2i), tuple(w[:, None] for w in i2t))


class SharedAttention(Rung):
    """v1: let both sides read each other by one matrix of bare dot products.

    Formula: A = softmax over words of Y X^T / sqrt(D); image_out = A X, text_out = A^T Y, with X words, Y regions and
    the rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side it is v0, an exchange.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v1, described and not printed there. Differs: padding
    is masked in both directions, and A^T is divided by its rows' sums (see `shared_weights`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        return meet_shared(words, real_words, regions, real_regions, maps)


def meet_shared(words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
    """Let words (M, T, D) and regions (M, P, D) read each other by one matrix; masks (M, T) and (M, P)."""
    i2t, t2i = shared_weights(regions, words, real_regions, real_words)
    shown = ((t2i[:, None],), (i2t[:, None],)) if maps else ((), ())
    return Met(t2i @ regions, i2t @ words, *shown)
