"""What is left of a trained model's recall when one modality is removed or given to the wrong item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from plait.audit.noise import binomial_bound
from plait.core.types import Tokens
from plait.metrics.retrieval import image_to_text, recall_at, text_to_image

__all__ = ["ABLATIONS", "Recalls", "ablate", "emptied", "how_of", "recall_bound", "recalls"]

# kind -> the side that is ablated, and how
_KINDS = {
    "text shuffled": ("text", "shuffled"),
    "text removed": ("text", "removed"),
    "image shuffled": ("image", "shuffled"),
    "image removed": ("image", "removed"),
}
ABLATIONS = tuple(_KINDS)
Recalls = dict[str, float]


@torch.no_grad()
def ablate(
    score: Callable[[Tokens, Tokens], Tensor], text: Tokens, image: Tokens, *, kinds: Sequence[str] = ABLATIONS
) -> dict[str, Recalls]:
    """Score aligned pairs with one side ablated, and count as right what was right before: R@1 both ways, in percent.

    "shuffled" gives every item another one's text or image; "removed" sets all its tokens to 0. A leak-free score falls
    to chance in all of them. One that stays above depends on the pairing, not on the content.

    Arguments:
        score: text Tokens (N, T, D) and image Tokens (N, P, D), row i with row i, to (N, N) scores, row = image
    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), every row another image, N of at least 2.
    """
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(text)), device=text.values.device)
    other = torch.empty_like(order)
    other[order] = order.roll(1)  # one ring through all items: nobody keeps its own
    found = {}
    for kind in kinds:
        side, how = _KINDS[kind]
        tokens = text if side == "text" else image
        ablated = tokens.take(other) if how == "shuffled" else emptied(tokens)
        scores = score(ablated, image) if side == "text" else score(text, ablated)
        found[kind] = recalls(scores)
    return found


def how_of(kind: str) -> str:
    """Give what a kind of ablation does to a side: "shuffled" or "removed"."""
    return _KINDS[kind][1]


def recalls(scores: Tensor) -> Recalls:
    """Give R@1 both ways of aligned pairs, in percent: (N, N) scores, row = image, column = text."""
    own = np.arange(len(scores))
    values = scores.float()
    return {"t2i_r1": recall_at(text_to_image(values, own), 1), "i2t_r1": recall_at(image_to_text(values, own), 1)}


def recall_bound(count: int) -> float:
    """Give the R@1 of `count` pairs that a random guess exceeds once in 100,000 times, in percent.

    It is the power of an ablation: a leak that finds no more passes. That is 29 % of 24 pairs, 10.9 % of 64, 7 % of
    100 and 3.5 % of 200.
    """
    return 100.0 * binomial_bound(count, 1 / count) / count


def emptied(tokens: Tokens) -> Tokens:
    """Set all values of tokens (B, N, D) to 0, summaries and finer levels included; masks and grids stay."""
    return replace(
        tokens,
        values=torch.zeros_like(tokens.values),
        pooled=None if tokens.pooled is None else torch.zeros_like(tokens.pooled),
        levels=tuple(replace(level, values=torch.zeros_like(level.values)) for level in tokens.levels),
    )
