"""A finished run in memory, and the model in use: what every task's predictor builds on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plait.core.config import Recipe
from plait.core.errors import CheckpointError, ConfigError, MissingVerbError
from plait.core.show import html_table
from plait.core.tables import look_up
from plait.core.types import AttentionMap, ImageSpec, Tokens
from plait.data.batch import PixelSource, join_tokens, load_pixels
from plait.data.geometry import geometry_of
from plait.data.given import ImageInput, Images, Texts, as_path, image_list, photo_of, text_list
from plait.data.images import load_rgb
from plait.explain.explanation import Explanation, explain_subject, write_explanation
from plait.explain.methods import METHODS
from plait.explain.overlay import grid_box
from plait.explain.subject import Subject
from plait.model import FusionModel, Learner
from plait.nn.devices import device_of, resolve_device
from plait.nn.precision import autocast_context, resolve_precision

__all__ = ["Attention", "ImageInput", "Model", "Run"]

IMAGES_AT_ONCE = 16
TEXTS_AT_ONCE = 64


class Run:
    """A finished run: what was recorded of it at once, its weights when they are first used.

    Arguments:
        folder:    where it lies
        record:    what `run.json` says
        recipe:    the recipe it was trained with
        learner:   model and objective with their trained weights, in eval mode; or a function that loads them
        predictor: run -> the model of its task, ready for use
    """

    def __init__(
        self,
        folder: Path,
        record: dict[str, Any],
        recipe: Recipe,
        learner: Learner | Callable[[], Learner],
        *,
        predictor: Callable[[Run], Model] | None = None,
    ) -> None:
        self.folder = folder
        self.record = record
        self.recipe = recipe
        self._learner: Learner | None = learner if isinstance(learner, Learner) else None
        self._load = None if isinstance(learner, Learner) else learner
        self._predictor = predictor

    @property
    def learner(self) -> Learner:
        """The model and objective with their trained weights, in eval mode.

        Raises:
            CheckpointError: the weights are missing, damaged or of another model.
        """
        if self._learner is None and self._load is not None:
            self._learner = self._load()
        if self._learner is None:
            raise CheckpointError(f"{self.folder}: the run has no weights in memory and none to load")
        return self._learner

    def model(self) -> Model:
        """Give the model ready for use, with the verbs of its task: what `plait.load(run)` gives. Raises as `learner`.

        Raises:
            ConfigError: the run was made without its task.
        """
        if self._predictor is None:
            raise ConfigError(f"{self.folder}: this run was made in memory; use `plait.load` on a run's folder")
        return self._predictor(self)

    @property
    def metrics(self) -> dict[str, float]:
        """Give key -> figure, of the split it was measured on."""
        return dict(self.record.get("metrics", {}))

    @property
    def flags(self) -> tuple[str, ...]:
        """Give what must be said with every figure, such as "leaky"."""
        return tuple(self.record.get("flags", ()))

    @property
    def task(self) -> str:
        """Name its task."""
        return self.recipe.task

    @property
    def fusion(self) -> str:
        """Name its fusion."""
        return self.recipe.fusion.name

    @property
    def seed(self) -> int:
        """Give the seed it was trained with."""
        return self.recipe.train.seed

    @property
    def split(self) -> str:
        """Name the split that its figures are measured on."""
        return str(self.record.get("data", {}).get("split", ""))

    @property
    def params(self) -> int:
        """Give the number of trained parameters."""
        return int(self.record.get("params", 0))

    @property
    def curve(self) -> tuple[dict[str, Any], ...]:
        """Give one point per epoch: its loss and the figures measured then."""
        return tuple(self.record.get("curve", ()))

    def __repr__(self) -> str:
        """Say in one line what it is; `record` holds everything."""
        figures = ", ".join(f"{key} {value:.1f}" for key, value in list(self.metrics.items())[:3])
        flags = f"; flags: {', '.join(self.flags)}" if self.flags else ""
        return (
            f"Run({str(self.folder)!r}: {self.task}, {self.fusion}, seed {self.seed}; {figures or 'no figures'}{flags})"
        )

    def _repr_html_(self) -> str:
        title = f"{self.folder}: {self.fusion}, seed {self.seed}, split {self.split}"
        note = f"flags: {', '.join(self.flags)}" if self.flags else ""
        return html_table(title, list(self.metrics.items()), header=["metric", "value"], note=note)


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

    Images are paths (str or Path), bytes of image files, Pillow images, (H, W, 3) or (H, W) uint8 arrays, or tensors
    (3, H, W), uint8 or float in [0, 1]. Where several are expected, one alone is a list of one. All methods compute on
    the model's device, at the run's own precision. Tokens stay on the device; other results come back in main memory.

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

    def __repr__(self) -> str:
        """Say in one line what it is."""
        return (
            f"{type(self).__name__}({str(self.run.folder)!r}: {self.recipe.task}, {self.run.fusion}, seed "
            f"{self.run.seed}, on {self.device})"
        )

    @torch.no_grad()
    def attention(self, image: ImageInput, text: str) -> Attention:
        """Give the attention maps of one image with one text; none where the fusion has no attention."""
        with self._precision():
            tokens, words = self.image_tokens([image]), self.text_tokens([text])
            fused = self._model.fuse(words, tokens, maps=True)
        # NumPy has no bfloat16.
        maps = tuple(replace(one, weights=one.weights.float().cpu()) for one in fused.maps)
        return Attention(self._model.text.text_input.pieces(text), tokens.grid, maps)

    def explain(
        self,
        image: ImageInput,
        text: str,
        *,
        method: str = "occlusion",
        measure: bool = True,
        out: str | Path | None = None,
    ) -> Explanation:
        """Say which cells of an image, and which words, the answer to a text depends on.

        What is explained is the task's: a match's score, the evidence for a marked region, a class.

        Arguments:
            text:    the sentence, the phrase, or the name of a class
            method:  a name in `plait.explain.methods.METHODS`
            measure: also measure how faithful the map is, by deletion and insertion against random orders
            out:     a folder for explanation.npz, .json and .html and overlay.png; None = nothing is written
        Raises:
            InputError: an image that cannot be read, an empty text, a class that the run does not have.
            ConfigError: no such method, one that needs attention, or a task or fusion that cannot be explained.
            StorageError: a file cannot be written.
        """
        look_up("method", METHODS, method)
        folder = None if out is None else as_path(out, "out")
        photo = photo_of(image, "image")
        (asked,) = text_list([text])
        rgb = load_rgb(photo.source)
        found = explain_subject(self.subject(rgb, asked), method=method, photo=photo.id, text=asked, measure=measure)
        found = replace(found, box=grid_box(geometry_of(rgb.shape[0], rgb.shape[1], self._image_spec)))
        return found if folder is None else write_explanation(found, rgb, folder)

    def subject(self, image: ImageInput, text: str) -> Subject:
        """Give the number of the task's answer that `explain` explains; every task that can be explained gives its own.

        Raises:
            ConfigError: the task gives none, or the run compares no cells of the image.
        """
        raise ConfigError(f"{self.run.folder}: answers of task {self.recipe.task!r} cannot be explained")

    def _float_tokens(self, image: ImageInput, text: str | None) -> tuple[Tokens, Tokens]:
        """Give one text and one image in float32, which gradients need; without a text, one token of zeros."""
        regions = self.image_tokens([image])
        if regions.grid is None:
            raise ConfigError(
                f"{self.run.folder}: this run reads one vector per image, so there are no cells to be explained; use "
                'a run with tokens = "tokens" and an encoder that gives a grid'
            )
        if text is None:
            zeros = torch.zeros_like(regions.values[:, :1], dtype=torch.float32)
            words = Tokens(zeros, regions.valid[:, :1])
        else:
            words = self.text_tokens([text])
        wide = [
            replace(
                side,
                values=side.values.float(),
                levels=tuple(replace(level, values=level.values.float()) for level in side.levels),
            )
            for side in (words, regions)
        ]
        return wide[0], wide[1]

    @torch.no_grad()
    def image_tokens(self, images: Images) -> Tokens:
        """Give images' tokens of the common width; see `plait.data.given` for what an image may be.

        Raises:
            InputError: no image, or one that cannot be read; the message names its position.
        """
        photos = image_list(images)
        source = PixelSource(photos, self._image_spec)
        chunks = torch.arange(len(photos)).split(IMAGES_AT_ONCE)
        with self._precision():
            return join_tokens(
                [self._model.encode_image(load_pixels(source, chunk).to(self.device)) for chunk in chunks]
            )

    @torch.no_grad()
    def text_tokens(self, texts: Texts) -> Tokens:
        """Give texts' tokens of the common width.

        Raises:
            InputError: no text, or one that is no string or has no words; the message names its position.
        """
        given = text_list(texts)
        read = self._model.text.text_input
        chunks = [given[i : i + TEXTS_AT_ONCE] for i in range(0, len(given), TEXTS_AT_ONCE)]
        with self._precision():
            return join_tokens(
                [self._model.encode_text(*(raw.to(self.device) for raw in read(chunk))) for chunk in chunks]
            )

    def encode_texts(self, texts: Texts) -> np.ndarray:
        """Give one vector per text, (N, D) float32 of length 1, for a run that has two towers; see `MatchModel`.

        Raises:
            ConfigError: the run has none.
        """
        raise self._no_vectors()

    def encode_images(self, images: Images) -> np.ndarray:
        """Give one vector per image, (N, D) float32 of length 1, for a run that has two towers; see `MatchModel`.

        Raises:
            ConfigError: the run has none.
        """
        raise self._no_vectors()

    def _no_vectors(self) -> ConfigError:
        return ConfigError(
            f"{self.run.folder}: a run of task {self.recipe.task!r} with fusion {self.run.fusion!r} reads text and "
            "image together, so neither side has a vector of its own that could be compared. Use a run with fusion "
            "'late' or pairing 'itm', which has towers; `text_tokens` and `image_tokens` give tokens of any run"
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
