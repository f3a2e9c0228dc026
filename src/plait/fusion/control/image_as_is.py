"""The control of every image head: nothing is fused, and nothing is learned between encoder and head."""

from __future__ import annotations

from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion

__all__ = ["ImageAsIsFusion"]


class ImageAsIsFusion(Fusion):
    """Give both sides as they came, the image's summary included: a head on it is a probe of the image encoder.

    Formula: text' = text, image' = image.

    Arguments:
        width: D of both sides; not used
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with both as they came; no maps
    Requirements: for classes only. Under a match score it would give every sentence the same image.
    Source: Alain and Bengio 2016 (linear probes). Differs: none.
    Relations: `ImageOnlyFusion` adds norms, positions and self-attention.
    """

    gives_maps = False
    image_reads_text = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Pass both sides on; see the class."""
        return Fused(text, image)
