"""Beam search over the captions of many images at once."""

from __future__ import annotations

import torch
from torch import Tensor

from plait.data.text import EOS, PAD, SOS
from plait.heads.caption.base import Parts, take_rows
from plait.tasks.caption.decode.steps import Decoded, Steps

__all__ = ["beam_search"]


def beam_search(steps: Steps, memory: Parts, *, beam: int, length_penalty: float = 0.0) -> Decoded:
    """Keep the `beam` best unfinished captions of each image, and give the best finished one.

    Formula: score = log p(words and end) / (number of words, the end counted) ^ length_penalty; the search stops where
    no unfinished caption can still reach the best finished one, or after `steps.max_words` words.

    All captions of all images are one batch of N * beam rows. With a beam of 1 and no penalty this is `greedy`, but for
    an end that is not the most probable word and still scores best.

    Arguments:
        memory:         of N images, one row each
        beam:           at least 1
        length_penalty: 0 compares log-probabilities, which favours short captions; 1 their mean per word
    Shapes: returns ids (N, L) int64 and log_prob (N,) float32, the log-probability itself, not the score.
    Source: Graves 2012; the penalty as a plain power of the length.
    """
    images, device = len(memory[0]), memory[0].device
    row_of = torch.arange(images, device=device).repeat_interleave(beam)
    memory = take_rows(memory, row_of)
    state = steps.decoder.begin(memory)
    words = torch.full((images * beam,), SOS, dtype=torch.int64, device=device)
    # At first there is one caption per image, the empty one.
    live = torch.full((images, beam), -torch.inf, device=device)
    live[:, 0] = 0.0
    written = torch.zeros(images, beam, 0, dtype=torch.int64, device=device)
    done = _Best.none(images, steps.max_words + 1, device)
    base = torch.arange(images, device=device)[:, None] * beam
    for place in range(steps.max_words + 1):
        log_probs, state = steps.next_words(words, memory, state, place=place)
        total = live[..., None] + log_probs.view(images, beam, -1)
        done = done.after(written, total[..., EOS], (place + 1) ** length_penalty)
        total[..., EOS] = -torch.inf
        live, best = total.flatten(1).topk(beam)
        if place == steps.max_words or done.beats(live[:, 0], (steps.max_words + 1) ** length_penalty):
            break
        parent, word = best // total.shape[2], best % total.shape[2]
        written = torch.cat([written.gather(1, parent[..., None].expand_as(written)), word[..., None]], 2)
        state = take_rows(state, (base + parent).flatten())
        words = word.flatten()
    return done.decoded()


class _Best:
    """The best finished caption of each image so far: score and log-probability (N,), ids (N, L)."""

    def __init__(self, score: Tensor, log_prob: Tensor, ids: Tensor) -> None:
        self.score, self.log_prob, self.ids = score, log_prob, ids

    @classmethod
    def none(cls, images: int, length: int, device: torch.device) -> _Best:
        nothing = torch.full((images,), -torch.inf, device=device)
        return cls(nothing, nothing, torch.full((images, length), PAD, dtype=torch.int64, device=device))

    def after(self, written: Tensor, log_prob: Tensor, divisor: float) -> _Best:
        """Compare with the captions (N, beam, t) that end here with these log-probabilities (N, beam)."""
        found, place = log_prob.max(1)
        rows = torch.arange(len(found), device=found.device)
        ids = torch.full_like(self.ids, PAD)
        ids[:, : written.shape[2]] = written[rows, place]
        ids[:, written.shape[2]] = EOS
        score = found / divisor
        better = score > self.score
        return _Best(
            torch.where(better, score, self.score),
            torch.where(better, found, self.log_prob),
            torch.where(better[:, None], ids, self.ids),
        )

    def beats(self, live: Tensor, divisor: float) -> bool:
        """Tell whether no unfinished caption, the best of each image (N,), can come before the finished one any more.

        A caption's log-probability only falls, and no divisor is larger than the last one.
        """
        return bool((live / divisor <= self.score).all())

    def decoded(self) -> Decoded:
        longest = int((self.ids != PAD).sum(1).max())
        return Decoded(self.ids[:, :longest], self.log_prob)
