"""Alternating co-attention: the question is summed up, guides a look at the image, and is read again with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.one_token import one_token
from plait.nn.additive import masked_softmax, weighted_mean

__all__ = ["AlternatingCoAttentionFusion"]


class _Guided(nn.Module):
    """A(X; g) of the formula: H = tanh(W_x X + W_g g), a = softmax(w . H); gives sum_n a_n X_n and a."""

    def __init__(self, width: int, hidden: int, *, guided: bool) -> None:
        super().__init__()
        self.token = nn.Linear(width, hidden)
        self.guide = nn.Linear(width, hidden, bias=False) if guided else None
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, values: Tensor, valid: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend to tokens (B, N, D), guided by (B, D) or by nothing: (B, D) and weights (B, N)."""
        hidden = self.token(values)
        if self.guide is not None:
            hidden = hidden + self.guide(guide)[:, None]
        weights = masked_softmax(self.score(torch.tanh(hidden))[..., 0], valid)
        return weighted_mean(weights, values), weights


class AlternatingCoAttentionFusion(Fusion):
    """Attend to the words, then to the regions guided by the words, then to the words guided by the regions.

    Formula: s = A_1(Q; 0),  v = A_2(V; s),  q = A_3(Q; v), where A(X; g) = sum_n a_n X_n with
        H = tanh(W_x X + (W_g g) 1^T),  a = softmax over tokens of w . H.

    Arguments:
        width:     D of both sides
        hidden:    width of H; 0 = D
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused; text holds q and image v as their one token, (B, 1, D). Two maps: over regions (B, 1, T, P) and
                 over words (B, 1, P, T), with the same row for every query
    Source: Lu et al. 2016 (hierarchical co-attention), section 3.3, alternating. Differs: on one level, the encoder's
    tokens; layer norms before it.
    """

    tested_options = ({"hidden": 8, "positions": False},)

    def __init__(self, width: int, *, hidden: int = 0, positions: bool = True) -> None:
        super().__init__()
        hidden = hidden if hidden > 0 else width
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.summarise = _Guided(width, hidden, guided=False)
        self.image_attention = _Guided(width, hidden, guided=True)
        self.text_attention = _Guided(width, hidden, guided=True)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words, regions = self.input_norm.text(text), self.input_norm.image(image)
        summary, _ = self.summarise(words, text.valid)
        seen, over_regions = self.image_attention(regions, image.valid, summary)
        read, over_words = self.text_attention(words, text.valid, seen)
        shown: tuple[AttentionMap, ...] = ()
        if maps:
            to_image = over_regions[:, None, None].expand(-1, 1, words.shape[1], -1)
            to_text = over_words[:, None, None].expand(-1, 1, regions.shape[1], -1)
            shown = (
                AttentionMap(to_image, query="text", key="image"),
                AttentionMap(to_text, query="image", key="text"),
            )
        return Fused(one_token(read), one_token(seen), shown)
