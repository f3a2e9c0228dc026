"""Feature-wise modulation: the sentence scales and shifts the channels of every cell."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.input_norm import Entrance
from plait.fusion.base.pairs import PairFusion, rows_of
from plait.nn.blocks import SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["FilmFusion"]


class FilmFusion(PairFusion):
    """Scale and shift each channel of the picture by what the sentence says, the same at every place.

    Formula: with x and w the sides as `Entrance` gives them and [g; s] = C mean(w) + c,
        y_p = (1 + g) * x_p + s;  then `layers` self-attention blocks over the cells, and LayerNorm.

    Arguments:
        width:     D of both sides
        layers:    self-attention blocks after the modulation; 0 leaves each cell by itself
        heads, ratio, dropout: of those blocks
        positions: mark grid tokens with their row and column (see `Entrance`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) as it entered and image (B, P, D) on its grid; no maps
    Requirements: the sentence acts as one vector, so two words never act on two places by themselves.
    Raises:
        ConfigError: layers is below 0.
    Source: Perez et al. 2018 (FiLM); Lueddecke & Ecker 2022 (CLIPSeg), which modulates the first layer of its decoder
    so. Differs: the vector is the mean word, not a sentence embedding; pre-norm blocks.
    """

    def __init__(
        self,
        width: int,
        *,
        layers: int = 1,
        heads: int = 8,
        ratio: float = 2,
        dropout: float = 0.0,
        positions: bool = True,
    ) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'film', layers: expected at least 0, got {layers}")
        self.entrance = Entrance(width, sides=False, positions=positions)
        self.condition = nn.Linear(width, 2 * width)
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def prepare(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        """Bring each side to one scale; `pooled` of the text becomes gain and shift, (C, 2 D)."""
        words, cells = self.entrance(text, image)
        condition = self.condition(masked_mean(words, text.valid))
        return replace(text, values=words, pooled=condition), replace(image, values=cells)

    def meet(
        self,
        text: Tokens,
        image: Tokens,
        *,
        text_row: Tensor | None = None,
        image_row: Tensor | None = None,
        maps: bool = False,
    ) -> Fused:
        """Modulate the cells of each pair's picture; see the class."""
        text, image = rows_of(text, text_row), rows_of(image, image_row)
        assert text.pooled is not None  # set by `prepare`
        gain, shift = text.pooled[:, None].chunk(2, -1)
        values = image.values * (1 + gain) + shift
        for block in self.blocks:
            values = block(values, image.valid)
        return Fused(replace(text, pooled=None), replace(image, values=self.norm(values), pooled=None))
