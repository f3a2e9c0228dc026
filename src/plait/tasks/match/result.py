"""What matching answers: scores of images with texts, the ranking for a text, and how both look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.errors import InputError
from plait.core.show import data_frame, html_table, shortened

__all__ = ["MatchResult", "Ranked"]


@dataclass(frozen=True)
class Ranked:
    """One image in the ranking for a text.

    Fields:
        image: its name: the path, or "array 2" for the third one given
        index: its place among the images given
        score: how well it fits; see `MatchResult.score_kind`
    """

    image: str
    index: int
    score: float


@dataclass(frozen=True, eq=False, repr=False)
class MatchResult:
    """How well each image and each text fit. Rows and columns stand in the order given; `ranked` sorts.

    What to show: with one text, the score, which is comparable between images (a cosine from -1 to 1, or log-odds of
    fitting above 0, as `score_kind` says). With several texts, also `prob_text`. A probability over one text is 1 for
    every image, and says nothing; the same holds for `prob_image` and one image.

    Fields:
        scores:     (I, C) float32, higher = better; comparable within one model only
        prob_text:  (I, C) in [0, 1], each image's probability over the texts given: rows sum to 1
        prob_image: (I, C) in [0, 1], each text's probability over the images given: columns sum to 1
        score_kind: what `scores` are: "cosine", "logit" or "log-odds"
        images:     names of the images, (I)
        texts:      the texts, (C)
    """

    scores: np.ndarray
    prob_text: np.ndarray
    prob_image: np.ndarray
    score_kind: str
    images: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def ranked(self, text: int | str = 0) -> list[Ranked]:
        """Give the images from best to worst for one of the texts, by its place (0, 1, ...) or itself.

        Raises:
            InputError: there is no such text.
        """
        column = self._column(text)
        order = np.argsort(-self.scores[:, column], kind="stable")
        return [Ranked(self._names[i], int(i), float(self.scores[i, column])) for i in order]

    def to_frame(self) -> Any:
        """Give a pandas DataFrame with one row per image and text, the best images of each text first.

        Columns: text, image, score and, with several texts, probability (of the text, over the texts given).

        Raises:
            MissingPackageError: pandas is not installed.
        """
        rows = [(c, one) for c in range(self.scores.shape[1]) for one in self.ranked(c)]
        columns: dict[str, list[Any]] = {
            "text": [self.texts[c] if self.texts else c for c, _ in rows],
            "image": [one.image for _, one in rows],
            "score": [one.score for _, one in rows],
        }
        if self.scores.shape[1] > 1:
            columns["probability"] = [float(self.prob_text[one.index, c]) for c, one in rows]
        return data_frame(columns)

    def __repr__(self) -> str:
        """Say in one line what was matched, and the best answer."""
        images, texts = self.scores.shape
        best = self.ranked()[0]
        text = repr(shortened(self.texts[0], 40)) if self.texts else "text 0"
        return (
            f"MatchResult({images:,} images x {texts:,} texts, score: {self.score_kind}; best for {text}: "
            f"{shortened(best.image, 60)} at {best.score:.3f})"
        )

    def _repr_html_(self) -> str:
        images, texts = self.scores.shape
        if texts == 1:
            rows: list[list[Any]] = [[one.image, one.score] for one in self.ranked()]
            return html_table(
                f"{self.texts[0] if self.texts else 'text 0'}: {images:,} images, best first",
                rows,
                header=["image", f"score ({self.score_kind})"],
            )
        rows = []
        for i, name in enumerate(self._names):
            best = int(self.scores[i].argmax())
            said = self.texts[best] if self.texts else f"text {best}"
            rows.append([name, said, float(self.scores[i, best]), f"{100 * self.prob_text[i, best]:.1f} %"])
        header = ["image", "best text", f"score ({self.score_kind})", "probability over the texts"]
        return html_table(f"{images:,} images with {texts:,} texts", rows, header=header)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.images or tuple(f"image {i}" for i in range(len(self.scores)))

    def _column(self, text: int | str) -> int:
        known = f"expected one of {len(self.texts)} texts, by its place or itself"
        if isinstance(text, str):
            if text not in self.texts:
                raise InputError(f"{known}, got {shortened(text)!r}")
            return self.texts.index(text)
        if not 0 <= text < self.scores.shape[1]:
            raise InputError(f"{known}, got {text!r}")
        return int(text)
