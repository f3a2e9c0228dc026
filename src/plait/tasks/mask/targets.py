"""The regions captions speak of, in the image encoder's input frame, kept in memory within a budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import InputError
from plait.core.types import ImageSpec, MaskTarget
from plait.data.collection import Collection
from plait.data.masks.load import load_mask, mask_to_frame

__all__ = ["MaskTargets"]

# Targets are a byte and a bit a cell: 512 MiB hold those of 116,000 captions at 64 x 64 cells.
BUDGET_BYTES = 512 * 2**20


class MaskTargets:
    """Mask targets of a collection's captions, each in any view of its photo.

    Arguments:
        collection: its captions carry masks
        spec:       of the image encoder: a mask goes through the same crop, squash or padding as its photo
        cells:      (h, w) of the targets: the head's own resolution
        views:      what a photo can be shown as; views in `take` count in these
        budget_bytes: targets made are kept up to this size, the longest unused go first
    """

    def __init__(
        self,
        collection: Collection,
        spec: ImageSpec,
        *,
        cells: tuple[int, int],
        views: Sequence[str] = ("full",),
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        self.collection = collection
        self.spec = spec
        self.cells = cells
        self.views = tuple(views)
        self._most = max(1, 8 * budget_bytes // (9 * cells[0] * cells[1]))
        self._kept: OrderedDict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def take(self, rows: Sequence[int] | np.ndarray, view: np.ndarray | None = None) -> MaskTarget:
        """Give the targets of captions `rows` (B,), each in its view (B,) int; None = the first.

        Shapes: returns values (B, h, w) float32 in steps of 1/255, valid (B, h, w) bool.
        Raises:
            InputError: a caption has no mask, or its mask cannot be read or does not fit its photo.
        """
        views = np.zeros(len(rows), dtype=np.int64) if view is None else view
        found = [self._one(int(row), int(shown)) for row, shown in zip(rows, views, strict=True)]
        values: Tensor = torch.from_numpy(np.stack([one[0] for one in found])).float() / 255
        return MaskTarget(values, torch.from_numpy(np.stack([one[1] for one in found])))

    def truth(self, row: int) -> np.ndarray:
        """Give a caption's mask at its photo's own size: (H, W) bool. Raises as `take`."""
        caption = self.collection.captions[row]
        if caption.mask is None:
            raise InputError(
                f"data {self.collection.name!r}: caption {caption.id!r} has no mask; every caption of a mask data set "
                "needs one"
            )
        source = self.collection.photos[caption.image].source
        return load_mask(caption.mask, source.shape[:2] if isinstance(source, np.ndarray) else None)

    def _one(self, row: int, view: int) -> tuple[np.ndarray, np.ndarray]:
        key = (row, view)
        if key not in self._kept:
            name, photo = self.views[view], self.collection.photos[self.collection.captions[row].image]
            # The seed by which `data.batch.load_pixels` crops this photo.
            seed = int(photo.digest[:8], 16) if name.startswith("crop") else 0
            target = mask_to_frame(self.truth(row), self.spec, view=name, cells=self.cells, seed=seed)
            shares = (target.values[0] * 255).round().byte().numpy()
            self._kept[key] = (shares, np.packbits(target.valid[0].numpy()))
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        shares, packed = self._kept[key]
        return shares, np.unpackbits(packed, count=shares.size).astype(bool).reshape(self.cells)
