"""A run of masks in use: an image and a phrase in, the region that the phrase refers to out."""

from __future__ import annotations

from numbers import Real
from pathlib import Path

from plait.core.errors import InputError, shown
from plait.data.geometry import geometry_of
from plait.data.given import ImageInput, as_path, photo_of, text_list
from plait.data.images import load_rgb
from plait.data.masks.load import frame_to_photo
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
        self, image: ImageInput, text: str, *, threshold: float | None = None, out: str | Path | None = None
    ) -> MaskResult:
        """Find the region of an image that a phrase refers to, at the image's own size.

        Arguments:
            image:     a path, bytes, Pillow image, array or tensor; see `Model`
            threshold: a pixel is in the region from this probability on, in [0, 1]; None = the run's own
            out:       a folder for mask.png (white = in the region), probability.png, overlay.png and mask.json;
                       None = nothing is written
        Raises:
            InputError: an empty phrase, an image that cannot be read, a threshold outside [0, 1].
            StorageError: a file cannot be written.
        """
        folder = None if out is None else as_path(out, "out")
        own = self.record.get("mask", {}).get("threshold", 0.5)
        given = own if threshold is None else threshold
        if isinstance(given, bool) or not isinstance(given, Real) or not 0 <= float(given) <= 1:
            raise InputError(f"threshold {shown(given)}: expected a probability from 0 to 1")
        least = float(given)
        photo = photo_of(image, "image")
        (phrase,) = text_list([text], "phrase")
        rgb = load_rgb(photo.source)
        with self._precision():
            regions, words = self.image_tokens([rgb]), self.text_tokens([phrase])
            cells = self._learner.probabilities(words, regions)[0]
        probability = frame_to_photo(cells, geometry_of(rgb.shape[0], rgb.shape[1], self._image_spec))
        mask = probability >= least
        found = MaskResult(photo.id, phrase, str(self.run.folder), mask, probability, float(mask.mean()), least)
        return found if folder is None else write_result(found, rgb, folder)
