"""Parameters that never get a gradient: they are counted, saved and learn nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn

from plait.audit.random_state import random_state_kept

__all__ = ["dead_parameters"]

# Relative to the largest gradient of all: what is smaller came from rounding.
SMALLEST = 1e-6
# Queries, keys and values are often one matrix: rows in a run of at least this part of it are reported, others may
# come from a unit that no batch of a few dozen pairs activates.
LEAST_RUN = 0.125

Batch = TypeVar("Batch")


def dead_parameters(
    named: Iterable[tuple[str, nn.Parameter]], loss: Callable[[Batch], Tensor], batches: Sequence[Batch]
) -> tuple[str, ...]:
    """Name the parameters that no batch gives a gradient.

    A gradient below a millionth of the largest one is none: softmax over one key gives rounding in place of 0. Where
    only some rows of a matrix are dead, they are named with it: "fusion.project.weight[0:64]".

    Arguments:
        named:   (name, parameter); those that take no gradient are left out
        loss:    batch -> () float
        batches: what `loss` takes
    """
    trained = [(name, parameter) for name, parameter in named if parameter.requires_grad]
    if not trained:
        return ()
    device = trained[0][1].device
    largest = {name: torch.zeros(len(p) if p.ndim else 1, device=p.device) for name, p in trained}
    with random_state_kept(device), torch.enable_grad():
        for batch in batches:
            total = loss(batch)
            if not total.requires_grad:
                continue
            grads = torch.autograd.grad(total, [parameter for _, parameter in trained], allow_unused=True)
            for (name, _), grad in zip(trained, grads, strict=True):
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
