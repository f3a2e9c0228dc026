"""Parallel co-attention: words and regions attend to each other at once, through their affinities."""

from __future__ import annotations

import torch
from torch import nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.one_token import one_token
from plait.nn.additive import masked_softmax, weighted_mean

__all__ = ["CoAttentionFusion"]


class CoAttentionFusion(Fusion):
    """Weight words and regions by how they fit the other side, and give the two weighted sums.

    Formula: C = tanh(Q W_b V^T), 0 at padding;
        H_v = tanh(W_v V + C^T (W_q Q)),  a = softmax over regions of w_v . H_v,  v = sum_i a_i V_i,
        H_q = tanh(W_q Q + C (W_v V)),    b = softmax over words of w_q . H_q,    q = sum_t b_t Q_t.

    Arguments:
        width:     D of both sides
        hidden:    width of H; 0 = D
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused; text holds q and image v as their one token, (B, 1, D). Two maps: over regions (B, 1, T, P) and
                 over words (B, 1, P, T), with the same row for every query
    Source: Lu et al. 2016 (hierarchical co-attention), section 3.3, parallel. Differs: on one level, the encoder's
    tokens, instead of words, phrases and the question; sums over the other side are divided by its number of tokens,
    so that tanh does not saturate on a large grid; layer norms before it.
    """

    tested_options = ({"hidden": 8, "positions": False},)

    def __init__(self, width: int, *, hidden: int = 0, positions: bool = True) -> None:
        super().__init__()
        hidden = hidden if hidden > 0 else width
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.affinity = nn.Linear(width, width, bias=False)
        self.text_project = nn.Linear(width, hidden)
        self.image_project = nn.Linear(width, hidden)
        self.text_score = nn.Linear(hidden, 1, bias=False)
        self.image_score = nn.Linear(hidden, 1, bias=False)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words, regions = self.input_norm.text(text), self.input_norm.image(image)
        scale = words.shape[-1] ** -0.5
        real = text.valid[:, :, None] & image.valid[:, None]
        affinity = torch.tanh(self.affinity(words) @ regions.transpose(1, 2) * scale) * real
        of_text, of_image = self.text_project(words), self.image_project(regions)
        counts = [tokens.valid.sum(1).clamp(min=1)[:, None, None] for tokens in (text, image)]
        seen = torch.tanh(of_image + affinity.transpose(1, 2) @ of_text / counts[0])
        read = torch.tanh(of_text + affinity @ of_image / counts[1])
        over_regions = masked_softmax(self.image_score(seen)[..., 0], image.valid)
        over_words = masked_softmax(self.text_score(read)[..., 0], text.valid)
        shown: tuple[AttentionMap, ...] = ()
        if maps:
            to_image = over_regions[:, None, None].expand(-1, 1, words.shape[1], -1)
            to_text = over_words[:, None, None].expand(-1, 1, regions.shape[1], -1)
            shown = (
                AttentionMap(to_image, query="text", key="image"),
                AttentionMap(to_text, query="image", key="text"),
            )
        return Fused(
            one_token(weighted_mean(over_words, words)), one_token(weighted_mean(over_regions, regions)), shown
        )
