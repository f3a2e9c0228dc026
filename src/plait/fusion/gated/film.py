"""Feature-wise modulation: the sentence scales and shifts the channels of every cell."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Parts, Prepared, Values, prepared
from plait.nn.blocks import SelfBlock
from plait.nn.pooling import masked_mean

__all__ = ["FilmFusion", "FilmText"]


@dataclass(frozen=True)
class FilmText(Parts):
    """The words and the modulation that they give every cell.

    Fields:
        values: (C, T, D) float, the words after the input norm
        gain:   (C, 1, D) float, g of the formula
        shift:  (C, 1, D) float, s of the formula
    """

    values: Tensor
    gain: Tensor
    shift: Tensor


class FilmFusion(PairFusion[FilmText, Values]):
    """Scale and shift each channel of the image by a vector of the sentence, the same in every cell.

    Formula: with x and w the sides as `InputNorm` gives them and [g; s] = C mean(w) + c,
        y_p = (1 + g) * x_p + s;  then `layers` self-attention blocks over the cells, and LayerNorm.

    Arguments:
        width:     D of both sides
        layers:    self-attention blocks after the modulation; 0 leaves each cell by itself
        heads, ratio, dropout: of those blocks
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) after the input norm and image (B, P, D) on its grid; no maps
    Requirements: the sentence acts as one vector, so two words never act on two places by themselves.
    Raises:
        ConfigError: layers is below 0.
    Source: Perez et al. 2018 (FiLM); Lueddecke & Ecker 2022 (CLIPSeg), which modulates the first layer of its decoder
    this way. Differs: the vector is the mean word, not a sentence embedding; pre-norm blocks.
    """

    gives_maps = False
    tested_options = ({"layers": 0}, {"layers": 2, "positions": False})

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
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.condition = nn.Linear(width, 2 * width)
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[FilmText]:
        """Norm the words and project their mean to gain and shift."""
        words = self.input_norm.text(text)
        gain, shift = self.condition(masked_mean(words, text.valid))[:, None].chunk(2, -1)
        return prepared(text, FilmText(words, gain, shift))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the cells and mark their places."""
        return prepared(image, Values(self.input_norm.image(image)))

    def meet(self, text: Prepared[FilmText], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Modulate the cells of each pair's image; see the class."""
        values = image.parts.values * (1 + text.parts.gain) + text.parts.shift
        for block in self.blocks:
            values = block(values, image.valid)
        return Fused(text.tokens(text.parts.values), image.tokens(self.norm(values)))
