"""What a captioner answers: captions with their probabilities and what was attended to for each word."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait.core.errors import StorageError
from plait.core.os_errors import os_sentence
from plait.core.show import html_table

__all__ = ["CaptionResult", "CaptionRow", "write_csv"]


@dataclass(frozen=True, eq=False)
class CaptionResult:
    """Captions of images, in the order given.

    Fields:
        captions:  one per image
        log_probs: (N,) float, natural logarithm of each caption's probability given its image
        words:     the words of each caption
        maps:      for each image (words, h, w) float32, what was attended to for each word, rows sum to 1; None where
                   the decoder does not attend or the image has no grid
        images:    names
    """

    captions: tuple[str, ...]
    log_probs: np.ndarray
    words: tuple[tuple[str, ...], ...]
    maps: tuple[np.ndarray | None, ...]
    images: tuple[str, ...]

    def __repr__(self) -> str:
        """Say in one line what was written."""
        first = f"{self.captions[0]!r}" if self.captions else "none"
        more = f" and {len(self.captions) - 1} more" if len(self.captions) > 1 else ""
        return f"CaptionResult({first}{more})"

    def _repr_html_(self) -> str:
        rows = [[i, c, f"{p:.2f}"] for i, c, p in zip(self.images, self.captions, self.log_probs, strict=True)]
        return html_table("captions", rows, header=["image", "caption", "log-probability"])


@dataclass(frozen=True)
class CaptionRow:
    """One photo of many: its caption, or why it has none.

    Fields:
        photo:    name
        caption:  "" where it could not be read
        log_prob: natural logarithm of the caption's probability, or None
        reason:   why there is no caption; "" where there is one
    """

    photo: str
    caption: str = ""
    log_prob: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"photo": self.photo, "caption": self.caption, "log_prob": self.log_prob, "reason": self.reason}


def write_csv(rows: Sequence[CaptionRow], path: Path) -> Path:
    """Write one row per photo: photo, caption, log_prob, reason.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["photo", "caption", "log_prob", "reason"], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                log_prob = "" if row.log_prob is None else f"{row.log_prob:.4f}"
                writer.writerow({**row.to_json(), "log_prob": log_prob})
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {os_sentence(error, 'write')}") from None
    return path
