"""A finished explanation: maps, words, faithfulness; as arrays, a picture and a page."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.core.errors import ConfigError
from plait.core.files import write_bytes, write_json
from plait.core.tables import load_entry, look_up
from plait.explain.faithfulness import Faithfulness, faithfulness
from plait.explain.methods import METHODS
from plait.explain.methods.relevance import Relevance
from plait.explain.overlay import overlay, save_png
from plait.explain.page import explanation_page
from plait.explain.subject import Subject

__all__ = ["Explanation", "explain_subject", "write_explanation"]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What an answer depends on, by one method.

    Fields:
        photo:   the image's name
        text:    what was asked about it
        method:  a name in METHODS
        what:    the number that is explained, in words
        value:   that number
        grid:    (h, w) of the image's cells: the resolution of every map
        words:   W words
        image:   (h, w) float64, the relevance of each cell for the whole text; below 0 = it speaks against the answer
        maps:    (W, h, w) float64, for what each word adds to the answer
        worth:   (W,) float64, by how much the answer falls without the word
        signed:  whether relevance below 0 can occur
        faithful: how faithful `image` is, or None where it was not measured
        box:     edges of the grid in shares of the photo: x0, y0, x1, y1; see `grid_box`
        files:   what was written, kind -> path
    """

    photo: str
    text: str
    method: str
    what: str
    value: float
    grid: tuple[int, int]
    words: tuple[str, ...]
    image: np.ndarray
    maps: np.ndarray
    worth: np.ndarray
    signed: bool
    faithful: Faithfulness | None
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    files: dict[str, str] | None = None

    def __repr__(self) -> str:
        """Say in one line what was explained and how far it can be trusted."""
        said = "" if self.faithful is None else f"; {self.faithful.sentences()[0]}"
        return f"Explanation({self.photo!r}, {self.text!r}, {self.method}: {self.what} {self.value:.3f}{said})"

    def to_json(self) -> dict[str, Any]:
        """Give plain data; the maps as nested lists."""
        return {
            "photo": self.photo,
            "text": self.text,
            "method": self.method,
            "what": self.what,
            "value": self.value,
            "grid": list(self.grid),
            "words": list(self.words),
            "image": self.image.tolist(),
            "maps": self.maps.tolist(),
            "worth": self.worth.tolist(),
            "signed": self.signed,
            "box": list(self.box),
            "faithful": None if self.faithful is None else self.faithful.to_json(),
            "files": dict(self.files or {}),
        }


def explain_subject(
    subject: Subject, *, method: str, photo: str, text: str, measure: bool = True, seed: int = 0
) -> Explanation:
    """Explain an answer by a method of METHODS and, with `measure`, say how faithful the map is.

    Raises:
        ConfigError: no such method, or one that needs attention which the fusion does not give.
    """
    how = load_entry(look_up("method", METHODS, method))
    found: Relevance = how(subject)
    plain = replace(subject.text, pooled=None)
    value = float(subject.values(plain, replace(subject.image, pooled=None))[0])
    worth = np.zeros(0)
    if subject.words:
        worth = (
            value - subject.values(subject.without_words(), replace(subject.image, pooled=None)).double().cpu().numpy()
        )
    if not np.isfinite(found.image).all() or not np.isfinite(found.words).all():
        raise ConfigError(f"method {method!r} gave values that are not finite for this model; use another method")
    height, width = subject.grid
    return Explanation(
        photo=photo,
        text=text,
        method=method,
        what=subject.what,
        value=value,
        grid=subject.grid,
        words=subject.words,
        image=found.image.reshape(height, width),
        maps=found.words.reshape(-1, height, width),
        worth=worth,
        signed=found.signed,
        faithful=faithfulness(subject, found, method=how, seed=seed) if measure else None,
    )


def write_explanation(found: Explanation, rgb: np.ndarray, folder: Path) -> Explanation:
    """Write explanation.npz, explanation.json, overlay.png and explanation.html, and give the explanation with paths.

    Shapes: rgb (H, W, 3) uint8, the photo.
    Raises:
        StorageError: a file cannot be written.
    """
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays, image=found.image, maps=found.maps, worth=found.worth, words=np.array(found.words, dtype=str)
    )
    files = {
        "arrays": folder / "explanation.npz",
        "data": folder / "explanation.json",
        "overlay": folder / "overlay.png",
        "page": folder / "explanation.html",
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(files["arrays"], arrays.getvalue())
    save_png(overlay(rgb, np.clip(found.image, 0, None), box=found.box), files["overlay"])
    named = replace(found, files={kind: str(path) for kind, path in files.items()})
    write_bytes(files["page"], explanation_page(named.to_json(), rgb).encode("utf-8"))
    write_json(files["data"], named.to_json())
    return named
