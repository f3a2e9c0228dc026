"""The partner swap: does the score of an image with a text depend on the other pairs of the call?"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from plait.core.types import Tokens

__all__ = ["PARTNER_TOLERANCE", "partner_influence"]

# Leak-free scores give 0. Padding to another length changes the order of sums, and so the last bits: a change below a
# thousandth of the scores' spread counts as rounding.
PARTNER_TOLERANCE = 1e-3
_ROUNDING = 1e-5


@torch.no_grad()
def partner_influence(score: Callable[[Tokens, Tokens], Tensor], text: Tokens, image: Tokens) -> float:
    """Replace the partner of every second item and give how far its score with the others moves.

    Formula: with S the score matrix and S' that after the texts of all even rows were replaced by those of odd ones,
    the root mean square of S' - S over even images with odd texts (neither was touched), in units of sqrt(2) times the
    spread of those scores; likewise with images replaced, over odd images with even texts; the larger of the two.
    0 = a score depends on its image and its text alone. Above `PARTNER_TOLERANCE` it is no score of a pair.

    Arguments:
        score: aligned rows of texts and images -> (N, N), row = image, column = text
    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), N of at least 4.
    """
    device = text.values.device
    even = torch.arange(0, len(text), 2, device=device)
    odd = torch.arange(1, len(text), 2, device=device)
    exchanged = torch.arange(len(text), device=device)
    exchanged[even] = odd[torch.arange(len(even), device=device) % len(odd)]
    before = score(text, image)
    other_text = score(text.take(exchanged), image)
    other_image = score(text, image.take(exchanged))
    return max(
        _moved(before[even][:, odd], other_text[even][:, odd]), _moved(before[odd][:, even], other_image[odd][:, even])
    )


def _moved(before: Tensor, after: Tensor) -> float:
    difference = float((after - before).square().mean().sqrt())
    scale = float(before.abs().max()) + 1e-12
    spread = float(before.std())
    if difference <= _ROUNDING * scale:
        return 0.0
    return difference / (2**0.5 * max(spread, _ROUNDING * scale))
