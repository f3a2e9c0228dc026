"""What is trained for captions: the next word from the words before it and the image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from plait.core.errors import ShapeError
from plait.core.types import Batch, CaptionLogits, Fused, Loss, Tokens
from plait.data.text import PAD, UNK, WordInput
from plait.heads.caption.base import CaptionDecoder, Parts
from plait.model import FusionModel, Learner
from plait.objectives.caption import NextWord

__all__ = ["CaptionLearner", "eval_mode"]


class CaptionLearner(Learner):
    """A model whose head writes captions, and the objective that scores each next word."""

    def __init__(self, model: FusionModel, objective: NextWord) -> None:
        super().__init__(model, objective)
        self.next_word = objective

    @property
    def decoder(self) -> CaptionDecoder:
        """The model's head."""
        head = self.model.head
        if not isinstance(head, CaptionDecoder):
            raise TypeError(f"expected a CaptionDecoder as the model's head, got {type(head).__name__}")
        return head

    @property
    def words(self) -> WordInput:
        """The model's vocabulary, with the way texts are cut into words."""
        found = self.model.text.text_input
        if not isinstance(found, WordInput):
            raise TypeError(f"expected a WordInput as the text side's input, got {type(found).__name__}")
        return found

    def seen(self, image: Tokens) -> Tokens:
        """Give the image's tokens (U, P, D) as the decoder reads them: after the fusion, which reads no word."""
        nothing = image.values.new_zeros(len(image), 1, image.values.shape[2])
        there = torch.ones(len(image), 1, dtype=torch.bool, device=nothing.device)
        return self.model.fuse(Tokens(nothing, there), image).image

    def memory(self, image: Tokens) -> Parts:
        """Give what the decoder makes of images (U, P, D) once: tensors of U rows."""
        return self.decoder.prepare(self.seen(image))

    def embed(self, ids: Tensor) -> Tensor:
        """Give the vectors of single words: (M,) int64 -> (M, D)."""
        found = self.model.encode_text(ids[:, None], torch.ones_like(ids[:, None], dtype=torch.bool))
        return found.values[:, 0]

    def logits(self, ids: Tensor, image: Tokens, *, image_row: Tensor | None = None) -> CaptionLogits:
        """Predict the word after each of the words `ids`, from the true words before it.

        Shapes: ids (B, T) int64, SOS first; image Tokens (U, P, D) of the common width; image_row (B,) int64 in [0, U),
        or None where rows belong one to one. Returns logits (B, T, V).
        """
        return self._taught(ids, self.seen(image), image_row)

    def loss(self, batch: Batch) -> Loss:
        """Give the objective's loss of a batch: every caption from its second word to its end.

        Raises:
            ShapeError: the batch holds no word numbers.
        """
        ids = batch.text_ids
        if ids is None:
            raise ShapeError("the batch holds no text ids; captions are learned from words, not from cached tokens")
        raw = batch.image if batch.image is not None else batch.pixels
        if raw is None:
            raise ShapeError("the batch holds neither pixels nor cached image tokens; give one of them")
        image = self.seen(self.model.encode_image(raw))
        read, following = ids[:, :-1], ids[:, 1:]
        rate = self.next_word.sampling_rate()
        if rate:
            read = self.sampled_words(read, image, batch.image_row, rate=rate)
        loss: Loss = self.objective(self._taught(read, image, batch.image_row), following)
        return loss

    def _taught(self, ids: Tensor, seen: Tokens, image_row: Tensor | None) -> CaptionLogits:
        words = self.model.encode_text(ids, ids != PAD)
        logits: CaptionLogits = self.model.read(Fused(words, seen, image_row=image_row))
        return logits

    @torch.no_grad()
    def sampled_words(self, ids: Tensor, seen: Tokens, image_row: Tensor | None, *, rate: float) -> Tensor:
        """Put words that the model draws after the true words before them in place of a part `rate` of ids (B, T).

        One pass more for all words at once, as in Mihaylova & Martins 2019; Bengio et al. 2015 draw after words that
        may be drawn themselves, which takes a pass per word.
        """
        probs = self._taught(ids, seen, image_row).values.float().softmax(-1)
        probs[..., [PAD, UNK]] = 0.0
        drawn = torch.multinomial(probs[:, :-1].flatten(0, 1), 1).view(len(ids), -1)
        change = (torch.rand(drawn.shape, device=ids.device) < rate) & (ids[:, 1:] != PAD)
        return torch.cat([ids[:, :1], torch.where(change, drawn, ids[:, 1:])], 1)


@contextmanager
def eval_mode(model: FusionModel) -> Iterator[None]:
    """Put a model in eval mode for the time of a block, and back in the mode that it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
