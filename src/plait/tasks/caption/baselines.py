"""Captions that were not written by the model: the most common one, and those of the nearest training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from plait.tasks.caption.targets import most_common

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["Baselines", "nearest_rows"]

_AT_ONCE = 1024


@dataclass(frozen=True)
class Baselines:
    """One text per image, for each baseline that can be had.

    Fields:
        texts:   kind -> a text for each image
        details: what a later evaluation on another split needs: the most common training caption
    """

    texts: dict[str, list[str]]
    details: dict[str, Any]

    @classmethod
    def of(cls, feed: Feed, images: Sequence[int], *, known: Mapping[str, Any] | None = None) -> Baselines:
        """Make those of a split's images. Where the feed has no train split, what is `known` of it is used."""
        texts: dict[str, list[str]] = {}
        train = [int(row) for row in feed.collection.captions_of("train")] if "train" in feed.collection.splits else []
        common = str((known or {}).get("most_common_caption", ""))
        if train and not common:
            common = most_common([feed.collection.captions[row].text for row in train])
        if common:
            texts["most_common"] = [common] * len(images)
        if train:
            texts["nearest"] = _nearest(feed, images, train)
        return cls(texts, {"most_common_caption": common})


def _nearest(feed: Feed, images: Sequence[int], train: Sequence[int]) -> list[str]:
    first: dict[int, str] = {}  # the first caption of each training image
    for row in train:
        caption = feed.collection.captions[row]
        first.setdefault(caption.image, caption.text)
    places = np.array(list(first), dtype=np.int64)
    found = nearest_rows(feed.image_summaries(images), feed.image_summaries(places), same=np.array(images), than=places)
    return [first[int(places[row])] for row in found]


def nearest_rows(
    queries: torch.Tensor, keys: torch.Tensor, *, same: np.ndarray | None = None, than: np.ndarray | None = None
) -> np.ndarray:
    """Give the row of the key with the highest cosine for each query, leaving out a query's own image.

    Arguments:
        same, than: (Q,) and (K,) numbers of the images that the rows belong to; None = they are all different
    Shapes: queries (Q, D) and keys (K, D) float; returns (Q,) int64.
    """
    queries, keys = (torch.nn.functional.normalize(one.float(), dim=1) for one in (queries, keys))
    found = []
    for start in range(0, len(queries), _AT_ONCE):
        cosine = queries[start : start + _AT_ONCE] @ keys.T
        if same is not None and than is not None and len(keys) > 1:
            own = torch.as_tensor(same[start : start + _AT_ONCE, None] == than, device=cosine.device)
            cosine = cosine.masked_fill(own, -torch.inf)
        found.append(cosine.argmax(1).cpu().numpy())
    rows: np.ndarray = np.concatenate(found)
    return rows
