"""A trained model in use: photos and sentences in, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.core.errors import InputError
from plait.core.types import AttentionMap, ImageSpec, Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.collection import Photo
from plait.model import FusionModel
from plait.nn.precision import autocast_context, resolve_precision
from plait.train.run import Run, load_run
from plait.train.score import Scorer

__all__ = ["Looked", "MatchResult", "Model"]

PHOTOS_AT_ONCE = 16
TEXTS_AT_ONCE = 64

Picture = str | Path | np.ndarray


@dataclass(frozen=True)
class MatchResult:
    """How well each photo and each sentence fit.

    Fields:
        scores: (I, C) float32, higher = better; comparable within one model only
        prob_text:  (I, C) in [0, 1], each photo's probability over the sentences given: rows sum to 1
        prob_image: (I, C) in [0, 1], each sentence's probability over the photos given: columns sum to 1
        score_kind: what `scores` are: "cosine", "logit" or "log-odds"
    """

    scores: np.ndarray
    prob_text: np.ndarray
    prob_image: np.ndarray
    score_kind: str


@dataclass(frozen=True)
class Looked:
    """What a fusion looked at while it read one photo and one sentence.

    Fields:
        pieces: the text's printable pieces, one a text token
        grid:   (h, w) of the image tokens
        maps:   the attention maps, batch of one
    """

    pieces: list[str]
    grid: tuple[int, int] | None
    maps: tuple[AttentionMap, ...]


class Model:
    """A run, ready to use.

    `match` scores photos against sentences; `look` gives the attention maps of one pair. Both take file paths or
    (H, W, 3) uint8 arrays.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.recipe = run.recipe
        self.record: dict[str, Any] = run.record
        self._scorer = Scorer(run.built.model, run.built.objective, rerank_k=run.recipe.fusion.rerank_k)

    @classmethod
    def open(cls, folder: Path) -> Model:
        """Load a finished run's folder. Raises `CheckpointError` where that cannot be done."""
        return cls(load_run(folder))

    @torch.no_grad()
    def match(self, images: Sequence[Picture], texts: Sequence[str]) -> MatchResult:
        """Score every photo with every sentence by the full fusion.

        Raises:
            InputError: no photo or no sentence, an empty sentence, a photo that cannot be read.
        """
        with autocast_context(resolve_precision(self.recipe.train.precision)):
            image, text = self.encode_images(images), self.encode_texts(texts)
            scores, kind = self._scorer.matrix(text, image)
        scores = scores.float()
        logits = scores if kind == "log-odds" else scores * self._scorer.scale().float()
        return MatchResult(
            scores=scores.numpy(),
            prob_text=logits.softmax(1).numpy(),
            prob_image=logits.softmax(0).numpy(),
            score_kind=kind,
        )

    @torch.no_grad()
    def look(self, image: Picture, text: str) -> Looked:
        """Give the attention maps of one photo with one sentence; empty where the fusion attends to nothing."""
        tokens, words = self.encode_images([image]), self.encode_texts([text])
        fused = self._model.fuse(words, tokens, maps=True)
        return Looked(self._model.text.input.pieces(text), tokens.grid, fused.maps)  # type: ignore[union-attr]

    @torch.no_grad()
    def encode_images(self, images: Sequence[Picture]) -> Tokens:
        """Give photos' tokens of the common width."""
        if not images:
            raise InputError("expected at least one photo, got none")
        photos = [_photo(image, number) for number, image in enumerate(images)]
        spec = self._model.image.input
        assert isinstance(spec, ImageSpec)
        source = PixelSource(photos, spec)
        chunks = torch.arange(len(photos)).split(PHOTOS_AT_ONCE)
        return join_tokens([self._model.encode_image(load_pixels(source, chunk)) for chunk in chunks])

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """Give sentences' tokens of the common width."""
        if not texts:
            raise InputError("expected at least one sentence, got none")
        for number, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"sentence {number + 1} of {len(texts)} is empty; expected words")
        chunks = [list(texts[i : i + TEXTS_AT_ONCE]) for i in range(0, len(texts), TEXTS_AT_ONCE)]
        return join_tokens([self._model.encode_text(*self._model.text.input(chunk)) for chunk in chunks])  # type: ignore[operator]

    @property
    def _model(self) -> FusionModel:
        return self.run.built.model


def _photo(image: Picture, number: int) -> Photo:
    if isinstance(image, np.ndarray):
        return Photo(f"array {number}", image)
    return Photo(str(image), Path(image))
