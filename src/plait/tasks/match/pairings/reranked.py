"""Pairing "itm": two towers find candidates, a fused head re-ranks them. Published as image-text matching."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from plait.core.config import Recipe
from plait.core.types import Batch, Loss, Tokens
from plait.fusion.base.pairs import shared_rows
from plait.model import FusionModel, Side, raw_image, raw_text
from plait.objectives.match import Matching
from plait.task import Progress
from plait.tasks.match.pairings.base import Pairing
from plait.tasks.match.pairings.rerank import rerank_rows
from plait.tasks.match.pairings.towers import Towers
from plait.tasks.match.parts import make_matching, make_model, make_towers
from plait.tasks.match.score import FullScores, SplitScores, score_all, score_in_chunks, score_pairs

__all__ = ["Reranked"]


class Reranked(Pairing):
    """Score all pairs by towers; fuse given pairs and mined negatives in training, the best candidates in evaluation.

    Formula: the whole score of a pair is scale * towers(text, image) + head(fuse(text, image)), its log-odds.

    Arguments:
        rerank_k: how many of the towers' best candidates the fused head re-ranks in a split
    Source: Li et al. 2021 (ALBEF); see `plait.objectives.match` and `plait.tasks.match.pairings.rerank`.
    """

    reranks: ClassVar[bool] = True

    objective: Matching
    towers: Towers

    def __init__(self, model: FusionModel, objective: Matching, towers: Towers, *, rerank_k: int) -> None:
        super().__init__(model, objective, towers=towers)
        self.rerank_k = rerank_k

    @classmethod
    def build(cls, recipe: Recipe, text: Side, image: Side) -> Self:
        """Make the parts of a recipe; see `Pairing.build`."""
        model, towers = make_model(recipe, text, image), make_towers(recipe.fusion)
        return cls(model, make_matching(recipe), towers, rerank_k=recipe.fusion.rerank_k)

    def loss(self, batch: Batch) -> Loss:
        """Encode a batch and give its loss; see `Pairing.loss`.

        Where towers read the encoders' summaries alone, tokens are projected only for the pairs that the fused head
        scores: of 640 captions per batch that may be 60.
        """
        if not self.towers.reads_summaries:
            return super().loss(batch)
        model = self.model
        text, image = model.text.summarised(*raw_text(batch)), model.image.summarised(raw_image(batch))
        row = self._image_row(text, batch.image_row)

        def score(text_row: Tensor, image_row: Tensor) -> Tensor:
            used_text, text_row = shared_rows(text, text_row)
            used_image, image_row = shared_rows(image, row[image_row])
            words, regions = model.text.projected(used_text), model.image.projected(used_image)
            return score_pairs(
                model, model.pooled(words), model.pooled(regions), text_row=text_row, image_row=image_row
            )

        return self._loss(self.towers(text, image)[row], batch.target, score)

    def loss_of(self, text: Tokens, image: Tokens, group: Tensor, *, image_row: Tensor | None = None) -> Loss:
        """Give the contrast of the towers plus the matching term of the fused head; see `Pairing.loss_of`."""
        row = self._image_row(text, image_row)

        def score(text_row: Tensor, image_row: Tensor) -> Tensor:
            return score_pairs(self.model, text, image, text_row=text_row, image_row=row[image_row])

        return self._loss(self.towers(text, image)[row], group, score)

    @torch.no_grad()
    def split(
        self, text: Tokens, image: Tokens, *, own: Tensor | None = None, progress: Progress | None = None
    ) -> SplitScores:
        """Score all pairs by the towers and re-rank each query's best candidates; see `Pairing.split`."""
        first = self.scale * score_in_chunks(self._towers, text, image)

        def score(caption: Tensor, image_row: Tensor) -> Tensor:
            return score_pairs(self.model, text, image, text_row=caption, image_row=image_row, exact=True)

        images = rerank_rows(first.T, self.rerank_k, score)
        captions = rerank_rows(first, self.rerank_k, lambda image_row, caption: score(caption, image_row))
        return SplitScores(
            images.scores.T,
            captions.scores,
            f"log-odds, top {self.rerank_k} re-ranked",
            candidates={
                "towers": (first, first),
                "fused": (images.alone.T, captions.alone),
                "random": (images.random.T, captions.random),
            },
        )

    @torch.no_grad()
    def full(self, text: Tokens, image: Tokens) -> FullScores:
        """Score every image with every text by towers and fused head; see `Pairing.full`."""
        logits = score_all(self.model, text, image, exact=True)
        log_odds = self.scale * self._towers(text, image) + logits
        return FullScores(log_odds, log_odds, "log-odds")

    @torch.no_grad()
    def pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Score M aligned pairs by towers and fused head, (M,); see `Pairing.pairs`."""
        rows = self._image_row(text, None).split(1)
        cosines = torch.cat([self._towers(text.take(row), image.take(row)).flatten() for row in rows])
        return self.scale * cosines + self.fused_pairs(text, image)

    def _loss(self, towers: Tensor, group: Tensor, score: Callable[[Tensor, Tensor], Tensor]) -> Loss:
        """Give the loss of the towers' scores (N, N) and of the pairs that the objective lets `score` fuse."""
        loss: Loss = self.objective(towers, group, score)
        return loss

    def _towers(self, text: Tokens, image: Tokens) -> Tensor:
        scores: Tensor = self.towers(text, image, exact=True)
        return scores
