"""Late interaction, worked by hand."""

import math

import pytest
import torch

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.fusion.stacked.max_sim import MaxSimFusion
from plait.heads.match import SimilarityHead

ROOT = math.sqrt(0.5)
TEXT = Tokens(torch.tensor([[[2.0, 0.0], [1.0, 1.0], [0.0, -9.0]]]), torch.tensor([[True, True, False]]))
IMAGE = Tokens(torch.tensor([[[0.0, 4.0], [-1.0, 0.0]]]), torch.tensor([[True, True]]))


def score(direction: str, pool: str = "mean") -> float:
    head, fusion = SimilarityHead(pool=pool), MaxSimFusion(2, direction=direction)
    fused: float = head(fusion(TEXT, IMAGE)).values.item()
    assert head.pool(fusion.similarities(TEXT, IMAGE)).values.item() == pytest.approx(fused, abs=1e-6)
    return fused


def test_worked_by_hand() -> None:
    # cosines: word 0 with regions 0, -1; word 1 with ROOT, -ROOT; the padded third word with -1, 0
    assert score("t2i") == pytest.approx(ROOT / 2, abs=1e-6)
    assert score("t2i", "sum") == pytest.approx(ROOT, abs=1e-6)
    assert score("i2t") == pytest.approx((ROOT - ROOT) / 2, abs=1e-6)
    assert score("two_way") == pytest.approx(ROOT / 4, abs=1e-6)


def test_maps_show_the_choice() -> None:
    fused = MaxSimFusion(2, direction="two_way")(TEXT, IMAGE, maps=True)
    words, regions = fused.maps
    assert words.weights[0, 0, :2].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert regions.weights[0, 0].tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    assert (words.query, regions.query) == ("text", "image")


def test_projection_learns_a_space() -> None:
    torch.manual_seed(0)
    plain, projected = MaxSimFusion(2), MaxSimFusion(2, project=True)
    assert sum(p.numel() for p in plain.parameters()) == 0
    assert sum(p.numel() for p in projected.parameters()) == 8


def test_direction_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"direction.*t2i, i2t or two_way.*'both'"):
        MaxSimFusion(2, direction="both")
