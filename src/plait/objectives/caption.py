"""The loss of captions: each next word, with what keeps attention from leaving parts of the image out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import CaptionLogits, Loss

__all__ = ["NextWord"]

_PAD = 0  # the id of padding in every vocabulary of `data.text`


class NextWord(nn.Module):
    """Cross-entropy of each next word.

    Formula: mean over words of -log p(word_t | words before it, image), PAD left out,
    plus `doubly_stochastic` times the mean over captions and cells of (1 - sum over words of the cell's weight)^2.

    The second term asks that each cell is attended to at some time. Scheduled sampling is this module's to time: the
    learner asks `sampling_rate` in each step and puts words of the model's own in place of that part of the true ones.

    Arguments:
        smoothing:         part of the target given to all words alike
        doubly_stochastic: weight of the second term; 0 leaves it out, and so does a decoder that does not attend
        sampled:           part of the words read that are the model's own, in the end
        sampled_after:     steps over which that part rises from 0
    Shapes:
        logits:  CaptionLogits of (B, T, V); words (B, T) int64, the true next words, PAD where there is none
        returns: Loss of () float, nats per word
    Raises:
        ConfigError: an option outside its range.
        ShapeError: words do not fit the logits.
    Source: Vinyals et al. 2015; Xu et al. 2015, eq. 14; Bengio et al. 2015. Differs: the second term is a mean over
    cells, not a sum, so that one weight suits every grid; the part of sampled words rises linearly.
    """

    steps: Tensor

    def __init__(
        self,
        *,
        smoothing: float = 0.0,
        doubly_stochastic: float = 0.0,
        sampled: float = 0.0,
        sampled_after: int = 1000,
    ) -> None:
        super().__init__()
        for name, value in (("smoothing", smoothing), ("sampled", sampled)):
            if not 0 <= value < 1:
                raise ConfigError(f"objective 'next_word', {name}: expected at least 0 and below 1, got {value}")
        if doubly_stochastic < 0 or sampled_after < 1:
            raise ConfigError(
                "objective 'next_word': expected doubly_stochastic at least 0 and sampled_after at least 1, got "
                f"{doubly_stochastic} and {sampled_after}"
            )
        self.smoothing, self.doubly_stochastic = smoothing, doubly_stochastic
        self.sampled, self.sampled_after = sampled, sampled_after
        # With the weights, so that a run that was stopped goes on with the part it had.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def sampling_rate(self) -> float:
        """Give the part of sampled words of this training step, and count the step."""
        if not self.sampled or not self.training:
            return 0.0
        self.steps += 1
        return self.sampled * min(1.0, float(self.steps) / self.sampled_after)

    def forward(self, logits: CaptionLogits, words: Tensor) -> Loss:
        """Give the loss of next words; see the class."""
        if logits.values.shape[:2] != words.shape:
            raise ShapeError(f"expected words {tuple(logits.values.shape[:2])} as the logits, got {tuple(words.shape)}")
        entropy = F.cross_entropy(
            logits.values.float().flatten(0, 1), words.flatten(), ignore_index=_PAD, label_smoothing=self.smoothing
        )
        parts = {"next_word": entropy.detach()}
        total = entropy
        if self.doubly_stochastic and logits.weights is not None:
            real = (words != _PAD)[..., None]
            left = (1 - (logits.weights.float() * real).sum(1)).square().mean()
            parts["doubly_stochastic"] = left.detach()
            total = total + self.doubly_stochastic * left
        return Loss(total, parts)
