"""A trained model in use: photos and sentences in, scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.core.errors import ConfigError, InputError
from plait.core.types import AttentionMap, ImageSpec, Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.collection import Photo
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb
from plait.data.masks.load import frame_to_photo
from plait.model import FusionModel
from plait.nn.precision import autocast_context, resolve_precision
from plait.tasks.mask.evaluate import mask_probabilities
from plait.runs.run import Run, load_run
from plait.tasks.match.score import Scorer

__all__ = ["Looked", "MaskResult", "MatchResult", "Model"]

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
class MaskResult:
    """The region of a photo that a phrase speaks of.

    Fields:
        mask:        (H, W) bool at the photo's own size, True = meant: probability >= threshold
        probability: (H, W) float32 in [0, 1]; 0 where a crop cut the photo off
        area:        part of the photo's pixels that are meant, in [0, 1]
        threshold:   the one used
    """

    mask: np.ndarray
    probability: np.ndarray
    area: float
    threshold: float


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

    `match` scores photos against sentences, `mask` gives the region a phrase speaks of, `look` the attention maps of
    one pair. All take file paths or (H, W, 3) uint8 arrays.
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
            ConfigError: the run gives masks, not scores.
        """
        if self._model.gives_masks:
            raise ConfigError(
                f"{self.run.folder}: a run of task 'mask' finds regions and does not score photos; use `plait mask`, "
                'or match with another run, such as "default"'
            )
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

    def mask(self, image: Picture, text: str, *, threshold: float | None = None) -> MaskResult:
        """Find the region of a photo that a phrase speaks of, at the photo's own size.

        Args:
            threshold: a pixel is meant from this probability on, in [0, 1]; None = the run's own
        Raises:
            InputError: an empty phrase, a photo that cannot be read, a threshold outside [0, 1].
            ConfigError: the run was not trained for masks.
        """
        own = self.record.get("mask", {}).get("threshold", 0.5)
        least = float(own if threshold is None else threshold)
        if not 0 <= least <= 1:
            raise InputError(f"threshold {least}: expected a probability from 0 to 1")
        rgb = load_rgb(image if isinstance(image, np.ndarray) else Path(image))
        spec = self._model.image.input
        assert isinstance(spec, ImageSpec)
        with autocast_context(resolve_precision(self.recipe.train.precision)):
            tokens, words = self.encode_images([rgb]), self.encode_texts([text])
            cells = mask_probabilities(self._model, words, tokens)[0]
        found = frame_to_photo(cells, geometry_of(rgb.shape[0], rgb.shape[1], spec))
        meant = found >= least
        return MaskResult(mask=meant, probability=found, area=float(meant.mean()), threshold=least)

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
