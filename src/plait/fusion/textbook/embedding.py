"""Two embeddings of a textbook (Park 2025): one vector per side, compared, and one vector per pair."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from plait.core.types import Fused, Similarities, Tokens
from plait.fusion.base.fusion import SimilarityFusion
from plait.fusion.base.one_token import one_token
from plait.fusion.base.prepared import Prepared
from plait.fusion.textbook.attention import HierarchicalAttention, QueryKey
from plait.nn.pairs import cosine_similarities
from plait.nn.pooling import masked_mean

__all__ = ["CrossModalEmbedding", "MultimodalEmbedding"]


class MultimodalEmbedding(SimilarityFusion):
    """Project each side's mean token by a map of its own, norm it, and compare.

    Formula: text_out = LayerNorm(W_t mean(X) + b_t), image_out = LayerNorm(W_i mean(Y) + b_i); the head reads their
    cosine.

    Arguments:
        width: D of both sides
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with one token per side, (B, 1, D); no maps, since nothing attends across
    Source: Park 2025, Deep Learning DNA, section 10.4.1, MultimodalEmbedding. Differs: the sides are means of real
    tokens, where the textbook takes the encoders' own summaries; the learned scale is the objective's.
    """

    gives_maps = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text_project = _embedding(width)
        self.image_project = _embedding(width)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        return Fused(one_token(self._text(text)), one_token(self._image(image)))

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, 1)."""
        values = cosine_similarities(self._text(text), self._image(image))[..., None]
        return Similarities(values, values.new_ones((1, 1, 1)).bool())

    def _text(self, text: Tokens) -> Tensor:
        embedded: Tensor = self.text_project(masked_mean(text.values, text.valid))
        return embedded

    def _image(self, image: Tokens) -> Tensor:
        embedded: Tensor = self.image_project(masked_mean(image.values, image.valid))
        return embedded


class CrossModalEmbedding(HierarchicalAttention):
    """Project and norm each side's tokens, then embed the pair by hierarchical attention.

    Formula: HierarchicalAttention(LayerNorm(W_t X + b_t), LayerNorm(W_i Y + b_i)).

    Arguments:
        width: D of both sides
        heads: attention heads; divides D
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with the same one token on both sides, (B, 1, D); two maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T)
    Requirements: the textbook scores a batch by the product of these vectors with themselves, a Gram matrix whose
    diagonal is always its largest. That is pairing "matched"; "itm" and "all" read a score of each pair instead.
    Raises:
        ConfigError: heads does not divide D.
    Source: Park 2025, Deep Learning DNA, section 10.4.2, CrossModalEmbedding, which is used and described and whose
    module is not printed; that the attention is the hierarchical one is our reading. Differs: as
    `HierarchicalAttention`.
    """

    def __init__(self, width: int, *, heads: int = 8) -> None:
        super().__init__(width, heads=heads)
        self.text_project = _embedding(width)
        self.image_project = _embedding(width)

    def prepare_text(self, text: Tokens) -> Prepared[QueryKey]:
        """Embed the words, then as `HierarchicalAttention`."""
        return super().prepare_text(replace(text, values=self.text_project(text.values)))

    def prepare_image(self, image: Tokens) -> Prepared[QueryKey]:
        """Embed the regions, then as `HierarchicalAttention`."""
        return super().prepare_image(replace(image, values=self.image_project(image.values)))


def _embedding(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))
