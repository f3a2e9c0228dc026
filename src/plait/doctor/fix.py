"""Write cleaned captions and splits to another folder, never into the data; images are not copied."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.core.files import write_bytes, write_json
from plait.data.sources.images_folder import IMAGES_POINTER
from plait.doctor.check import Checkup
from plait.doctor.splits import held_out_rank
from plait.doctor.texts import plain_text

__all__ = ["clean_data"]


def clean_data(checkup: Checkup, out: Path) -> dict[str, Any]:
    """Write `captions.csv`, `splits.json`, `images_folder.txt` and `dropped.csv` into `out`; count what was dropped.

    Left out: images that are missing, damaged or copies within a split (the first is kept); of images, copies and
    near-copies that are in two splits, the one in the less important split (test, val, others, train: published test
    images stay as they are); empty captions; a caption that is repeated on one image; an image without captions.
    Kept: everything the doctor only notes, such as near-copies within a split or blank images. `images_folder.txt`
    holds the path of the original images, so `out` is a data set of its own.

    Returns: {"out", "images", "captions", "splits", "dropped": {reason: count}}.
    Raises:
        InputError: `out` is, holds or is in the data's folder or the images' folder; the data has no captions or is
            not in a folder; or nothing is left.
        StorageError: `out` cannot be written.
    """
    material = checkup.material
    if material.folder is None or material.images is None:
        raise InputError(f"{material.origin}: only data in folders and files can be cleaned, and this is neither")
    for place in (material.folder.resolve(), material.images.resolve()):
        if out.resolve() == place or place in out.resolve().parents or out.resolve() in place.parents:
            raise InputError(
                f"--fix {out}: is, holds or is in {place}, where the originals are; name a folder outside of it"
            )
    if (out / "captions.csv").exists() and not (out / "dropped.csv").exists():
        raise InputError(f"--fix {out}: holds a captions.csv that this command did not write; name another folder")
    captions = material.of("caption")
    if not captions:
        raise InputError(f"{material.origin}: --fix cleans captions and their splits; this data has no captions")
    gone = _images_gone(checkup)
    lost = {name: reason for name, (reason, _) in gone.items()}
    dropped = [(name, reason, detail) for name, (reason, detail) in gone.items()]
    home = _homes(checkup)
    rows: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for row in captions:
        text = " ".join(row.text.split())
        if row.image in lost:
            continue
        if not text:
            dropped.append((row.where, "caption_empty", row.image))
        elif (row.image, plain_text(text)) in seen:
            dropped.append((row.where, "caption_twice", f"{row.image}: {text}"))
        elif row.image not in home:
            dropped.append((row.where, "split_outside", row.image))
        else:
            seen.add((row.image, plain_text(text)))
            rows.append((row.image, text))
    kept = {image for image, _ in rows}
    splits = {
        split: [n for n in dict.fromkeys(names) if home.get(n) == split and n in kept]
        for split, names in checkup.splits.items()
    }
    idle = [name for name in home if name not in kept and name not in lost]
    dropped += [(name, "split_no_text", f"in {home[name]}, without a caption") for name in idle]
    if not rows:
        raise InputError(f"{material.origin}: nothing is left after cleaning; see the findings")
    _write_csv(out / "captions.csv", ("image", "caption"), rows)
    _write_csv(out / "dropped.csv", ("where", "reason", "detail"), dropped)
    write_json(out / "splits.json", splits)
    write_bytes(out / IMAGES_POINTER, os.fsencode(f"{material.images.resolve()}\n"))
    reasons: dict[str, int] = {}
    for _, reason, _ in dropped:
        reasons[reason] = reasons.get(reason, 0) + 1
    sizes = {split: len(names) for split, names in splits.items()}
    return {"out": str(out), "images": len(kept), "captions": len(rows), "splits": sizes, "dropped": reasons}


def _homes(checkup: Checkup) -> dict[str, str]:
    """Give each image one split: of several, the most important one."""
    home: dict[str, str] = {}
    for split in sorted(checkup.splits, key=held_out_rank):
        for name in checkup.splits[split]:
            home.setdefault(name, split)
    return home


def _images_gone(checkup: Checkup) -> dict[str, tuple[str, str]]:
    """Give the images to leave out: name -> (reason, detail)."""
    gone = {name: ("image_missing", reason) for _, name, reason in checkup.material.missing}
    gone |= {name: ("image_unreadable", seen.problem) for name, seen in checkup.photos.items() if seen.problem}
    home = _homes(checkup)
    place = {name: number for number, name in enumerate(checkup.photos)}

    def order(name: str) -> tuple[int, int]:
        return held_out_rank(home.get(name)), place[name]

    for group in checkup.duplicates.exact:
        keep, *others = sorted(group, key=order)
        for name in others:
            same = home.get(name) == home.get(keep)
            gone[name] = ("image_duplicate" if same else "split_leak_exact", f"the same file as {keep}, which is kept")
    for a, b, _ in checkup.duplicates.near:
        if a in gone or b in gone or home.get(a) == home.get(b):
            continue
        keep, other = sorted((a, b), key=order)
        gone[other] = ("split_leak_near", f"looks like {keep}, which is kept")
    return gone


def _write_csv(path: Path, header: tuple[str, ...], rows: list[Any]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogatepass"))
