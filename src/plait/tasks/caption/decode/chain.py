"""One word after another: the most probable one, or one drawn from the most probable ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from plait.data.text import EOS, PAD, SOS
from plait.heads.caption.base import Parts
from plait.tasks.caption.decode.steps import Decoded, Steps

__all__ = ["greedy", "nucleus", "nucleus_of"]


def greedy(steps: Steps, memory: Parts) -> Decoded:
    """Choose the most probable word at each place. The memory has one row per image."""
    return _chain(steps, memory, lambda log_probs: log_probs.argmax(-1))


def nucleus(steps: Steps, memory: Parts, *, top_p: float, temperature: float = 1.0, seed: int = 0) -> Decoded:
    """Draw each word from the smallest set of words whose probabilities reach `top_p` together.

    Arguments:
        top_p:       in (0, 1]; 1 draws from all words
        temperature: above 0; log-probabilities are divided by it before the set is chosen
        seed:        of the draws
    Source: Holtzman et al. 2020.
    """
    generator = torch.Generator(device=memory[0].device).manual_seed(seed)

    def draw(log_probs: Tensor) -> Tensor:
        kept = nucleus_of((log_probs / temperature).softmax(-1), top_p)
        return torch.multinomial(kept, 1, generator=generator).squeeze(1)

    return _chain(steps, memory, draw)


def nucleus_of(probs: Tensor, top_p: float) -> Tensor:
    """Give the probabilities of the smallest set that reaches `top_p`, and 0 elsewhere: (M, V) -> (M, V), not normed.

    The most probable word is always in the set.
    """
    ordered, order = probs.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = ordered.masked_fill(before >= top_p, 0.0)
    return torch.zeros_like(probs).scatter(-1, order, kept)


def _chain(steps: Steps, memory: Parts, choose: Callable[[Tensor], Tensor]) -> Decoded:
    rows, device = len(memory[0]), memory[0].device
    state = steps.decoder.begin(memory)
    words = torch.full((rows,), SOS, dtype=torch.int64, device=device)
    total = torch.zeros(rows, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    chosen = []
    for place in range(steps.max_words + 1):
        log_probs, state = steps.next_words(words, memory, state, place=place)
        words = choose(log_probs).masked_fill(ended, PAD)
        total = total + log_probs.gather(1, words[:, None]).squeeze(1).masked_fill(ended, 0.0)
        chosen.append(words)
        ended = ended | (words == EOS)
        if bool(ended.all()):
            break
    return Decoded(torch.stack(chosen, 1), total)
