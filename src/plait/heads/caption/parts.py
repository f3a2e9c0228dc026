"""Parts that several decoders of captions use: an LSTM's step, attention by a small network, the whole image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.types import Tokens
from plait.nn.pooling import masked_mean

__all__ = ["AdditiveAttention", "LstmStep", "whole_image"]


class LstmStep(nn.Module):
    """One step of an LSTM.

    Formula: i, f, o, g = W [x, h] + b; c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c').

    The cell is kept in float32 whatever the precision of products: it is a sum over all steps. The bias of f begins at
    1.

    Shapes: x (M, X), h and c (M, S) -> h' and c' (M, S)
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000; the bias of Jozefowicz et al. 2015.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Linear(width_in + width, 4 * width)
        with torch.no_grad():
            self.gates.bias[width : 2 * width] += 1.0

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, o, g = self.gates(torch.cat([x, h.to(x.dtype)], 1)).float().chunk(4, 1)
        cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


class AdditiveAttention(nn.Module):
    """Weigh the tokens of an image by a small network of each token and a query.

    Formula: e_p = v . tanh(W a_p + U q + b); weights = softmax of e over real tokens; gives sum of weights_p a_p.

    Arguments:
        width:   of the tokens
        query:   of the query
        hidden:  of the small network
        sampled: choose one token in training, by the weights, in place of the weighted sum. The gradient is that of the
                 weights (straight-through Gumbel softmax, Jang et al. 2017); outside training the weights are used
    Shapes:
        keys:    (M, P, hidden), what `keys` gives of tokens; values (M, P, D); valid (M, P) bool; query (M, Q)
        returns: (M, D) and weights (M, P), rows sum to 1
    Source: Bahdanau et al. 2015; Xu et al. 2015, section 4. Differs: their hard attention is trained by REINFORCE.
    """

    def __init__(self, width: int, query: int, *, hidden: int, sampled: bool = False) -> None:
        super().__init__()
        self.keys = nn.Linear(width, hidden)
        self.query = nn.Linear(query, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.sampled = sampled

    def forward(self, keys: Tensor, values: Tensor, valid: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.score(torch.tanh(keys + self.query(query)[:, None])).squeeze(-1).float()
        scores = scores.masked_fill(~valid, torch.finfo(scores.dtype).min)
        weights = F.gumbel_softmax(scores, hard=True) if self.sampled and self.training else scores.softmax(-1)
        attended = torch.bmm(weights.to(values.dtype)[:, None], values).squeeze(1)
        return attended, weights


def whole_image(image: Tokens) -> Tensor:
    """Give an image as one vector, the mean of its tokens: (B, P, D) -> (B, D)."""
    return masked_mean(image.values, image.valid)
