"""The versions with query, key and value: v6 on one matrix, v7 on one per head, v8 with both directions apart."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, prepared
from plait.fusion.ladder.pieces import (
    QueryKeyValue,
    attend_by_heads,
    check_heads,
    fused,
    join_heads,
    shared_weights,
    split_heads,
)

__all__ = ["IndependentHeads", "KeyValue", "Query", "QueryKeyValueAttention", "QueryValue", "SharedHeads"]


@dataclass(frozen=True)
class KeyValue(Parts):
    """Words as keys and values.

    Fields:
        key, value: (C, T, D) float
    """

    key: Tensor
    value: Tensor


@dataclass(frozen=True)
class Query(Parts):
    """Regions as queries.

    Fields:
        query: (B, P, D) float
    """

    query: Tensor


@dataclass(frozen=True)
class QueryValue(Parts):
    """Regions as queries and values.

    Fields:
        query, value: (B, P, D) float
    """

    query: Tensor
    value: Tensor


class QueryKeyValueAttention(PairFusion[KeyValue, QueryValue]):
    """v6: project to query, key and value, the same maps for both sides, and attend by one matrix.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); A = softmax over words of (Y W_q)(X W_k)^T / sqrt(D);
    image_out = A X W_v, text_out = A^T Y W_v, rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side the values are exchanged, and W_q and W_k never learn.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v6, described and not printed there. Differs: as v1 (see
    `SharedAttention`); regions are the queries, as in the printed versions on one matrix; the three maps are one.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width)
        # Query, value, key: the image needs the first two, the text the last two.
        self.project = nn.Linear(width, 3 * width)

    def prepare_text(self, text: Tokens) -> Prepared[KeyValue]:
        """Norm the words and project them to value and key."""
        weight, bias = self.project.weight[self.width :], self.project.bias[self.width :]
        value, key = F.linear(self.norm(text.values), weight, bias).chunk(2, -1)
        return prepared(text, KeyValue(key, value))

    def prepare_image(self, image: Tokens) -> Prepared[QueryValue]:
        """Norm the regions and project them to query and value."""
        weight, bias = self.project.weight[: 2 * self.width], self.project.bias[: 2 * self.width]
        query, value = F.linear(self.norm(image.values), weight, bias).chunk(2, -1)
        return prepared(image, QueryValue(query, value))

    def meet(self, text: Prepared[KeyValue], image: Prepared[QueryValue], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other; see the class."""
        i2t, t2i = shared_weights(image.parts.query, text.parts.key, image.valid, text.valid)
        words, regions = text.tokens(t2i @ image.parts.value), image.tokens(i2t @ text.parts.value)
        return fused(words, regions, *(((t2i[:, None],), (i2t[:, None],)) if maps else ((), ())))


class SharedHeads(PairFusion[KeyValue, Query]):
    """v7: v6 with heads, values of words only, and a norm after.

    Formula: a head's A = softmax over words of (Y W_q)(X W_k)^T / sqrt(d), X = LayerNorm(text), Y = LayerNorm(image);
    regions gather G = A X W_v, words take back A^T G, rows of A^T divided by their sums;
    image_out = LayerNorm(W_o [heads of G]), text_out = LayerNorm(W_o [heads of A^T G]).

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: the image sets the weights, but no value of it arrives. With one token per side both outputs are the
    same function of the text and the image is not read at all: pairing "matched" then "wins" on noise.
    Raises:
        ConfigError: heads does not divide D.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v7, described and not printed there: what is known is that
    with one token per side both outputs come from the text alone. Differs: with many tokens a word needs values of
    shape (P, D), which here are what the regions gathered; padding masked as in v1.
    """

    unread_with_one_token = "image"

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.width = width
        self.heads = check_heads("ladder/v7", width, heads)
        self.norm = nn.LayerNorm(width)
        # Query, key, value: the image needs the first, the text the other two.
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[KeyValue]:
        """Norm the words and project them to key and value."""
        weight, bias = self.project.weight[self.width :], self.project.bias[self.width :]
        key, value = F.linear(self.norm(text.values), weight, bias).chunk(2, -1)
        return prepared(text, KeyValue(key, value))

    def prepare_image(self, image: Tokens) -> Prepared[Query]:
        """Norm the regions and project them to queries."""
        weight, bias = self.project.weight[: self.width], self.project.bias[: self.width]
        return prepared(image, Query(F.linear(self.norm(image.values), weight, bias)))

    def meet(self, text: Prepared[KeyValue], image: Prepared[Query], *, maps: bool = False) -> Fused:
        """Gather words into regions, and regions back into words; see the class."""
        query, words = split_heads(image.parts.query, self.heads), text.parts
        key, value = split_heads(words.key, self.heads), split_heads(words.value, self.heads)
        i2t, t2i = shared_weights(query, key, image.valid, text.valid)
        gathered = i2t @ value
        sides = text.tokens(self._finished(t2i @ gathered)), image.tokens(self._finished(gathered))
        return fused(*sides, *(((t2i,), (i2t,)) if maps else ((), ())))

    def _finished(self, values: Tensor) -> Tensor:
        finished: Tensor = self.out_norm(self.out(join_heads(values)))
        return finished


class IndependentHeads(PairFusion[QueryKeyValue, QueryKeyValue]):
    """v8: multi-head attention, one per direction with the same maps, normed before and after.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); MHA(Q, K) = W_o [heads of softmax((Q W_q)(K W_k)^T / sqrt(d))
    K W_v]; text_out = LayerNorm(MHA(X, Y)), image_out = LayerNorm(MHA(Y, X)); one norm before, one after, for both.

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: with one token per side the values are exchanged, and W_q and W_k never learn.
    Raises:
        ConfigError: heads does not divide D.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v8. Differs: padding is masked; the three maps are one.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__()
        self.heads = check_heads("ladder/v8", width, heads)
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the words and project them to query, key and value."""
        return prepared(text, QueryKeyValue(*self.project(self.norm(text.values)).chunk(3, -1)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKeyValue]:
        """Norm the regions and project them to query, key and value."""
        return prepared(image, QueryKeyValue(*self.project(self.norm(image.values)).chunk(3, -1)))

    def meet(self, text: Prepared[QueryKeyValue], image: Prepared[QueryKeyValue], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other; see the class."""
        a = attend_by_heads(text.parts, image.parts, text.valid, image.valid, heads=self.heads, maps=maps)
        words, regions = self.out_norm(self.out(a.words)), self.out_norm(self.out(a.regions))
        return fused(text.tokens(words), image.tokens(regions), a.t2i, a.i2t)
