"""Modular co-attention: the question is encoded by itself, then the regions attend to each other and to it."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.input_norm import InputNorm
from plait.nn.blocks import CrossBlock, SelfBlock

__all__ = ["ModularCoAttentionFusion"]


class ModularCoAttentionFusion(Fusion):
    """Stack self-attention over the words; then, as often, self-attention over the regions and attention to the words.

    Formula: X = SA_L(... SA_1(words));  Y_l = GA_l(SA'_l(Y_{l-1}), X), Y_0 = regions; with pre-norm blocks SA (self-
    attention) and GA (attention of regions to the encoded words), each with a feed-forward layer; LayerNorm at the end.

    Arguments:
        width:  D of both sides
        layers: L of the formula, at least 1; the paper uses 6
        heads, ratio, dropout: of the blocks
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) = X and image (B, P, D) = Y_L on its grid; one map (B, heads, P, T) per layer
    Raises:
        ConfigError: layers is below 1.
    Source: Yu et al. 2019 (MCAN), section 3.2, the encoder-decoder. Differs: pre-norm; both sides are reduced to
    vectors by the head's pool ("attention" is theirs), not by an MLP's softmax; 2 layers by default.
    """

    tested_options = ({"layers": 1, "heads": 2, "positions": False},)

    def __init__(
        self,
        width: int,
        *,
        layers: int = 2,
        heads: int = 8,
        ratio: float = 2,
        dropout: float = 0.0,
        positions: bool = True,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"fusion 'mcan', layers: expected at least 1, got {layers}")
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.text_blocks = nn.ModuleList(
            SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers)
        )
        self.image_blocks = nn.ModuleList(
            SelfBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers)
        )
        self.guided_blocks = nn.ModuleList(
            CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers)
        )
        self.text_norm, self.image_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words, regions = self.input_norm.text(text), self.input_norm.image(image)
        for block in self.text_blocks:
            words = block(words, text.valid)
        shown: list[AttentionMap] = []
        for layer, (block, guided) in enumerate(zip(self.image_blocks, self.guided_blocks, strict=True)):
            regions, weights = guided(block(regions, image.valid), words, text.valid, weights=maps)
            if weights is not None:
                shown.append(AttentionMap(weights, query="image", key="text", layer=layer))
        return Fused(
            text=replace(text, values=self.text_norm(words), pooled=None),
            image=replace(image, values=self.image_norm(regions), pooled=None),
            maps=tuple(shown),
        )
