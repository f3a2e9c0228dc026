"""What is audited without data: a fusion with random weights, and noise in place of photos and captions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from plait.build import Built, build_bare
from plait.core.config import FusionSettings, ObjectiveSettings
from plait.core.errors import PlaitError
from plait.core.types import Tokens
from plait.model import FusionModel

__all__ = ["Subject", "score_matrix", "subject_of"]

# Whether a protocol leaks does not depend on the width; a narrow model is asked in a tenth of the time.
WIDTH = 64
WORDS, GRID = 5, (2, 3)


@dataclass(frozen=True)
class Subject:
    """A fusion by its settings; every seed gives another set of random weights and other noise.

    Fields:
        fusion:    its settings, at the width it is audited with
        objective: what its scores would be judged by
    """

    fusion: FusionSettings
    objective: ObjectiveSettings

    def built(self, seed: int) -> Built:
        """Make it with the random weights of a seed, in eval mode."""
        built = build_bare(self.fusion, self.objective, seed=seed, pooled_width=self._pooled_width)
        built.model.eval()
        built.objective.eval()
        return built

    def noise(self, model: FusionModel, rows: int, seed: int) -> tuple[Tokens, Tokens]:
        """Give independent noise for both sides, as the model's fusion meets it: text (rows, T, D), image (rows, P, D).

        Words are padded to unequal lengths, regions lie on a grid; pooled models get one token a side.
        """
        random = torch.Generator().manual_seed(1_000_003 * (seed + 1))

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random)

        width, pooled = self.fusion.width, self._pooled_width
        lengths = torch.randint(2, WORDS + 1, (rows, 1), generator=random)
        regions = GRID[0] * GRID[1]
        text = Tokens(normal(rows, WORDS, width), torch.arange(WORDS) < lengths, pooled=normal(rows, pooled))
        valid = torch.ones(rows, regions, dtype=torch.bool)
        image = Tokens(normal(rows, regions, width), valid, grid=GRID, pooled=normal(rows, pooled))
        return model.encode_text(text), model.encode_image(image)

    @property
    def _pooled_width(self) -> int:
        own = {**self.fusion.towers, **self.fusion.options}.get("pooled_width", 0)
        return int(own) or self.fusion.width


def subject_of(fusion: FusionSettings, objective: ObjectiveSettings | None = None) -> Subject:
    """Take a fusion for an audit: narrow, if its options allow that, else at its own width.

    Raises:
        ConfigError: the settings cannot be built at all.
    """
    objective = objective or ObjectiveSettings()
    narrow = Subject(replace(fusion, width=min(WIDTH, fusion.width)), objective)
    with torch.random.fork_rng(devices=[]):
        try:
            narrow.built(0)
        except PlaitError:
            wide = Subject(fusion, objective)
            wide.built(0)
            return wide
    return narrow


def score_matrix(model: FusionModel, text: Tokens, image: Tokens) -> Tensor:
    """Score aligned rows as the fusion is used: all pairs through fusion and head, or fused first if "matched".

    Shapes: text Tokens (N, T, D), image Tokens (N, P, D); returns (N, N) float, row = image, column = text.
    """
    return model.score_matched(text, image) if model.pairing == "matched" else model.score_all(text, image)
