"""What every way of choosing words stands on: the log-probabilities of the next word, for many captions at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from plait.data.text import EOS, PAD, SOS, UNK
from plait.heads.caption.base import CaptionDecoder, Parts

__all__ = ["Decoded", "Steps"]


@dataclass(frozen=True)
class Decoded:
    """Captions of N images as word numbers.

    Fields:
        ids:      (N, L) int64: the words, EOS, then PAD
        log_prob: (N,) float32, natural logarithm of the probability of these words and the end, given the image
    """

    ids: Tensor
    log_prob: Tensor


@dataclass(frozen=True)
class Steps:
    """A decoder with the table of its words.

    Fields:
        decoder:   the head
        embed:     word numbers (M,) int64 -> (M, D) float
        max_words: captions end after so many words at the latest
    """

    decoder: CaptionDecoder
    embed: Callable[[Tensor], Tensor]
    max_words: int

    def next_words(self, words: Tensor, memory: Parts, state: Parts, *, place: int) -> tuple[Tensor, Parts]:
        """Give the log-probabilities of the words that follow `words`.

        PAD, SOS and UNK are never chosen, nor is an end before the first word; after `max_words` words only the end is.
        Their probability is given to no other word, so that log-probabilities are those of the model.

        Arguments:
            place: how many words there are before the next one
        Shapes: words (M,) int64; memory and state of M rows; returns (M, V) float32 and the new state.
        """
        step = self.decoder.advance(self.embed(words), memory, state)
        found = self.decoder.read(step.features).float().log_softmax(-1)
        if place == self.max_words:
            last = torch.full_like(found, -torch.inf)
            last[:, EOS] = found[:, EOS]
            return last, step.state
        found[:, [PAD, SOS, UNK]] = -torch.inf
        if place == 0:
            found[:, EOS] = -torch.inf
        return found, step.state
