"""Text and image as they are: they meet in a head, word by word."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.nn.blocks import SelfBlock

__all__ = ["Unfused"]


class Unfused(Fusion):
    """Give both sides without letting one read the other.

    Formula: text' = text; image' = LayerNorm(blocks(image)) with `layers` self-attention blocks, image with none.

    A decoder of captions predicts word t + 1 from the words up to t and the image. A fusion in which the image reads
    the text would show it the whole caption.

    Arguments:
        width:  D of both sides
        layers: self-attention blocks over the image's tokens; 0 leaves them as they are
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float
        returns: Fused with text (B, T, D) as it came and image (B, P, D), its summary as it came; no maps
    Raises:
        ConfigError: layers is below 0.
    """

    gives_maps = False
    image_reads_text = False
    tested_options = ({"layers": 1, "heads": 2},)

    def __init__(self, width: int, *, layers: int = 0, heads: int = 8, ratio: float = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'unfused', layers: expected at least 0, got {layers}")
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width) if layers else nn.Identity()

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Pass both on; see the class."""
        values = image.values
        for block in self.blocks:
            values = block(values, image.valid)
        return Fused(text, replace(image, values=self.norm(values)))
