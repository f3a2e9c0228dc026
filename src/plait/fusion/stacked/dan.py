"""Dual attention: words and regions are attended to in turn, guided by one memory of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.one_token import one_token
from plait.nn.additive import masked_softmax, weighted_mean
from plait.nn.pooling import masked_mean

__all__ = ["DualAttentionFusion"]


class _Look(nn.Module):
    """One side's attention under the memory: a = softmax(w . (tanh(W x) * tanh(W_m m))), gives sum_n a_n x_n and a."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.token = nn.Linear(width, hidden)
        self.memory = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, values: Tensor, valid: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to tokens (B, N, D) with memory (B, D): (B, D) and weights (B, N)."""
        hidden = torch.tanh(self.token(values)) * torch.tanh(self.memory(memory))[:, None]
        weights = masked_softmax(self.score(hidden)[..., 0], valid)
        return weighted_mean(weights, values), weights


class DualAttentionFusion(Fusion):
    """Reason in `layers` steps over words and regions with a shared memory.

    Formula: v_0 = tanh(P_0 mean(v)), u_0 = mean(u), m_0 = v_0 * u_0; for k = 1 to K, with the memory m_{k-1},
        v_k = tanh(P_k sum_i a_i v_i),  u_k = sum_t b_t u_t,  m_k = m_{k-1} + v_k * u_k,
        a = softmax over regions of w_v . (tanh(W_v v) * tanh(M_v m)),  b likewise over words.

    Arguments:
        width:     D of both sides
        layers:    K of the formula, at least 1; the paper uses 2
        hidden:    width inside the attention; 0 = D
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused; both sides hold m_K as their one token, (B, 1, D). Two maps per layer: over regions (B, 1, T, P)
                 and over words (B, 1, P, T), with the same row for every query, as the memory is one vector
    Raises:
        ConfigError: layers is below 1.
    Source: Nam et al. 2017 (DAN), section 3.2, the variant for reasoning (r-DAN). Differs: the encoders' tokens in
    place of a bidirectional LSTM and VGG; layer norms before the attention; places are marked.
    """

    tested_options = ({"layers": 1}, {"layers": 3, "hidden": 8, "positions": False})

    def __init__(self, width: int, *, layers: int = 2, hidden: int = 0, positions: bool = True) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"fusion 'dan', layers: expected at least 1, got {layers}")
        hidden = hidden if hidden > 0 else width
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.see = nn.ModuleList(nn.Linear(width, width) for _ in range(layers + 1))
        self.image_attention = nn.ModuleList(_Look(width, hidden) for _ in range(layers))
        self.text_attention = nn.ModuleList(_Look(width, hidden) for _ in range(layers))

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words, regions = self.input_norm.text(text), self.input_norm.image(image)
        memory = torch.tanh(self.see[0](masked_mean(regions, image.valid))) * masked_mean(words, text.valid)
        shown: list[AttentionMap] = []
        layers = zip(self.see[1:], self.image_attention, self.text_attention, strict=True)
        for layer, (see, of_image, of_text) in enumerate(layers):
            seen, over_regions = of_image(regions, image.valid, memory)
            read, over_words = of_text(words, text.valid, memory)
            memory = memory + torch.tanh(see(seen)) * read
            if maps:
                to_image = over_regions[:, None, None].expand(-1, 1, words.shape[1], -1)
                to_text = over_words[:, None, None].expand(-1, 1, regions.shape[1], -1)
                shown.append(AttentionMap(to_image, query="text", key="image", layer=layer))
                shown.append(AttentionMap(to_text, query="image", key="text", layer=layer))
        joint = one_token(memory)
        return Fused(joint, joint, tuple(shown))
