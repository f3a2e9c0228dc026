"""The rungs with query, key and value: v6 on one matrix, v7 on one matrix a head, v8 with an attention a direction."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from plait.fusion.ladder.pieces import Met, Rung, check_heads, joined, read, shared_weights, split

__all__ = ["IndependentHeads", "QueryKeyValueAttention", "SharedHeads"]


class QueryKeyValueAttention(Rung):
    """v6: project to query, key and value, the same maps for both sides, and attend by one matrix.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); A = softmax over words of (Y W_q)(X W_k)^T / sqrt(D);
    image_out = A X W_v, text_out = A^T Y W_v, rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token a side the values are exchanged, and W_q and W_k never learn.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v6, described and not printed there. Differs: as v1 (see
    `SharedAttention`); regions ask and words answer, as in the printed rungs on one matrix; the three maps are one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width)
        # Query, value, key: the image needs the first two, the text the last two.
        self.project = nn.Linear(width, 3 * width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to value and key: (C, T, 2 D)."""
        return F.linear(self.norm(values), self.project.weight[self.width :], self.project.bias[self.width :])

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to query and value: (B, P, 2 D)."""
        used = 2 * self.width
        return F.linear(self.norm(values), self.project.weight[:used], self.project.bias[:used])

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        (value_words, key), (query, value_regions) = words.chunk(2, -1), regions.chunk(2, -1)
        i2t, t2i = shared_weights(query, key, real_regions, real_words)
        shown = ((t2i[:, None],), (i2t[:, None],)) if maps else ((), ())
        return Met(t2i @ value_regions, i2t @ value_words, *shown)


class SharedHeads(Rung):
    """v7: v6 with heads, values of words only, and a norm after.

    Formula: a head's A = softmax over words of (Y W_q)(X W_k)^T / sqrt(d), X = LayerNorm(text), Y = LayerNorm(image);
    regions gather G = A X W_v, words read back A^T G, rows of A^T divided by their sums;
    image_out = LayerNorm(W_o [heads of G]), text_out = LayerNorm(W_o [heads of A^T G]).

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Requirements: the image decides who reads what, but no value of it arrives. With one token a side both outputs are
    the same function of the text and the image is not read at all: pairing "matched" then "wins" on noise.
    Raises:
        ConfigError: heads does not divide D.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v7, described and not printed there: what is known is that
    with one token a side both outputs come from the text alone. Differs: with many tokens a word needs something of
    shape (P, D) to read, which here is what regions gathered; padding masked as in v1.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.width = width
        self.heads = check_heads("ladder/v7", width, heads)
        self.norm = nn.LayerNorm(width)
        # Query, key, value: the image needs the first, the text the other two.
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to key and value: (C, T, 2 D)."""
        return F.linear(self.norm(values), self.project.weight[self.width :], self.project.bias[self.width :])

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to query: (B, P, D)."""
        return F.linear(self.norm(values), self.project.weight[: self.width], self.project.bias[: self.width])

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Gather words into regions, and read back; see `Rung.attended`."""
        key, value = (split(part, self.heads) for part in words.chunk(2, -1))
        i2t, t2i = shared_weights(split(regions, self.heads), key, real_regions, real_words)
        gathered = i2t @ value
        shown = ((t2i,), (i2t,)) if maps else ((), ())
        return Met(self._finished(t2i @ gathered), self._finished(gathered), *shown)

    def _finished(self, values: Tensor) -> Tensor:
        finished: Tensor = self.out_norm(self.out(joined(values)))
        return finished


class IndependentHeads(Rung):
    """v8: multi-head attention, one a direction with the same maps, normed before and after.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); MHA(Q, K) = W_o [heads of softmax((Q W_q)(K W_k)^T / sqrt(d))
    K W_v]; text_out = LayerNorm(MHA(X, Y)), image_out = LayerNorm(MHA(Y, X)); one norm before, one after, for both.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T)
    Requirements: with one token a side the values are exchanged, and W_q and W_k never learn.
    Raises:
        ConfigError: heads does not divide D.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v8. Differs: padding is masked; the three maps are one.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.heads = check_heads("ladder/v8", width, heads)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width)

    def text_side(self, values: Tensor) -> Tensor:
        """Norm and project (C, T, D) to query, key and value: (C, T, 3 D)."""
        projected: Tensor = self.project(self.norm(values))
        return projected

    def image_side(self, values: Tensor) -> Tensor:
        """Norm and project (B, P, D) to query, key and value: (B, P, 3 D)."""
        return self.text_side(values)

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Read both ways; see `Rung.attended`."""
        ask_words, key_words, value_words = (split(part, self.heads) for part in words.chunk(3, -1))
        ask_regions, key_regions, value_regions = (split(part, self.heads) for part in regions.chunk(3, -1))
        to_words, t2i = read(ask_words, key_regions, value_regions, real_regions, maps=maps)
        to_regions, i2t = read(ask_regions, key_words, value_words, real_words, maps=maps)
        return Met(self.out_norm(self.out(joined(to_words))), self.out_norm(self.out(joined(to_regions))), t2i, i2t)
