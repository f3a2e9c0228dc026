"""Pairing "rerank": towers are trained first and kept as they are; then a fused head learns to re-rank for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from torch import Tensor

from plait.core.config import Recipe
from plait.core.errors import ConfigError
from plait.core.types import Loss
from plait.model import Side
from plait.tasks.match.pairings.reranked import Reranked
from plait.tasks.match.parts import make_matching, make_model, make_towers, with_summaries

__all__ = ["TwoStage"]


class TwoStage(Reranked):
    """Train towers, then a fused head on the negatives that these towers score high.

    Formula and evaluation are those of `Reranked`. Encoders, the projections of their summaries and the towers come
    from a run of the towers alone (`first_stage`) and are not trained here. So their tokens are cached, a fused head
    costs its own steps only, and all heads of a comparison re-rank the same candidates: the difference between two of
    them, and between a head and its own towers, is paired.

    Source: Li et al. 2021 (ALBEF). Differs: ALBEF trains both stages together and lets the head read the towers'
    encoders while they change.
    """

    @classmethod
    def build(cls, recipe: Recipe, text: Side, image: Side) -> Self:
        """Make the parts of a recipe; see `Pairing.build`. What the first stage trains takes no gradient.

        Raises:
            ConfigError: towers that read tokens; the fused head trains the projection of tokens.
        """
        for side in (text, image):
            side.fix_encoder()
        model, towers = make_model(recipe, text, image), make_towers(with_summaries(recipe.fusion))
        objective = make_matching(recipe)
        if not towers.reads_summaries:
            raise ConfigError(
                'pairing "rerank": expected towers that read the encoders\' summaries alone, got '
                f'fusion.towers = {recipe.fusion.towers}; give towers = {{ pool = "encoder", ... }}, or pairing '
                '"itm", which trains towers and head together'
            )
        towers.fix()
        objective.contrast.requires_grad_(False)
        return cls(model, objective, towers, rerank_k=recipe.fusion.rerank_k)

    def _loss(self, towers: Tensor, group: Tensor, score: Callable[[Tensor, Tensor], Tensor]) -> Loss:
        return self.objective.matching(towers, group, score)
