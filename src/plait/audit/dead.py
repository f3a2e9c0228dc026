"""Parameters that never get a gradient: they are counted, saved and learn nothing."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from plait.core.types import Tokens
from plait.model import FusionModel

__all__ = ["dead_parameters"]

# Relative to the largest gradient of the model: what is smaller came from rounding.
SMALLEST = 1e-6
# Queries, keys and values are often one matrix: rows in a run of at least this part of it are reported, others may
# come from a unit that no batch of a few dozen pairs opens.
LEAST_RUN = 0.125


def dead_parameters(
    model: FusionModel, objective: nn.Module, batches: Iterable[tuple[Tokens, Tokens, Tensor]]
) -> tuple[str, ...]:
    """Name the parameters of fusion, head, towers and objective that no batch gives a gradient.

    A gradient below a millionth of the model's largest one is none: softmax over one key gives rounding in place of 0.
    Where only some rows of a matrix are dead, they are named with it: "fusion.project.weight[0:64]".

    Shapes:
        batches: (text Tokens (N, T, D), image Tokens (N, P, D), group (N,) int64, the photos' numbers)
    """
    parts = {"fusion": model.fusion, "head": model.head, "towers": model.towers, "objective": objective}
    named = [
        (f"{prefix}.{name}", parameter)
        for prefix, part in parts.items()
        if part is not None
        for name, parameter in part.named_parameters()
        if parameter.requires_grad
    ]
    if not named:
        return ()
    largest = {name: torch.zeros(len(parameter) if parameter.ndim else 1) for name, parameter in named}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        for text, image, group in batches:
            total = model.judge(objective, text, image, group).total
            if not total.requires_grad:
                continue
            grads = torch.autograd.grad(total, [parameter for _, parameter in named], allow_unused=True)
            for (name, _), grad in zip(named, grads, strict=True):
                if grad is not None:
                    largest[name] = torch.maximum(
                        largest[name], grad.abs().float().reshape(len(largest[name]), -1).amax(1)
                    )
    top = max(float(rows.max()) for rows in largest.values())
    return tuple(place for name, rows in largest.items() for place in _dead(name, (rows <= SMALLEST * top).tolist()))


def _dead(name: str, rows: list[bool]) -> list[str]:
    """Name a parameter if all its rows are dead, or the runs of rows that are."""
    if all(rows):
        return [name]
    edges = [0, *(i for i in range(1, len(rows)) if rows[i] != rows[i - 1]), len(rows)]
    runs = [(a, b) for a, b in pairwise(edges) if rows[a]]
    return [f"{name}[{a}:{b}]" for a, b in runs if b - a > 1 and b - a >= LEAST_RUN * len(rows)]
