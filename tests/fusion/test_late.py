"""Two towers: pools, the encoder's own summary, and what is refused."""

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Tokens
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import SimilarityHead

TEXT = Tokens(
    torch.tensor([[[1.0, 0.0], [0.0, 1.0], [7.0, 7.0]]]),
    torch.tensor([[True, True, False]]),
    pooled=torch.tensor([[0.0, 2.0]]),
)
IMAGE = Tokens(torch.tensor([[[3.0, 4.0]]]), torch.tensor([[True]]), pooled=torch.tensor([[1.0, 0.0]]))


def score(**options: object) -> float:
    fusion = LateFusion(2, **options)  # type: ignore[arg-type]
    value: float = SimilarityHead()(fusion(TEXT, IMAGE)).values.item()
    return value


def test_pools_worked_by_hand() -> None:
    assert score(pool="mean") == pytest.approx(7 / (5 * 2**0.5), abs=1e-6)  # (1/2, 1/2) against (3, 4)
    assert score(pool="max") == pytest.approx(7 / (5 * 2**0.5), abs=1e-6)
    assert score(pool="encoder") == pytest.approx(0.0, abs=1e-6)
    assert score(pool="mean", image_pool="encoder") == pytest.approx(2**-0.5, abs=1e-6)


def test_the_summary_is_added_at_unit_length() -> None:
    # text (1, 1) / sqrt 2 + (0, 1); image (0.6, 0.8) + (1, 0)
    text, image = torch.tensor([2**-0.5, 2**-0.5 + 1]), torch.tensor([1.6, 0.8])
    expected = torch.cosine_similarity(text, image, dim=0).item()
    assert score(pool="mean", add_pooled=True) == pytest.approx(expected, abs=1e-6)


def test_nothing_is_learned_unless_asked() -> None:
    assert sum(p.numel() for p in LateFusion(4).parameters()) == 0
    assert sum(p.numel() for p in LateFusion(4, hidden=3).parameters()) == 2 * (4 * 3 + 3 + 3 * 4 + 4)


def test_all_pairs_have_images_in_rows() -> None:
    text = Tokens(torch.randn(5, 3, 2), torch.ones(5, 3).bool())
    image = Tokens(torch.randn(2, 4, 2), torch.ones(2, 4).bool())
    found = LateFusion(2).similarities(text, image)
    assert found.values.shape == (2, 5, 1)
    assert found.values[1, 3, 0].item() == pytest.approx(
        torch.cosine_similarity(text.values[3].mean(0), image.values[1].mean(0), dim=0).item(), abs=1e-6
    )


def test_a_missing_summary_is_named() -> None:
    bare = Tokens(IMAGE.values, IMAGE.valid)
    with pytest.raises(ShapeError, match=r"image encoder.*width 2, got none"):
        LateFusion(2, pool="encoder")(TEXT, bare)
    wide = Tokens(IMAGE.values, IMAGE.valid, pooled=torch.ones(1, 3))
    with pytest.raises(ShapeError, match="width 2, got width 3"):
        LateFusion(2, add_pooled=True)(TEXT, wide)


def test_pools_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"pool.*attention, gpo.*'median'"):
        LateFusion(2, pool="median")
