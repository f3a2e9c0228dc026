"""Decode every image and mask once, completely, and keep the facts by content for the next time."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from plait.core.errors import InputError, StorageError
from plait.core.files import write_bytes
from plait.data.fingerprints import content_hash, perceptual_hash, thumbnail
from plait.data.image_files import inspect_photo, load_stored
from plait.data.masks.load import load_mask
from plait.data.masks.source import MaskSource

__all__ = ["ImageFacts", "MaskFacts", "inspect_images", "inspect_masks"]

# Of the files in the cache; those of other versions are not read.
_VERSION = 3
_SAVE_S = 15.0
# A colour image whose channels differ by less than this many levels, everywhere on a thumbnail, is grey.
_GREY_LEVELS = 6

Progress = Callable[[int, int], None]
Source = Path | np.ndarray | MaskSource


@dataclass(frozen=True)
class ImageFacts:
    """Facts of one image.

    Fields:
        digest:        SHA-256 of its content, "" if it cannot be read
        problem:       why it cannot be decoded to its end, or ""
        width, height: px
        kind, mode:    file format and Pillow's mode; "array" for images in memory
        rotated:       its EXIF data asks for a rotation
        transparent:   part of it that is transparent, None without transparency
        grey:          it has no colour
        hash:          its 64-bit difference hash
        thumbnail:     base64 of its (16, 16, 3) uint8 thumbnail
    """

    digest: str
    problem: str = ""
    width: int = 0
    height: int = 0
    kind: str = ""
    mode: str = ""
    rotated: bool = False
    transparent: float | None = None
    grey: bool = False
    hash: int = 0
    thumbnail: str = ""

    @property
    def pixels(self) -> np.ndarray:
        """Give the thumbnail, (16, 16, 3) uint8."""
        return np.frombuffer(base64.b64decode(self.thumbnail), dtype=np.uint8).reshape(16, 16, 3)


@dataclass(frozen=True)
class MaskFacts:
    """Facts of one mask.

    Fields:
        digest, problem, width, height, transparent: as `ImageFacts`
        marked:  part of the pixels that are meant by its polarity; where that is unclear, of those that are not black
        unclear: why it cannot be read without guessing, or ""
        levels:  number of grey levels that occur
    """

    digest: str
    problem: str = ""
    width: int = 0
    height: int = 0
    marked: float = 0.0
    unclear: str = ""
    levels: int = 0
    transparent: float | None = None


def inspect_images(
    images: Mapping[str, Path | np.ndarray], *, root: Path | None = None, progress: Progress | None = None
) -> dict[str, ImageFacts]:
    """Give the facts of every image; a damaged one has a `problem`.

    Arguments:
        images:   image name -> file or (H, W, 3) uint8 array
        root:     folder of the caches; facts are kept there, also those of an inspection that was stopped half way
        progress: called with (images done, images in total)
    """
    found = _inspect(images, _image_facts, "photos", root, progress)
    return {name: ImageFacts(**values) for name, values in found.items()}  # type: ignore[arg-type]


def inspect_masks(
    masks: Mapping[str, MaskSource], *, root: Path | None = None, progress: Progress | None = None
) -> dict[str, MaskFacts]:
    """Give the facts of every mask; arguments as `inspect_images`."""
    found = _inspect(masks, _mask_facts, "masks", root, progress)
    return {name: MaskFacts(**values) for name, values in found.items()}  # type: ignore[arg-type]


def _image_facts(source: Source, digest: str) -> dict[str, object]:
    if isinstance(source, MaskSource):
        raise InputError(f"image: expected a file or an array, got the mask {source.name}")
    try:
        if isinstance(source, Path):
            seen = inspect_photo(source)
            rgb, extra = (
                seen.rgb,
                {"kind": seen.kind, "mode": seen.mode, "rotated": seen.rotated, "transparent": seen.transparent},
            )
            width, height = seen.width, seen.height
        else:
            rgb, extra, height, width = source, {"kind": "array", "mode": "RGB"}, source.shape[0], source.shape[1]
        pixels = thumbnail(rgb)
        spread = pixels.max(axis=2).astype(int) - pixels.min(axis=2)
        return asdict(
            ImageFacts(
                digest,
                width=width,
                height=height,
                grey=bool(spread.max() < _GREY_LEVELS),
                hash=perceptual_hash(rgb),
                thumbnail=base64.b64encode(pixels.tobytes()).decode(),
                **extra,  # type: ignore[arg-type]
            )
        )
    except InputError as error:
        return asdict(ImageFacts(digest, problem=_without_path(error, source)))


def _mask_facts(source: Source, digest: str) -> dict[str, object]:
    if not isinstance(source, MaskSource):
        raise InputError(f"mask: expected a MaskSource, got {type(source).__name__}")
    levels, transparent, unclear = 2, None, ""
    try:
        if isinstance(source.content, Path):
            stored = load_stored(source.content)
            transparent = None if stored.opacity is None else float((stored.opacity < 128).mean())
            levels = len(np.unique(stored.numbers))
        try:
            mask = load_mask(source)
        except InputError as error:
            if not isinstance(source.content, Path):
                raise
            mask = np.asarray(stored.numbers.reshape(*stored.numbers.shape[:2], -1).any(axis=2))
            unclear = str(error)
    except InputError as error:
        return asdict(MaskFacts(digest, problem=_without_path(error, source)))
    return asdict(
        MaskFacts(
            digest,
            width=mask.shape[1],
            height=mask.shape[0],
            marked=float(mask.mean()),
            unclear=unclear.removeprefix(f"mask {source.name}: "),
            levels=levels,
            transparent=transparent,
        )
    )


def _inspect(
    sources: Mapping[str, Source],
    facts_of: Callable[[Source, str], dict[str, object]],
    what: str,
    root: Path | None,
    progress: Progress | None,
) -> dict[str, dict[str, object]]:
    file = None if root is None else root / "doctor" / f"{what}-{_key(sources)}.json"
    known = _load(file)

    def one(source: Source) -> dict[str, object]:
        try:
            digest = source.digest if isinstance(source, MaskSource) else content_hash(source)
        except InputError as error:
            return {"digest": "", "problem": _without_path(error, source)}
        return known.get(digest) or facts_of(source, digest)

    found: dict[str, dict[str, object]] = {}
    new, saved_at = False, time.monotonic()
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for name, facts in zip(sources, pool.map(one, sources.values()), strict=True):
            found[name] = facts
            new = new or (bool(facts["digest"]) and facts["digest"] not in known)
            if new and time.monotonic() - saved_at > _SAVE_S:
                _save(file, known, found.values())
                saved_at = time.monotonic()
            if progress and (len(found) % 50 == 0 or len(found) == len(sources)):
                progress(len(found), len(sources))
    finally:  # also when the user stops it: the next inspection continues from here
        pool.shutdown(wait=True, cancel_futures=True)
        if new:
            _save(file, known, found.values())
    return found


def _key(sources: Mapping[str, Source]) -> str:
    """Name the cache file of a data set by the folder of its first image; in it, facts are found by content."""
    first: object = next(iter(sources.values()), "")
    first = first.content if isinstance(first, MaskSource) else first
    where = str(first.resolve().parent) if isinstance(first, Path) else "memory"
    return hashlib.sha256(where.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _load(file: Path | None) -> dict[str, dict[str, object]]:
    if file is None:
        return {}
    try:
        data = json.loads(file.read_bytes())
        return dict(data["facts"]) if data["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _save(file: Path | None, known: dict[str, dict[str, object]], found: Iterable[dict[str, object]]) -> None:
    if file is None:
        return
    known |= {str(facts["digest"]): facts for facts in found if facts["digest"]}
    try:
        write_bytes(file, json.dumps({"version": _VERSION, "facts": known}).encode())
    except StorageError:  # a cache that cannot be written only costs time at the next inspection
        return


def _without_path(error: InputError, source: Source) -> str:
    if isinstance(source, MaskSource):
        return str(error).removeprefix(f"mask {source.name}: ").removeprefix(f"image {source.content}: ")
    return str(error).removeprefix(f"image {source}: ")
