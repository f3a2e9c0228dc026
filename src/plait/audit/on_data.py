"""The audit of a trained model on the tokens of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from plait.audit.ablation import ABLATIONS, Recalls, ablate, recalls
from plait.audit.dead import dead_parameters
from plait.audit.influence import swap_influence
from plait.audit.noise import binomial_bound
from plait.audit.record import OnData
from plait.core.types import Tokens
from plait.model import FusionModel

__all__ = ["audit_model"]

# Gradients of all pairs of a batch: a few suffice to see which parameters get none.
PAIRS_A_BATCH = 8
BATCHES = 3


def audit_model(
    model: FusionModel,
    objective: nn.Module,
    text: Tokens,
    image: Tokens,
    *,
    score: Callable[[Tokens, Tokens], Tensor],
    split: str,
    whole: Recalls | None = None,
    kinds: Sequence[str] = ABLATIONS,
) -> OnData:
    """Audit a trained model on encoded pairs, every row another photo. The global random state is left as it was.

    Arguments:
        score: scores aligned rows as evaluation does: (N, N), row = image, column = text
        split: the split's name
        whole: R@1 of these pairs, where it is known already
        kinds: which ablations
    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), of the common width, in the same order; N of at least 2.
    """
    was_training = model.training
    model.eval()
    rows = torch.arange(len(text))
    with torch.random.fork_rng(devices=[]):
        chunks = [chunk for chunk in rows.split(PAIRS_A_BATCH)[:BATCHES] if len(chunk) > 1]
        found = OnData(
            split=split,
            photos=len(text),
            whole=whole or recalls(score(text, image)),
            ablations=ablate(score, text, image, kinds=kinds),
            bound=100.0 * binomial_bound(len(text), 1 / len(text)) / len(text),
            influence=swap_influence(model, text, image),
            dead_parameters=dead_parameters(
                model, objective, [(text.take(chunk), image.take(chunk), chunk) for chunk in chunks]
            ),
        )
    model.train(was_training)
    return found
