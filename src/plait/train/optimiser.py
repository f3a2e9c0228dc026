"""AdamW, its schedule, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from plait.core.config import TrainSettings
from plait.model import Learner
from plait.nn.devices import device_of

__all__ = ["MovingAverage", "is_of_objective", "make_optimiser", "rate_at", "set_rates"]

ENCODERS = ("model.text.trained.", "model.image.trained.")


def make_optimiser(learner: Learner, settings: TrainSettings) -> torch.optim.AdamW:
    """Make AdamW over all trained parameters, the objective's last.

    Weight decay acts on matrices only: it would only distort biases, norms and learned scales. Parameters of a trained
    encoder (`model.text.trained.*`, `model.image.trained.*`) get `encoder_lr`, all others `lr`.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    # This order is kept in checkpoints, and the gradients' norm is summed in it.
    for name, parameter in sorted(learner.named_parameters(), key=lambda named: is_of_objective(named[0])):
        if not parameter.requires_grad:
            continue
        pretrained = name.startswith(ENCODERS) and settings.encoder_lr > 0
        rate = settings.encoder_lr if pretrained else settings.lr
        decay = settings.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        # One pass over the memory: 5 ms for 5 million parameters on one core, where `foreach` takes 23. Not every
        # supported PyTorch has it for Apple GPUs.
        fused=None if device_of(learner).type == "mps" else True,
    )


def is_of_objective(name: str) -> bool:
    """Tell whether a learner's parameter belongs to its objective, by its name."""
    return name.startswith("objective.")


def rate_at(step: int, total: int, warmup_frac: float) -> float:
    """Give the learning rate's factor at a step: linear rise, then half a cosine to zero.

    Formula: (step + 1) / warm for step < warm; else (1 + cos(pi (step - warm) / (total - warm))) / 2.
    Ranges: in (0, 1] for 0 <= step < total.
    """
    warm = max(1, round(total * warmup_frac))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its peak rate times `factor`."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor


class MovingAverage:
    """Exponential moving average of trained parameters, with the usual early-step correction.

    Formula: a <- d a + (1 - d) p, with d = min(decay, (1 + step) / (10 + step)).
    Source: Polyak and Juditsky 1992; the early-step form is the one TensorFlow's moving average uses.
    """

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], decay: float) -> None:
        self.decay = decay
        self.parameters = {name: p for name, p in parameters if p.requires_grad}
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the present weights."""
        keep = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1.0 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights with the average; calling it twice restores both."""
        for name, parameter in self.parameters.items():
            held = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(held)

    def state(self) -> dict[str, Tensor]:
        """Give the averaged tensors by parameter name."""
        return dict(self.average)

    def load(self, state: dict[str, Tensor]) -> None:
        """Put saved averages back."""
        for name, tensor in state.items():
            self.average[name].copy_(tensor)
