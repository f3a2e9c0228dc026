"""The versions on one matrix and one layer norm: v2, with a residual v3, projections v4, or a fixed mixture v5."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from plait.core.types import Fused, Tokens
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.fusion.ladder.pieces import attend_shared, fused

__all__ = ["MixedAttention", "NormedAndRaw", "NormedAttention", "ProjectedAttention", "ResidualAttention"]

KEPT = 0.5


class NormedAttention(PairFusion[Values, Values]):
    """v2: norm both sides, then let them attend to each other by one matrix.

    Formula: X = LayerNorm(text), Y = LayerNorm(image), one LayerNorm for both; A = softmax over words of
    Y X^T / sqrt(D); image_out = A X, text_out = A^T Y, rows of A^T divided by their sums.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side the normed sides are exchanged.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v2. Differs: as v1 (see `SharedAttention`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words."""
        return prepared(text, Values(self.norm(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the regions."""
        return prepared(image, Values(self.norm(image.values)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other; see the class."""
        a = attend_shared(text.parts.values, text.valid, image.parts.values, image.valid, maps)
        return fused(text.tokens(a.words), image.tokens(a.regions), a.t2i, a.i2t)


@dataclass(frozen=True)
class NormedAndRaw(Parts):
    """One side's tokens, normed and as they came.

    Fields:
        normed: (R, N, D) float
        raw:    (R, N, D) float
    """

    normed: Tensor
    raw: Tensor


class ResidualAttention(PairFusion[NormedAndRaw, NormedAndRaw]):
    """v3: add the input to the output of v2.

    Formula: image_out = image + A X, text_out = text + A^T Y; A, X, Y as in `NormedAttention`. The residual is the raw
    input, not the normed one.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side both outputs are about text + image, nearly the same vector. Fusing pairs that
    belong together before comparing them (pairing "matched") then gives the answer away: it "wins" on noise.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v3. Differs: as v1 (see `SharedAttention`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[NormedAndRaw]:
        """Norm the words, and keep them as they came."""
        return prepared(text, NormedAndRaw(self.norm(text.values), text.values))

    def prepare_image(self, image: Tokens) -> Prepared[NormedAndRaw]:
        """Norm the regions, and keep them as they came."""
        return prepared(image, NormedAndRaw(self.norm(image.values), image.values))

    def meet(self, text: Prepared[NormedAndRaw], image: Prepared[NormedAndRaw], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other and add the inputs; see the class."""
        x, y = text.parts, image.parts
        a = attend_shared(x.normed, text.valid, y.normed, image.valid, maps)
        return fused(text.tokens(x.raw + a.words), image.tokens(y.raw + a.regions), a.t2i, a.i2t)


class ProjectedAttention(PairFusion[Values, Values]):
    """v4: project each normed side by a map of its own before v2's attention.

    Formula: X = W_t LayerNorm(text) + b_t, Y = W_i LayerNorm(image) + b_i; the rest as in `NormedAttention`.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side the projections are exchanged: two towers of one linear layer per side.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v4, described and not printed there. Differs: as v1 (see
    `SharedAttention`); what is attended to is projected too.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.text_project = nn.Linear(width, width)
        self.image_project = nn.Linear(width, width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm and project the words."""
        return prepared(text, Values(self.text_project(self.norm(text.values))))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm and project the regions."""
        return prepared(image, Values(self.image_project(self.norm(image.values))))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other; see the class."""
        a = attend_shared(text.parts.values, text.valid, image.parts.values, image.valid, maps)
        return fused(text.tokens(a.words), image.tokens(a.regions), a.t2i, a.i2t)


class MixedAttention(PairFusion[Values, Values]):
    """v5: give half of v2's input and half of its output.

    Formula: image_out = 0.5 Y + 0.5 A X, text_out = 0.5 X + 0.5 A^T Y; A, X, Y as in `NormedAttention`.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, 1, T, P) and (B, 1, P, T)
    Requirements: with one token per side both outputs are the same vector, the mean of the normed sides (see
    `ResidualAttention` for what that does to pairing "matched").
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v5, described and not printed there. Differs: as v1 (see
    `SharedAttention`).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words."""
        return prepared(text, Values(self.norm(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the regions."""
        return prepared(image, Values(self.norm(image.values)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let the sides attend to each other and mix; see the class."""
        x, y = text.parts.values, image.parts.values
        a = attend_shared(x, text.valid, y, image.valid, maps)
        return fused(text.tokens(KEPT * (x + a.words)), image.tokens(KEPT * (y + a.regions)), a.t2i, a.i2t)
