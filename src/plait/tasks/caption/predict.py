"""A run of captions in use: images in, sentences out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import ConfigError
from plait.core.recipe.ranges import Range, checked_number
from plait.core.types import Tokens
from plait.data.batch import join_tokens
from plait.data.given import Images, image_list
from plait.tasks.caption.assemble import BEAM_RANGE, PENALTY_RANGE, Decoding
from plait.tasks.caption.files import caption_rows, in_parts
from plait.tasks.caption.learner import CaptionLearner
from plait.tasks.caption.result import CaptionResult, CaptionRow
from plait.tasks.caption.writing import Writer
from plait.trained import Attention, ImageInput, Model, Run

__all__ = ["CaptionModel"]


class CaptionModel(Model):
    """A run of captions, ready to use; `caption` is its verb, `caption_files` the same for many files."""

    def __init__(self, run: Run, learner: CaptionLearner) -> None:
        super().__init__(run)
        self._learner = learner

    def caption(
        self,
        images: Images,
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        top_p: float | None = None,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> CaptionResult:
        """Write a sentence about each image.

        Arguments:
            images:         one or several; see `Model`
            beam:           captions kept during the search; 1 = the most probable word at each place; None = the run's
            length_penalty: 0 favours short captions, 1 compares means per word; None = the run's own
            top_p:          draw words at random from the most probable ones that reach this probability together, in
                            place of a search; with `temperature` and `seed`
        Returns: captions, their log-probabilities, and maps of what was attended to for each word.
        Raises:
            InputError: no image, or one that cannot be read; the message names its position.
            ConfigError: an option out of its range, or a beam together with `top_p`.
        """
        writer = self._writer(beam, length_penalty, top_p, temperature, seed)
        photos = image_list(images)
        tokens = self.image_tokens([photo.source for photo in photos])
        with self._precision():
            written = writer.write(tokens)
            weights = writer.weights(tokens, written)
        return CaptionResult(
            captions=tuple(one.text for one in written),
            log_probs=np.array([one.log_prob for one in written], dtype=np.float32),
            words=tuple(one.words for one in written),
            maps=tuple(_on_grid(one, tokens) for one in weights),
            images=tuple(photo.id for photo in photos),
        )

    def caption_files(
        self,
        paths: Sequence[str | Path],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[CaptionRow]:
        """Write a sentence about each file, and say of those that cannot be read why.

        Returns: one row per path, in the order given.
        Raises:
            ConfigError: an option out of its range.
        """
        writer = self._writer(beam, length_penalty, None, 1.0, 0)

        def write(pixels: Tensor) -> list[tuple[str, float]]:
            with torch.no_grad(), self._precision():
                tokens = join_tokens([self._model.encode_image(part) for part in in_parts(pixels, self.device)])
                return [(one.text, one.log_prob) for one in writer.write(tokens)]

        return caption_rows(paths, self._image_spec, write, progress=progress)

    @torch.no_grad()
    def attention(self, image: ImageInput, text: str) -> Attention:
        """Refuse: what a captioner attends to belongs to the captions that it writes, and `caption` gives it.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{self.run.folder}: a run of captions attends while it writes; `caption(image).maps` gives what it "
            "attended to for each word of its own caption"
        )

    def _writer(
        self, beam: int | None, length_penalty: float | None, top_p: float | None, temperature: float, seed: int
    ) -> Writer:
        own = Decoding.of(self.recipe.fusion)
        if top_p is not None and beam is not None:
            raise ConfigError("caption: `beam` searches and `top_p` draws; give one of them")
        return Writer(
            self._learner,
            beam=checked_number(own.beam if beam is None else beam, "caption, beam", BEAM_RANGE),
            length_penalty=checked_number(
                own.length_penalty if length_penalty is None else length_penalty,
                "caption, length_penalty",
                PENALTY_RANGE,
                whole=False,
            ),
            top_p=None
            if top_p is None
            else checked_number(top_p, "caption, top_p", Range(0, 1, above=True), whole=False),
            temperature=checked_number(temperature, "caption, temperature", Range(0, above=True), whole=False),
            seed=checked_number(seed, "caption, seed", Range(0)),
        )


def _on_grid(weights: np.ndarray | None, tokens: Tokens) -> np.ndarray | None:
    if weights is None or tokens.grid is None:
        return None
    maps: np.ndarray = weights.reshape(len(weights), *tokens.grid)
    return maps
