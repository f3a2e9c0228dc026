"""Captions of images as texts: decoded in chunks, with what the decoder attended to for each word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from plait.core.types import Tokens
from plait.data.text import EOS, PAD, SOS, Vocabulary
from plait.tasks.caption.decode import Decoded, Steps, beam_search, greedy, nucleus
from plait.tasks.caption.learner import CaptionLearner

__all__ = ["Writer", "Written", "as_text"]

# Times three captions per image: thick enough products, and few images that wait for the longest caption.
IMAGES_AT_ONCE = 128
_ATTACHED = ("'", "’")
_NEVER_SPACED = frozenset(".,!?;:%)") | {"n't"}


@dataclass(frozen=True)
class Written:
    """A caption.

    Fields:
        text:     as a person would write it
        words:    its words as the vocabulary has them
        ids:      their numbers, without start and end
        log_prob: natural logarithm of its probability, the end included
    """

    text: str
    words: tuple[str, ...]
    ids: tuple[int, ...]
    log_prob: float


@dataclass(frozen=True)
class Writer:
    """Writes captions with a learner, which should be in eval mode.

    Fields:
        beam, length_penalty: see `beam_search`; a beam of 1 is greedy
        top_p:                draw words by `nucleus` in place of a search; None = search
        temperature, seed:    of that
    """

    learner: CaptionLearner
    beam: int = 3
    length_penalty: float = 0.7
    top_p: float | None = None
    temperature: float = 1.0
    seed: int = 0

    @torch.no_grad()
    def write(self, image: Tokens) -> list[Written]:
        """Write one caption per image: Tokens (N, P, D) of the common width, any N."""
        words = self.learner.words
        steps = Steps(self.learner.decoder, self.learner.embed, words.max_tokens - 2)
        found: list[Written] = []
        for start in range(0, len(image), IMAGES_AT_ONCE):
            memory = self.learner.memory(image.take(slice(start, start + IMAGES_AT_ONCE)))
            decoded = self._decoded(steps, memory, start)
            found += _written(decoded, words.vocabulary)
        return found

    @torch.no_grad()
    def weights(self, image: Tokens, captions: Sequence[Written]) -> list[np.ndarray | None]:
        """Give what the decoder attended to for each word of captions that it wrote about these images.

        The captions are read again, as in training, which gives the weights they were written with.

        Shapes: image Tokens (N, P, D); returns N arrays (words, P) float32, or None where the decoder does not attend.
        """
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor([SOS, *one.ids], dtype=torch.int64) for one in captions], batch_first=True, padding_value=PAD
        ).to(image.values.device)
        weights = self.learner.logits(ids, image).weights
        if weights is None:
            return [None] * len(captions)
        table = weights.float().cpu().numpy()
        return [table[i, : len(one.ids)] for i, one in enumerate(captions)]

    def _decoded(self, steps: Steps, memory: tuple[torch.Tensor, ...], start: int) -> Decoded:
        if self.top_p is not None:
            # Of its own for each chunk, so that chunks do not repeat each other's draws.
            return nucleus(steps, memory, top_p=self.top_p, temperature=self.temperature, seed=self.seed + start)
        if self.beam == 1:
            return greedy(steps, memory)
        return beam_search(steps, memory, beam=self.beam, length_penalty=self.length_penalty)


def as_text(words: Sequence[str]) -> str:
    """Join words as they are written: no space before punctuation and before what a tokeniser cut off ("dog" "'s").

    Example:
        >>> as_text(["a", "dog", "'s", "ball", ",", "red"])
        "a dog's ball, red"
    """
    return "".join(
        word if not n or word in _NEVER_SPACED or word.startswith(_ATTACHED) else f" {word}"
        for n, word in enumerate(words)
    )


def _written(decoded: Decoded, vocabulary: Vocabulary) -> list[Written]:
    found = []
    for row, log_prob in zip(decoded.ids.tolist(), decoded.log_prob.tolist(), strict=True):
        ids = tuple(number for number in row if number not in (PAD, EOS))
        words = tuple(vocabulary.word(number) for number in ids)
        found.append(Written(as_text(words), words, ids, log_prob))
    return found
