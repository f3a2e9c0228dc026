"""Stacked attention: the question looks at the image several times, each time with what it saw before."""

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

__all__ = ["StackedAttentionFusion"]


class StackedAttentionFusion(Fusion):
    """Let one vector of the question attend to the regions, `layers` times.

    Formula: u_0 = mean of the words; for k = 1 to K
        h = tanh(W_v v_i + W_u u_{k-1} + b),  p = softmax over regions of w . h,  u_k = sum_i p_i v_i + u_{k-1}.

    Arguments:
        width:     D of both sides
        layers:    K of the formula, at least 1; the paper uses 2
        hidden:    width of h; 0 = D
        positions: mark grid tokens with their row and column (see `InputNorm`)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused; both sides hold u_K as their one token, (B, 1, D); one map (B, 1, T, P) per layer: the question
                 is one vector, so all words have the same row
    Raises:
        ConfigError: layers is below 1.
    Source: Yang et al. 2016 (SAN), section 3.3. Differs: the question vector is the mean of the encoder's words, not
    an LSTM's last state; layer norms before it; places are marked.
    """

    tested_options = ({"layers": 1}, {"layers": 3, "hidden": 8, "positions": False})

    def __init__(self, width: int, *, layers: int = 2, hidden: int = 0, positions: bool = True) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"fusion 'san', layers: expected at least 1, got {layers}")
        hidden = hidden if hidden > 0 else width
        self.input_norm = InputNorm(width, sides=False, positions=positions)
        self.image_project = nn.ModuleList(nn.Linear(width, hidden, bias=False) for _ in range(layers))
        self.question_project = nn.ModuleList(nn.Linear(width, hidden) for _ in range(layers))
        # No bias: a softmax does not change when all scores are shifted.
        self.score = nn.ModuleList(nn.Linear(hidden, 1, bias=False) for _ in range(layers))

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        regions = self.input_norm.image(image)
        question = masked_mean(self.input_norm.text(text), text.valid)
        shown: list[AttentionMap] = []
        layers = zip(self.image_project, self.question_project, self.score, strict=True)
        for layer, (of_image, of_question, score) in enumerate(layers):
            hidden: Tensor = torch.tanh(of_image(regions) + of_question(question)[:, None])
            weights = masked_softmax(score(hidden)[..., 0], image.valid)
            question = weighted_mean(weights, regions) + question
            if maps:
                rows = weights[:, None, None].expand(-1, 1, text.valid.shape[1], -1)
                shown.append(AttentionMap(rows, query="text", key="image", layer=layer))
        joint = one_token(question)
        return Fused(joint, joint, tuple(shown))
