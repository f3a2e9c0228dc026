"""A finished run in memory, and the model in use: what every task's predictor builds on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.core.config import Recipe
from plait.core.errors import InputError, MissingVerbError
from plait.core.types import AttentionMap, ImageSpec, Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.collection import Photo
from plait.model import FusionModel, Learner
from plait.nn.devices import device_of, resolve_device
from plait.nn.precision import autocast_context, resolve_precision

__all__ = ["Attention", "ImageInput", "Model", "Run"]

IMAGES_AT_ONCE = 16
TEXTS_AT_ONCE = 64

ImageInput = str | Path | np.ndarray


@dataclass(frozen=True)
class Run:
    """A finished run, loaded.

    Fields:
        folder:  where it lies
        record:  what `run.json` says
        recipe:  the recipe it was trained with
        learner: model and objective with their trained weights, in eval mode
    """

    folder: Path
    record: dict[str, Any]
    recipe: Recipe
    learner: Learner


@dataclass(frozen=True)
class Attention:
    """What a fusion attended to while it read one image and one text.

    Fields:
        pieces: the text's printable pieces, one per text token
        grid:   (h, w) of the image tokens
        maps:   the attention maps, batch of one, float32 in main memory
    """

    pieces: list[str]
    grid: tuple[int, int] | None
    maps: tuple[AttentionMap, ...]


class Model:
    """A run, ready to use. A task's predictor adds its verb: `match`, `mask`, ...

    Images are file paths or (H, W, 3) uint8 arrays. All methods compute on the model's device, at the run's own
    precision. Encoded tokens stay on the device; other results come back in main memory.

    Arguments:
        run:    a finished run
        device: "auto" (the fastest that is present), "cpu", "cuda", "cuda:1" or "mps"; the learner is moved there. None
                = where the learner is
    Raises:
        ConfigError: this machine has no such device.
    """

    def __init__(self, run: Run, device: str | None = None) -> None:
        self.run = run
        self.recipe = run.recipe
        self.record: dict[str, Any] = run.record
        self.device: torch.device = device_of(run.learner) if device is None else resolve_device(device)
        run.learner.to(self.device)

    @torch.no_grad()
    def attention(self, image: ImageInput, text: str) -> Attention:
        """Give the attention maps of one image with one text; none where the fusion has no attention."""
        with self._precision():
            tokens, words = self.encode_images([image]), self.encode_texts([text])
            fused = self._model.fuse(words, tokens, maps=True)
        # NumPy has no bfloat16.
        maps = tuple(replace(one, weights=one.weights.float().cpu()) for one in fused.maps)
        return Attention(self._model.text.text_input.pieces(text), tokens.grid, maps)

    @torch.no_grad()
    def encode_images(self, images: Sequence[ImageInput]) -> Tokens:
        """Give images' tokens of the common width.

        Raises:
            InputError: no image, or one that cannot be read.
        """
        if not images:
            raise InputError("expected at least one photo, got none")
        photos = [_photo(image, number) for number, image in enumerate(images)]
        source = PixelSource(photos, self._image_spec)
        chunks = torch.arange(len(photos)).split(IMAGES_AT_ONCE)
        with self._precision():
            return join_tokens(
                [self._model.encode_image(load_pixels(source, chunk).to(self.device)) for chunk in chunks]
            )

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """Give texts' tokens of the common width.

        Raises:
            InputError: no text, or one without words.
        """
        if not texts:
            raise InputError("expected at least one sentence, got none")
        for number, text in enumerate(texts):
            if not text.strip():
                raise InputError(f"sentence {number + 1} of {len(texts)} is empty; expected words")
        read = self._model.text.text_input
        chunks = [list(texts[i : i + TEXTS_AT_ONCE]) for i in range(0, len(texts), TEXTS_AT_ONCE)]
        with self._precision():
            return join_tokens(
                [self._model.encode_text(*(raw.to(self.device) for raw in read(chunk))) for chunk in chunks]
            )

    def __getattr__(self, name: str) -> Any:
        # Only reached for what the class lacks. A verb of another task deserves a sentence that helps.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        able = ", ".join(verb for verb in dir(type(self)) if not verb.startswith("_") and verb != "open")
        raise MissingVerbError(
            f"{self.run.folder}: a run of task {self.recipe.task!r} has no {name!r}; it has: {able}. For another task "
            "use a run of that task (`plait list tasks`)"
        )

    def _precision(self) -> torch.autocast:
        return autocast_context(resolve_precision(self.recipe.train.precision, self.device), self.device)

    @property
    def _model(self) -> FusionModel:
        return self.run.learner.model

    @property
    def _image_spec(self) -> ImageSpec:
        return self._model.image.image_spec


def _photo(image: ImageInput, number: int) -> Photo:
    if isinstance(image, np.ndarray):
        return Photo(f"array {number}", image)
    return Photo(str(image), Path(image))
