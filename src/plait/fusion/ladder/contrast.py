"""v10_6: v9 with the other side added by contrastive similarity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.fusion.ladder.feed import GatedFeedAttention
from plait.fusion.ladder.pieces import Met

__all__ = ["ContrastEnhanced"]


class ContrastEnhanced(GatedFeedAttention):
    """v10_6: add to v9's outputs the other side's tokens, each times its contrastive similarity.

    Formula: X = LayerNorm(text), Y = LayerNorm(image); s_wr = cos(C x_w + c, C y_r + c), one map C for both;
        text_out_w = v9's + mean over real regions r of s_wr y_r;
        image_out_r = v9's + mean over real words w of s_wr x_w.

    Arguments:
        width, heads, ratio, dropout: as `GatedFeedAttention`
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with text (B, T, D) and image (B, P, D); maps, if asked: (B, heads, T, P) and (B, heads, P, T),
                 of v9's attention; similarities are not shares and are left out
    Requirements: through one number a pair of tokens, its similarity, an output depends on its own side's values too.
    Source: Multimodal Deep Learning, section 10.4.4 (dldna), v10_6, described and not printed there: similarities of
    normalised projections enhance the outputs with original features. Differs: the mean over tokens is our reading.
    """

    name = "ladder/v10_6"

    def _add_projections(self, width: int) -> None:
        super()._add_projections(width)
        self.contrast = nn.Linear(width, width)

    def text_side(self, values: Tensor) -> Tensor:
        """Project (C, T, D) and, beside it, contrastive direction and normed token: (C, T, 5 D)."""
        normed = self.norm(values)
        return torch.cat([self.project(normed), F.normalize(self.contrast(normed), dim=-1), normed], -1)

    def image_side(self, values: Tensor) -> Tensor:
        """Project (B, P, D) and, beside it, contrastive direction and normed token: (B, P, 5 D)."""
        return self.text_side(values)

    def attended(self, words: Tensor, real_words: Tensor, regions: Tensor, real_regions: Tensor, maps: bool) -> Met:
        """Do v9 and add; see `Rung.attended`."""
        met = super().attended(words, real_words, regions, real_regions, maps)
        x, y = words[..., -self.width :], regions[..., -self.width :]
        toward_x, toward_y = (side[..., 3 * self.width : 4 * self.width] for side in (words, regions))
        alike = toward_x @ toward_y.transpose(1, 2)
        for_words = alike * _share(real_regions, alike)[:, None]
        for_regions = alike.transpose(1, 2) * _share(real_words, alike)[:, None]
        return met._replace(words=met.words + for_words @ y, regions=met.regions + for_regions @ x)


def _share(real: Tensor, like: Tensor) -> Tensor:
    """Give each real token of (M, N) its share of a mean, 0 to padding."""
    return real.to(like.dtype) / real.sum(1, keepdim=True).clamp(min=1)
