"""What is audited without data: a recipe's fusion with random weights and without encoders, and noise for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from plait.audit.noise import noise_tokens
from plait.audit.random_state import random_state_kept
from plait.build import bare_sides
from plait.core.config import Recipe
from plait.core.errors import PlaitError
from plait.core.types import Fused, Tokens
from plait.tasks.match.learner import MatchLearner, assemble
from plait.tasks.match.score import fused_sides

__all__ = ["Subject", "attended", "audited_parameters", "outputs_of", "subject_of"]

# Whether a protocol leaks does not depend on the width; a narrow model takes a tenth of the time.
WIDTH = 64


@dataclass(frozen=True)
class Subject:
    """A recipe's fusion, head, towers and objective; every seed gives another set of random weights and other noise.

    Fields:
        recipe: at the width it is audited with
    """

    recipe: Recipe

    def learner(self, seed: int) -> MatchLearner:
        """Make it with the random weights of a seed, in eval mode. Draws from PyTorch's CPU generator."""
        torch.random.default_generator.manual_seed(seed)
        learner = assemble(self.recipe, *bare_sides(self._width, pooled_width=self._pooled_width))
        learner.eval()
        return learner

    def noise(self, learner: MatchLearner, rows: int, seed: int) -> tuple[Tokens, Tokens]:
        """Give independent noise for both sides, as the fusion takes it: text (rows, T, D), image (rows, P, D).

        Pooled models get one token per side.
        """
        text, image = noise_tokens(rows, self._width, pooled_width=self._pooled_width, seed=seed)
        return learner.model.encode_text(text), learner.model.encode_image(image)

    @property
    def _width(self) -> int:
        return self.recipe.fusion.width

    @property
    def _pooled_width(self) -> int:
        own = {**self.recipe.fusion.towers, **self.recipe.fusion.options}.get("pooled_width", 0)
        return int(own) or self._width


def subject_of(recipe: Recipe) -> Subject:
    """Take a recipe's fusion for an audit: narrow, if its options allow that, else at its own width.

    Raises:
        ConfigError: it cannot be built at all.
    """
    fusion = recipe.fusion
    narrow = Subject(replace(recipe, fusion=replace(fusion, width=min(WIDTH, fusion.width))))
    with random_state_kept():
        try:
            narrow.learner(0)
        except PlaitError:
            wide = Subject(recipe)
            wide.learner(0)
            return wide
    return narrow


def outputs_of(learner: MatchLearner, text: Tokens, image: Tokens) -> dict[str, torch.Tensor]:
    """Give what audits follow: each side's mean token after fusion (N, D), and the fused head's score of the pair (N,).

    Shapes: aligned text Tokens (N, T, D) and image Tokens (N, P, D).
    """
    text_out, image_out = fused_sides(learner.model, text, image, exact=True)
    return {"image_out": image_out, "text_out": text_out, "score": learner.pairing.fused_pairs(text, image)}


def attended(learner: MatchLearner, text: Tokens, image: Tokens) -> Fused:
    """Fuse aligned text Tokens (N, T, D) and image Tokens (N, P, D), attention maps included."""
    return learner.model.fuse(text, image, maps=True)


def audited_parameters(learner: MatchLearner) -> list[tuple[str, nn.Parameter]]:
    """Name the parameters of fusion, head, towers and objective: "fusion.project.weight"."""
    parts = {
        "fusion": learner.model.fusion,
        "head": learner.model.head,
        "towers": learner.towers,
        "objective": learner.objective,
    }
    return [
        (f"{prefix}.{name}", parameter)
        for prefix, part in parts.items()
        if part is not None
        for name, parameter in part.named_parameters()
    ]
