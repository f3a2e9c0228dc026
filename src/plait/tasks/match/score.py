"""Scoring a whole split: every image with every caption, by the pairing the model was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.model import FusionModel
from plait.nn.pairs import cosine_similarities
from plait.tasks.match.rerank import rerank_rows

__all__ = ["Scorer", "SplitScores"]

CAPTIONS_A_CHUNK = 200
IMAGES_A_CHUNK = 250


@dataclass(frozen=True)
class SplitScores:
    """Scores of a split, one matrix a direction of search.

    Fields:
        text_to_image: (I, C) float, to rank images (rows) for each caption (column)
        image_to_text: (I, C) float, to rank captions for each image. The same matrix as `text_to_image` unless the
                       pairing re-ranks each direction's own candidates.
        kind:          what the numbers are: "cosine", "logit", "log-odds, top k re-ranked" or "cosine of matched pairs"
        candidates:    with pairing "itm", by "fused" both matrices with each query's candidates in the order of the
                       fused head's logit alone, and by "luck" with all candidates level; else empty
        flags:         ("leaky",) where pairs were fused before they were scored, so that the scores know the answer
    """

    text_to_image: Tensor
    image_to_text: Tensor
    kind: str
    candidates: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


class Scorer:
    """Scores images with captions as the model's pairing asks.

    Args:
        model:     in eval mode
        objective: its learned scale turns the towers' cosine into log-odds
        rerank_k:  with pairing "itm": how many candidates the fusion re-ranks; ignored otherwise
    """

    def __init__(self, model: FusionModel, objective: nn.Module, *, rerank_k: int) -> None:
        self.model = model
        self.objective = objective
        self.rerank_k = rerank_k

    @torch.no_grad()
    def split(
        self,
        text: Tokens,
        image: Tokens,
        *,
        own: Tensor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> SplitScores:
        """Score every image with every caption.

        With pairing "matched" every caption is fused with its own photo, which gives a (C, C) matrix over captions: row
        r is the photo of caption r after it met caption r. Metrics want one row a photo, so each photo is taken as it
        came out of meeting its first caption. Every such score knows the answer: the result is flagged "leaky".

        Shapes: text Tokens (C, T, D), image Tokens (I, P, D), both of the common width; own (C,) int64, the row of each
        caption's photo, needed with pairing "matched" only; see `SplitScores`.
        Raises:
            ConfigError: pairing "matched" without `own`.
        """
        if self.model.pairing == "matched":
            return self._matched(text, image, own, progress)
        if self.model.towers is None:
            scores = self._all(text, image, self.model.score_all, progress)
            return SplitScores(scores, scores, "cosine" if self.model.has_algebra else "logit")
        first = self.scale() * self._all(text, image, self.model.towers, None)

        def pairs(text_index: Tensor, image_index: Tensor) -> Tensor:
            return self.model.score_pairs(text, image, text_index, image_index)

        images = rerank_rows(first.T, self.rerank_k, lambda caption, photo: pairs(caption, photo))
        captions = rerank_rows(first, self.rerank_k, lambda photo, caption: pairs(caption, photo))
        return SplitScores(
            images.scores.T,
            captions.scores,
            f"log-odds, top {self.rerank_k} re-ranked",
            candidates={"fused": (images.alone.T, captions.alone), "luck": (images.luck.T, captions.luck)},
        )

    @torch.no_grad()
    def pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned pairs with the model's full score: (M,) for M texts with M images.

        With pairing "matched" that is the cosine of each fused pair's two sides: the diagonal of its matrix.
        """
        index = torch.arange(len(text))
        score = self.model.score_pairs(text, image, index, index)
        if self.model.towers is None:
            return score
        towers = self.model.towers
        cosine = [towers(text.take(i), image.take(i)).flatten() for i in index.split(1)]
        return self.scale() * torch.cat(cosine) + score

    @torch.no_grad()
    def matrix(self, text: Tokens, image: Tokens) -> tuple[Tensor, str]:
        """Score every image with every text by the full score, no candidates cut: (I, C), and what the numbers are.

        Raises:
            ConfigError: pairing "matched": it must be told which belong together before it scores them.
        """
        if self.model.towers is None:
            found = self.split(text, image)
            return found.text_to_image, found.kind
        dear = self.model.score_all(text, image)
        return self.scale() * self.model.towers(text, image) + dear, "log-odds"

    def scale(self) -> Tensor:
        """Give the learned scale that turns a cosine into log-odds."""
        contrast = self.objective if self.model.towers is None else self.objective.contrast
        return contrast.scale.detach()  # type: ignore[union-attr,operator]

    def _matched(
        self, text: Tokens, image: Tokens, own: Tensor | None, progress: Callable[[int, int], None] | None
    ) -> SplitScores:
        if own is None:
            raise ConfigError(
                "this model was trained with pairing 'matched', which fuses each photo with its own caption before it "
                "compares them: without knowing which belong together it scores nothing. It can be evaluated on a "
                "split, where its numbers are leaky; to match photos, train with pairing 'itm' or 'all'"
            )
        texts, images = [], []
        for rows in torch.arange(len(text)).split(CAPTIONS_A_CHUNK):
            sides = self.model.matched_sides(_shortened(text.take(rows)), image.take(own[rows]))
            texts.append(sides[0])
            images.append(sides[1])
            if progress is not None:
                progress(int(rows[-1]) + 1, len(text))
        first = torch.full((len(image),), len(text), dtype=torch.int64)
        first.scatter_reduce_(0, own, torch.arange(len(text)), "amin")
        seen = first < len(text)
        scores = text.values.new_zeros(len(image), len(text))  # a photo without captions met none: it scores 0
        scores[seen] = cosine_similarities(torch.cat(texts), torch.cat(images)[first[seen]]).to(scores.dtype)
        return SplitScores(scores, scores, "cosine of matched pairs", flags=("leaky",))

    def _all(
        self,
        text: Tokens,
        image: Tokens,
        score: Callable[[Tokens, Tokens], Tensor],
        progress: Callable[[int, int], None] | None,
    ) -> Tensor:
        """Score in chunks of captions of like length, so that short ones do not pay for long ones' padding."""
        by_length = text.valid.sum(1).argsort()
        out = text.values.new_empty(len(image), len(text))
        for done, columns in enumerate(by_length.split(CAPTIONS_A_CHUNK)):
            chunk = _shortened(text.take(columns))
            for rows in torch.arange(len(image)).split(IMAGES_A_CHUNK):
                out[rows[:, None], columns] = score(chunk, image.take(rows)).to(out.dtype)
            if progress is not None:
                progress(min((done + 1) * CAPTIONS_A_CHUNK, len(text)), len(text))
        return out


def _shortened(tokens: Tokens) -> Tokens:
    longest = max(1, int((tokens.valid * torch.arange(1, tokens.valid.shape[1] + 1)).max()))
    return replace(tokens, values=tokens.values[:, :longest], valid=tokens.valid[:, :longest])
