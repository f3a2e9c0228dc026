"""The multimodal recurrent network: words, state and image meet in a layer of their own."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Tokens
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.heads.caption.parts import whole_image
from plait.nn.dropout import Dropout

__all__ = ["MultimodalRnn"]


class MultimodalRnn(CaptionDecoder):
    """Keep the words in a simple recurrent network that never sees the image; join both before the logits.

    Formula: r_t = relu(U r_t-1 + w_t); m_t = 1.7159 tanh(2/3 (V_w w_t + V_r r_t + V_i image));
    logits = L_o dropout(m_t). The image is the mean of its tokens.

    Arguments:
        width:           D of both sides, and of the state
        vocabulary_size: V
        hidden:          width of the multimodal layer; 0 = 2 D
        dropout:         before the logits
    Shapes: as `CaptionDecoder`; no weights
    Source: Mao et al. 2015, section 3. Differs: one embedding layer, not two; U begins as the identity (Le et al.
    2015), so that the state neither vanishes nor grows at first.
    """

    attends = False

    def __init__(self, width: int, vocabulary_size: int, *, hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        joint = hidden or 2 * width
        self.recur = nn.Linear(width, width)
        nn.init.eye_(self.recur.weight)
        self.from_word = nn.Linear(width, joint)
        self.from_state = nn.Linear(width, joint, bias=False)
        self.from_image = nn.Linear(width, joint, bias=False)
        self.dropout = Dropout(dropout)
        self.logits = nn.Linear(joint, vocabulary_size)

    def prepare(self, image: Tokens) -> Parts:
        """Give (image,): one vector per image, as the multimodal layer reads it."""
        mean = whole_image(image)
        return self.from_image(mean), mean

    def begin(self, memory: Parts) -> Parts:
        """Give (r_0,): zeros."""
        return (torch.zeros_like(memory[1], dtype=torch.float32),)

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        """Read words (M, D); see the class."""
        r = F.relu(self.recur(state[0]).float() + word)
        joined = self.from_word(word) + self.from_state(r) + memory[0]
        return Step(1.7159 * torch.tanh(2 / 3 * joined), None, (r,))

    def read(self, features: Tensor) -> Tensor:
        """Give logits (..., V)."""
        return cast(Tensor, self.logits(self.dropout(features)))
