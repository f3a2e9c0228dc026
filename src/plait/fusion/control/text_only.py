"""The control of questions: trained on the text alone, how much can be answered without an image."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.one_token import one_token
from plait.nn.blocks import SelfBlock

__all__ = ["TextOnlyFusion"]


class TextOnlyFusion(Fusion):
    """Give the text as it is, after self-attention over its words, and the same learned token for every image.

    Formula: `layers` self-attention blocks over LayerNorm(text), and LayerNorm; the image is a learned vector c.

    A trained model that is given zeros in place of its image is out of its training distribution. This one is trained
    without images: a fusion that reads the image has to answer more questions than it.

    Arguments:
        width:  D of both sides
        layers: self-attention blocks; 0 leaves each word by itself
        heads, ratio, dropout: of those blocks
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float, of which only B is used
        returns: Fused with text (B, T, D) and image (B, 1, D), the same in every row; no maps
    Requirements: answers only. Under a match score it would give every image the same score.
    Raises:
        ConfigError: layers is below 0.
    Source: the question-only baselines of Antol et al. 2015. Differs: self-attention over the words, no
    LSTM.
    """

    gives_maps = False
    image_reads_text = False

    def __init__(self, width: int, *, layers: int = 1, heads: int = 8, ratio: float = 2, dropout: float = 0.0) -> None:
        super().__init__()
        if layers < 0:
            raise ConfigError(f"fusion 'text_only', layers: expected at least 0, got {layers}")
        self.input_norm = nn.LayerNorm(width)
        self.image = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Read the words of each pair; see the class."""
        words = self.input_norm(text.values)
        for block in self.blocks:
            words = block(words, text.valid)
        blank = one_token(self.image.to(words.dtype).expand(len(image), -1))
        return Fused(replace(text, values=self.norm(words), pooled=None), blank)
