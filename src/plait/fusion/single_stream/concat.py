"""Single stream: self-attention over text and image tokens together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.nn.blocks import CrossBlock

__all__ = ["ConcatFusion"]


class ConcatFusion(PairFusion[Values, Values]):
    """Concatenate text and image tokens and let all attend to all.

    Formula: x = [LayerNorm(text) + m_text; LayerNorm(image) + m_image + g * place]; `layers` pre-norm transformer
    blocks over x with both masks; LayerNorm; cut apart again.

    Arguments:
        width:     D of both sides
        layers:    how many blocks, at least 1
        heads:     attention heads; divides D
        ratio:     hidden width of the feed-forward parts, in multiples of D
        dropout:   in attention and feed-forward parts
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: two per layer, text over image and
                 image over text. These are blocks of the joint attention, each row divided by its sum: how a token
                 distributes the attention it gives to the other side, not how much that is.
    Raises:
        ConfigError: layers is below 1.
    Source: Li et al. 2019 (VisualBERT); Chen et al. 2020 (UNITER). Differs: no pretraining; pre-norm blocks
    with one norm for queries and one for keys; places from sinusoids on the grid, where UNITER embeds detected boxes.
    """

    tested_options = ({"layers": 1, "heads": 4, "dropout": 0.1},)

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
            raise ConfigError(f"fusion 'concat', layers: expected at least 1, got {layers}")
        self.input_norm = InputNorm(width, sides=True, positions=positions)
        # A cross block whose queries are its keys is a self-attention block that can return its weights.
        self.blocks = nn.ModuleList(CrossBlock(width, heads=heads, ratio=ratio, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        """Norm the words and mark their side."""
        return prepared(text, Values(self.input_norm.text(text)))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        """Norm the regions and mark their side and their places."""
        return prepared(image, Values(self.input_norm.image(image)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        """Let all tokens of a pair attend to all; see the class."""
        words = text.valid.shape[1]
        values = torch.cat([text.parts.values, image.parts.values], 1)
        valid = torch.cat([text.valid, image.valid], 1)
        shown: list[AttentionMap] = []
        for layer, block in enumerate(self.blocks):
            values, weights = block(values, values, valid, weights=maps)
            if weights is not None:
                t2i = _row_shares(weights[:, :, :words, words:])
                i2t = _row_shares(weights[:, :, words:, :words])
                shown += [AttentionMap(t2i, "text", "image", layer), AttentionMap(i2t, "image", "text", layer)]
        values = self.norm(values)
        return Fused(text.tokens(values[:, :words]), image.tokens(values[:, words:]), tuple(shown))


def _row_shares(weights: Tensor) -> Tensor:
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
