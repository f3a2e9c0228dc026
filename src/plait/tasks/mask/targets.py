"""The true masks of captions: at their image's own size, and in the image encoder's input frame for training."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import ImageSpec, MaskTarget
from plait.data.collection import Collection
from plait.data.masks.absent import Absences
from plait.data.masks.load import load_mask, mask_to_frame

__all__ = ["MaskTargets", "check_masks", "true_mask"]

# A target takes a byte and a bit per cell: 512 MiB hold those of 116,000 captions at 64 x 64 cells.
BUDGET_BYTES = 512 * 2**20


def check_masks(collection: Collection) -> None:
    """Refuse data without masks.

    Raises:
        InputError: a caption has no mask, or there is no caption; the message names the first such caption.
    """
    without = next((caption for caption in collection.captions if caption.mask is None), None)
    if without is not None or not collection.captions:
        found = "there is no caption" if without is None else f"caption {without.id!r} has none"
        raise InputError(
            f"data {collection.name!r}: task 'mask' needs a mask for every caption, and {found}; give rows of image, "
            "text and mask, or try the generated set: --data scenes-masks"
        )


def true_mask(collection: Collection, row: int) -> np.ndarray:
    """Give the mask of caption `row` at its image's own size: (H, W) bool.

    Raises:
        InputError: the caption has no mask, or its mask cannot be read or does not fit its image.
    """
    caption = collection.captions[row]
    if caption.mask is None:
        raise InputError(
            f"data {collection.name!r}: caption {caption.id!r} has no mask; every caption of a mask data set needs one"
        )
    source = collection.photos[caption.image].source
    return load_mask(caption.mask, source.shape[:2] if isinstance(source, np.ndarray) else None)


class MaskTargets:
    """Mask targets of a collection's captions, in any view of their images.

    Those made are kept in memory up to a budget; the least recently used are dropped first.

    Arguments:
        collection: its captions have masks
        spec:       of the image encoder: a mask is cropped, squashed or padded as its image is
        cells:      (h, w) of the targets: the head's own resolution
        views:      what an image can be shown as; `take` counts views in these
        absent:     share of texts that `take` pairs with another image, in [0, 1]
        budget_bytes: the most memory that kept targets take
    """

    def __init__(
        self,
        collection: Collection,
        spec: ImageSpec,
        *,
        cells: tuple[int, int],
        views: Sequence[str] = ("full",),
        absent: float = 0.0,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        self.collection = collection
        self.spec = spec
        self.cells = cells
        self.views = tuple(views)
        self.absent = absent
        self._absences = Absences(collection, collection.splits.get("train"))
        self._capacity = max(1, 8 * budget_bytes // (9 * cells[0] * cells[1]))
        self._kept: OrderedDict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def take(self, rows: np.ndarray, view: np.ndarray, /) -> MaskTarget:
        """Give the targets of captions `rows` (B,) int64, each in the view (B,) int64 its image is shown in.

        With `absent`, that share of the texts is paired with an image of these rows that lacks what they refer to
        (`plait.data.masks.absent`), as far as there are such images. The draw depends on rows and views alone, so that
        a fit that is interrupted and goes on draws the same.

        Shapes: returns values (B, h, w) float32 in steps of 1/255, valid (B, h, w) bool, absent (A, 2) int64 or None.
        Raises:
            InputError: as `true_mask`.
        """
        found = [self._target(int(row), int(shown)) for row, shown in zip(rows, view, strict=True)]
        values: Tensor = torch.from_numpy(np.stack([one[0] for one in found])).float() / 255
        return MaskTarget(values, torch.from_numpy(np.stack([one[1] for one in found])), self._absent(rows, view))

    def _absent(self, rows: np.ndarray, view: np.ndarray) -> Tensor | None:
        if not self.absent:
            return None
        random = np.random.default_rng([*rows.tolist(), *view.tolist()])
        count = int(self.absent * len(rows) + random.random())  # its mean is the share, in small batches too
        return torch.from_numpy(self._absences.draw(rows, random, count=count))

    def _target(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        """Give a caption's target as it is kept, in bytes and unpacked bits: (h, w) uint8 and (h, w) bool."""
        key = (row, view)
        if key not in self._kept:
            name, image = self.views[view], self.collection.photos[self.collection.captions[row].image]
            # The seed by which `data.batch.load_pixels` crops this image.
            seed = int(image.digest[:8], 16) if name.startswith("crop") else 0
            target = mask_to_frame(true_mask(self.collection, row), self.spec, view=name, cells=self.cells, seed=seed)
            shares = (target.values[0] * 255).round().byte().numpy()
            self._kept[key] = (shares, np.packbits(target.valid[0].numpy()))
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        shares, packed = self._kept[key]
        return shares, np.unpackbits(packed, count=shares.size).astype(bool).reshape(self.cells)
