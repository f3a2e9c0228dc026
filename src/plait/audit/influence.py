"""How much each output depends on each modality: by swapping inputs, and by gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from plait.core.types import Tokens

__all__ = ["Influence", "Outputs", "gradient_influence", "swap_influence"]

# Aligned text (N, T, D) and image (N, P, D) -> output's name -> (N, ...) values
Outputs = Callable[[Tokens, Tokens], dict[str, Tensor]]
# output -> modality ("image", "text") -> how much
Influence = dict[str, dict[str, float]]
# A spread below this part of the values themselves is rounding.
ROUNDING = 1e-5


@torch.no_grad()
def swap_influence(outputs: Outputs, text: Tokens, image: Tokens) -> Influence:
    """Give how far each output moves when one modality is exchanged for another item's.

    Formula: |out(swapped) - out| / (sqrt(2) |out - its mean over items|), root mean squares over items. 0 = the
    output does not depend on that modality; about 1 = it is as different as another item's output. Where all items have
    the same output, 0.

    Shapes: text Tokens (N, T, D), image Tokens (N, P, D), N of at least 2.
    """
    base = outputs(text, image)
    other = torch.arange(len(text), device=text.values.device).roll(1)
    swapped = {"image": outputs(text, image.take(other)), "text": outputs(text.take(other), image)}
    found: Influence = {}
    for name, values in base.items():
        spread = _rms(values - values.mean(0))
        is_constant = bool(spread <= ROUNDING * (_rms(values) + 1e-12))
        found[name] = {
            side: 0.0 if is_constant else float(_rms(moved[name] - values) / (2**0.5 * spread))
            for side, moved in swapped.items()
        }
    return found


def gradient_influence(outputs: Outputs, text: Tokens, image: Tokens) -> Influence:
    """Give the norm of each output's gradient with respect to each modality, mean over items.

    Formula: |d(w . out) / d side| / N for one fixed random w; the side's tokens and its own summary count together.

    Shapes: text Tokens (N, T, D), image Tokens (N, P, D).
    """
    sides = {"image": _leaves(image), "text": _leaves(text)}
    with torch.enable_grad():
        values_of = outputs(sides["text"], sides["image"])
    random = torch.Generator().manual_seed(0)
    found: Influence = {}
    for name, values in values_of.items():
        weight = torch.randn(values.shape, generator=random).to(values)
        found[name] = {side: _gradient(values, weight, tokens) / len(values) for side, tokens in sides.items()}
    return found


def _gradient(values: Tensor, weight: Tensor, tokens: Tokens) -> float:
    if not values.requires_grad:
        return 0.0
    leaves = [leaf for leaf in (tokens.values, tokens.pooled) if leaf is not None]
    grads = torch.autograd.grad(values, leaves, weight, retain_graph=True, allow_unused=True)
    return float(sum(float(grad.square().sum()) for grad in grads if grad is not None) ** 0.5)


def _leaves(tokens: Tokens) -> Tokens:
    def leaf(values: Tensor) -> Tensor:
        return values.detach().clone().requires_grad_()

    return replace(tokens, values=leaf(tokens.values), pooled=None if tokens.pooled is None else leaf(tokens.pooled))


def _rms(values: Tensor) -> Tensor:
    return values.float().square().mean().sqrt()
