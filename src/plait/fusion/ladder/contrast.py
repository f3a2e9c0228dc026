"""v10_6: v9 with the other side added by contrastive similarity."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Fused, Tokens
from plait.fusion.base.prepared import Prepared, prepared
from plait.fusion.ladder.feed_forward import ByHeads
from plait.fusion.ladder.pieces import QueryKeyValue, fused

__all__ = ["ContrastEnhanced", "ContrastParts"]


@dataclass(frozen=True)
class ContrastParts(QueryKeyValue):
    """One side's tokens as queries, keys and values, normed, and as contrastive directions.

    Fields:
        normed:    (R, N, D) float
        direction: (R, N, D) float, of length 1
    """

    normed: Tensor
    direction: Tensor


class ContrastEnhanced(ByHeads[ContrastParts]):
    """v10_6: add to v9's outputs the other side's tokens, each times its contrastive similarity.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); s_wr = cos(C x_w + c, C y_r + c), one map C for both;
        text_out_w = v9's + mean over real regions r of s_wr y_r;
        image_out_r = v9's + mean over real words w of s_wr x_w.

    Arguments:
        width, heads, ratio, dropout: as `PreNormAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if requested: (B, heads, T, P) and
                 (B, heads, P, T), of v9's attention; similarities do not sum to 1 and are left out
    Requirements: through one number per pair of tokens, its similarity, an output depends on its own side's values too.
    Source: Park 2025, Deep Learning DNA, section 10.4.4, v10_6, described and not printed there: similarities of
    normalised projections enhance the outputs with original features. Differs: the mean over tokens is our reading.
    """

    name = "ladder/v10_6"

    def _add_projections(self, width: int) -> None:
        self.project = nn.Linear(width, 3 * width)
        self.contrast = nn.Linear(width, width)

    def prepare_text(self, text: Tokens) -> Prepared[ContrastParts]:
        """Norm the words and project them for attention and for contrast."""
        return self._prepared(text)

    def prepare_image(self, image: Tokens) -> Prepared[ContrastParts]:
        """Norm the regions and project them for attention and for contrast."""
        return self._prepared(image)

    def meet(self, text: Prepared[ContrastParts], image: Prepared[ContrastParts], *, maps: bool = False) -> Fused:
        """Do v9 and add the other side by similarity; see the class."""
        a = self.attended(text, image, maps)
        words, regions = self.transformed(a.words), self.transformed(a.regions)
        similarity = text.parts.direction @ image.parts.direction.transpose(1, 2)
        for_words = similarity * _share(image.valid, similarity)[:, None]
        for_regions = similarity.transpose(1, 2) * _share(text.valid, similarity)[:, None]
        words = words + for_words @ image.parts.normed
        regions = regions + for_regions @ text.parts.normed
        return fused(text.tokens(words), image.tokens(regions), a.t2i, a.i2t)

    def _prepared(self, side: Tokens) -> Prepared[ContrastParts]:
        normed = self.norm(side.values)
        query, key, value = self.project(normed).chunk(3, -1)
        # A product gives its transposed factor a strided gradient. Through `unbind` it is contiguous, and is summed in
        # the same order for both sides.
        (direction,) = F.normalize(self.contrast(normed), dim=-1)[None].unbind()
        return prepared(side, ContrastParts(query, key, value, normed, direction))


def _share(valid: Tensor, like: Tensor) -> Tensor:
    """Give each real token of (M, N) its share of a mean, 0 to padding."""
    return valid.to(like.dtype) / valid.sum(1, keepdim=True).clamp(min=1)
