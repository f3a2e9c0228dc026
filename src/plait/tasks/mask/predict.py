"""A run of masks in use: an image and a phrase in, the region that the phrase refers to out."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from pathlib import Path

import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError, shown
from plait.core.types import Tokens
from plait.data.geometry import geometry_of
from plait.data.given import ImageInput, as_path, photo_of, text_list
from plait.data.images import load_rgb
from plait.data.masks.load import frame_to_photo
from plait.explain.subject import Scored, Subject
from plait.model import FusionModel
from plait.tasks.mask.learner import MaskLearner
from plait.tasks.mask.result import MaskResult, write_result
from plait.trained import Model, Run

__all__ = ["MaskModel"]


class MaskModel(Model):
    """A run of masks, ready to use; `mask` is its verb."""

    def __init__(self, run: Run, learner: MaskLearner) -> None:
        super().__init__(run)
        self._learner = learner

    def mask(
        self,
        image: ImageInput,
        text: str,
        *,
        threshold: float | None = None,
        presence_threshold: float | None = None,
        out: str | Path | None = None,
    ) -> MaskResult:
        """Find the region of an image that a phrase refers to, at the image's own size.

        Where the model takes the phrase for absent from the image, the mask is empty; `MaskResult.found` says so.

        Arguments:
            image:     a path, bytes, Pillow image, array or tensor; see `Model`
            threshold: a pixel is in the region from this probability on, in [0, 1]; None = the run's own
            presence_threshold: the phrase is taken for absent below this probability, in [0, 1]; None = the run's own;
                       0 = it never is. Runs without a presence score ignore the run's own and refuse another
            out:       a folder for mask.png (white = in the region), probability.png, overlay.png and mask.json;
                       None = nothing is written
        Raises:
            InputError: an empty phrase, an image that cannot be read, a threshold outside [0, 1].
            ConfigError: a presence threshold for a run that cannot tell presence.
            StorageError: a file cannot be written.
        """
        folder = None if out is None else as_path(out, "out")
        details = self.record.get("mask", {})
        least = _checked("threshold", details.get("threshold", 0.5) if threshold is None else threshold)
        known = details.get("presence_threshold") is not None and self._learner.presence is not None
        if presence_threshold is not None and not known:
            raise ConfigError(
                f"{self.run.folder}: this run cannot tell presence: it was trained without absent phrases, or its "
                "score does not tell them from present ones; leave the presence threshold out, or fit a run with the "
                "objective's option absent = 0.25"
            )
        photo = photo_of(image, "image")
        (phrase,) = text_list([text], "phrase")
        rgb = load_rgb(photo.source)
        with self._precision():
            regions, words = self.image_tokens([rgb]), self.text_tokens([phrase])
            answer = self._learner.answer(words, regions)
        cells = answer.cells[0]
        probability = frame_to_photo(cells, geometry_of(rgb.shape[0], rgb.shape[1], self._image_spec))
        mask = probability >= least
        presence = wanted = None
        if known and answer.presence is not None:
            presence = float(answer.presence[0])
            own = details["presence_threshold"] if presence_threshold is None else presence_threshold
            wanted = _checked("presence threshold", own)
            mask = mask & (presence >= wanted)
        found = MaskResult(
            photo.id,
            phrase,
            str(self.run.folder),
            mask,
            probability,
            float(mask.mean()),
            least,
            presence=presence,
            presence_threshold=wanted,
        )
        return found if folder is None else write_result(found, rgb, folder)

    def subject(self, image: ImageInput, text: str) -> Subject:
        """Give the evidence for the region that a phrase refers to; see `Model.explain`.

        That is the mean logit over the cells that the model marks for the whole phrase in the whole image; where it
        marks none, over the most probable twentieth of them. The region stays the same while words and cells are taken
        away.
        """
        words, regions = self._float_tokens(image, text)
        model = self._learner.model
        with torch.no_grad():
            whole = _mask_logits(model, words, regions)
        marked = whole > 0
        if not bool(marked.any()):
            marked = whole >= torch.quantile(whole.flatten(), 0.95)

        def score(model: FusionModel, text: Tokens, image: Tokens, maps: bool) -> Scored:
            fused = model.fuse(text, image, maps=maps)
            found = model.read(replace(fused, image=replace(fused.image, levels=image.levels)))
            return Scored((found.values * marked).flatten(1).sum(1) / marked.sum(), fused.maps)

        pieces = tuple(model.text.text_input.pieces(text)) if model.pool is None else ()
        return Subject(model, score, words, regions, pieces, "mean log-odds of the marked region")


def _checked(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"{name} {shown(value)}: expected a probability from 0 to 1")
    return float(value)


def _mask_logits(model: FusionModel, text: Tokens, image: Tokens) -> Tensor:
    """Give the logits of one mask: (1, h, w) float32."""
    fused = model.fuse(text, image)
    found: Tensor = model.read(replace(fused, image=replace(fused.image, levels=image.levels))).values
    return found.float()
