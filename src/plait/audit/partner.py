"""The partner swap: does the score of an image with a text depend on what else either was paired with?"""

from __future__ import annotations

import torch
from torch import Tensor

from plait.audit.subject import score_matrix
from plait.core.types import Tokens
from plait.model import FusionModel

__all__ = ["partner_influence"]


@torch.no_grad()
def partner_influence(model: FusionModel, text: Tokens, image: Tokens) -> float:
    """Replace the partner of every second item and give how far its score with the others moves.

    Formula: with S the score matrix and S' that after the texts of all even rows were replaced by those of odd ones,
    the root mean square of S' - S over even images with odd texts (neither was touched), in units of sqrt(2) times the
    spread of those scores; likewise with images replaced, over odd images with even texts; the larger of the two.
    0 = a score depends on its image and its text alone. Anything above is no matching score: who belongs together is
    known before it is asked.

    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), N of at least 4.
    """
    even, odd = torch.arange(0, len(text), 2), torch.arange(1, len(text), 2)
    exchanged = torch.arange(len(text))
    exchanged[even] = odd[torch.arange(len(even)) % len(odd)]
    before = score_matrix(model, text, image)
    other_text = score_matrix(model, text.take(exchanged), image)
    other_image = score_matrix(model, text, image.take(exchanged))
    return max(
        _moved(before[even][:, odd], other_text[even][:, odd]), _moved(before[odd][:, even], other_image[odd][:, even])
    )


def _moved(before: Tensor, after: Tensor) -> float:
    difference = float((after - before).square().mean().sqrt())
    scale = float(before.abs().max()) + 1e-12
    spread = float(before.std())
    if difference <= 1e-5 * scale:
        return 0.0
    return difference / (2**0.5 * max(spread, 1e-5 * scale))
