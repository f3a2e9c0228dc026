"""Is what the text refers to in the image at all? One logit per fused pair, beside its mask."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, MaskLogits
from plait.nn.pooling import masked_mean

__all__ = ["PresenceHead"]


class PresenceHead(nn.Module):
    """Tell from a fused pair and its mask whether the image shows what the text refers to.

    Formula: with c_p the fused image's cells, z_q the mask's logits and s = softmax over cells p of the largest z_q
    that lies in p:
        v = gelu(W LayerNorm([mean of c_p ; sum of s_p c_p])),
        logit = w [v ; max z_q ; ln mean exp z_q ; mean sigmoid(z_q)] + b.
    The second vector is what the fusion made of the place that the mask marks most; the three numbers are how sure the
    mask is, and how large.

    The text is not read: it is known through the fusion and the mask alone, so that a fusion which ignores the text
    cannot be made up for here.

    Arguments:
        width:  D of the fused image
        hidden: size of v
    Shapes:
        fused:   image (B, P, D) float; with a grid of P cells, or any P tokens: then s is even
        logits:  MaskLogits (B, h, w), any h and w
        returns: (B,) float32 logits; sigmoid gives the probability that it is there, at even odds before looking
    Raises:
        ConfigError: hidden below 1.
        ShapeError: the fused width is not `width`, or rows differ in number.
    Source: Liu et al. 2023 (GRES), whose model classifies "no target" from the averaged masks of its regions. Differs:
    one network on pooled cells and three numbers of the mask, for any fusion and decoder.
    """

    def __init__(self, width: int, *, hidden: int = 64) -> None:
        super().__init__()
        if hidden < 1:
            raise ConfigError(f"presence head, hidden: expected at least 1, got {hidden}")
        self.width = width
        self.pooled = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, hidden), nn.GELU())
        self.read = nn.Linear(hidden + 3, 1)

    def forward(self, fused: Fused, logits: MaskLogits) -> Tensor:
        """Give the logits of aligned pairs; see the class."""
        image = fused.image if fused.image_row is None else fused.image.take(fused.image_row)
        if image.values.shape[-1] != self.width or len(image) != len(logits):
            raise ShapeError(
                f"presence head: expected fused images of width {self.width} and a mask for each, got "
                f"{tuple(image.values.shape)} and masks {tuple(logits.values.shape)}"
            )
        mask = logits.values.float()
        mean = masked_mean(image.values, image.valid)
        place = mean
        if image.grid is not None:
            highest = F.adaptive_max_pool2d(mask[:, None], image.grid).flatten(1)
            share = highest.masked_fill(~image.valid, torch.finfo(highest.dtype).min).softmax(-1)
            cells = image.values.masked_fill(~image.valid[..., None], 0.0)
            place = (share[..., None] * cells).sum(1).to(mean.dtype)
        flat = mask.flatten(1)
        certainty = [flat.amax(1), flat.logsumexp(1) - math.log(flat.shape[1]), flat.sigmoid().mean(1)]
        vector = self.pooled(torch.cat([mean, place], -1))
        found: Tensor = self.read(torch.cat([vector.float(), torch.stack(certainty, -1)], -1))
        return found.squeeze(-1).float()
