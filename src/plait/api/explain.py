"""The verbs that explain: one answer, and how faithful a method's maps are over a split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from plait.api.data import open_data, verify
from plait.api.progress import listening
from plait.api.use import DEFAULT_MODEL, load
from plait.core.errors import ConfigError
from plait.core.recipe.ranges import Range, checked_number
from plait.data.collection import Collection
from plait.data.masks.load import load_mask, mask_to_frame
from plait.explain.explanation import Explanation
from plait.explain.study import Case, study
from plait.train.events import Event, Listener
from plait.trained import ImageInput, Model, Run

__all__ = ["explain", "faithfulness"]


def explain(
    image: ImageInput,
    text: str,
    *,
    run: str | Path | Run = DEFAULT_MODEL,
    method: str = "occlusion",
    measure: bool = True,
    out: str | Path | None = None,
) -> Explanation:
    """Say which cells of an image, and which words, a run's answer depends on, and how far that can be trusted.

    The same as `plait.load(run).explain(...)`; see there.
    """
    return load(run).explain(image, text, method=method, measure=measure, out=out)


def faithfulness(
    run: str | Path | Run,
    data: str | Path | Collection,
    *,
    split: str = "val",
    method: str = "occlusion",
    images: int = 50,
    seed: int = 0,
    listener: Listener | None = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Measure how faithful a method's maps are, over images of a split: gains against random orders, pointing game.

    Every image is explained with its first caption; where captions have masks, the pointing game is played as well.

    Arguments:
        images: so many of the split, drawn by the seed
    Returns: see `plait.explain.study.study`.
    Raises:
        ConfigError: no such split or method, or a run that cannot be explained.
        InputError: fewer than two images with captions.
    """
    wanted = checked_number(images, "images", Range(2, 1_000_000))
    model = load(run)
    with listening(listener, progress) as listen:
        collection = verify(open_data(data), listener=listen)
    if split not in collection.splits:
        raise ConfigError(f"data {collection.name!r} has no split {split!r}; it has: {', '.join(collection.splits)}")
    first: dict[int, int] = {}
    for row in collection.captions_of(split):
        first.setdefault(collection.captions[row].image, row)
    rows = np.array(sorted(first.values()), dtype=np.int64)
    drawn = [int(row) for row in np.sort(np.random.default_rng(seed).permutation(rows)[:wanted])]
    with listening(listener, progress) as listen:
        found = study(
            _cases(model, collection, drawn),
            method=method,
            seed=seed,
            progress=lambda done: listen(Event("step", f"explaining {split}", done, len(drawn))),
        )
    return {"run": str(model.run.folder), "split": split, **found}


def _cases(model: Model, collection: Collection, rows: list[int]) -> Iterator[Case]:
    spec = model.run.learner.model.image.image_spec
    for row in rows:
        caption = collection.captions[row]
        source = collection.photos[caption.image].source
        subject = model.subject(source, caption.text)
        region = None
        if caption.mask is not None:
            mask = load_mask(caption.mask, source.shape[:2] if isinstance(source, np.ndarray) else None)
            region = mask_to_frame(mask, spec, cells=subject.grid).values[0].cpu().numpy()
        yield Case(subject, region)
