"""Matching: what is mined, which pairs the fused head scores, and what happens when nothing can be mined."""

import math

import pytest
import torch
from torch import Tensor

from plait.core.errors import ConfigError, ShapeError, TrainingError
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching, mine_negatives
from plait.objectives.triplet import Triplet


def test_scored_pairs_are_given_ones_then_texts_then_images() -> None:
    text, image, label = mine_negatives(torch.randn(6, 6), torch.arange(6))
    assert text[:6].tolist() == image[:6].tolist() == list(range(6))
    assert image[6:12].tolist() == list(range(6))
    assert text[12:].tolist() == list(range(6))
    assert label.tolist() == [True] * 6 + [False] * 12
    assert (text[6:] != image[6:]).all()


def test_mining_follows_the_softmax_of_the_scores() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([[9.0, 2.0, 0.0], [1.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    drawn = torch.stack([torch.stack(mine_negatives(logits, torch.arange(3))[:2]) for _ in range(3000)])
    text_for_image_0 = (drawn[:, 0, 3] == 1).float().mean().item()
    image_for_text_0 = (drawn[:, 1, 6] == 1).float().mean().item()
    assert text_for_image_0 == pytest.approx(math.e**2 / (math.e**2 + 1), abs=0.03)  # 0.881
    assert image_for_text_0 == pytest.approx(math.e / (math.e + 1), abs=0.03)  # 0.731


def test_negatives_are_never_of_the_same_image() -> None:
    torch.manual_seed(1)
    group = torch.tensor([0, 0, 0, 1, 2, 2])
    logits = torch.randn(6, 6) + 40 * (group[:, None] == group[None, :])
    for _ in range(50):
        text, image, label = mine_negatives(logits, group)
        assert (group[text] == group[image]).tolist() == label.tolist()


def test_value_is_contrast_plus_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    scores, group = torch.eye(2), torch.arange(2)
    contrast = InfoNCE(scale=1.0)
    seen: list[tuple[list[int], list[int]]] = []

    def score(text: Tensor, image: Tensor) -> Tensor:
        seen.append((text.tolist(), image.tolist()))
        return torch.where(text == image, 2.0, -1.0)

    loss = Matching(contrast, weight=0.5)(scores, group, score)
    # with two images the only negatives are each other's
    assert seen == [([0, 1, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0])]
    match = (2 * math.log1p(math.exp(-2)) + 4 * math.log1p(math.exp(-1))) / 6
    assert loss.parts["match"].item() == pytest.approx(match, abs=1e-6)
    assert loss.parts["contrast"].item() == pytest.approx(contrast(scores, group).total.item())
    assert loss.total.item() == pytest.approx(loss.parts["contrast"].item() + 0.5 * match, abs=1e-6)
    assert loss.parts["mined"].item() == 4
    assert {"i2t", "t2i"} <= loss.parts.keys()


def test_gradient_reaches_the_fused_head_and_the_towers_but_not_through_mining() -> None:
    torch.manual_seed(0)
    scores = torch.randn(3, 3, requires_grad=True)
    weight = torch.tensor(0.3, requires_grad=True)
    contrast = InfoNCE()
    Matching(contrast)(scores, torch.arange(3), lambda text, image: weight * (text == image)).total.backward()
    assert weight.grad.abs() > 0
    alone = scores.detach().clone().requires_grad_()
    contrast(alone, torch.arange(3)).total.backward()
    torch.testing.assert_close(scores.grad, alone.grad)


def test_only_a_batch_of_one_image_has_no_negatives() -> None:
    assert len(mine_negatives(torch.zeros(3, 3), torch.tensor([7, 7, 8]))[2]) == 9
    for index in mine_negatives(torch.zeros(3, 3), torch.tensor([7, 7, 7])):
        assert len(index) == 0


def test_a_batch_of_one_image_has_no_matching_term() -> None:
    scores = torch.randn(2, 2, requires_grad=True)

    def never(text: Tensor, image: Tensor) -> Tensor:
        raise AssertionError("called without pairs")

    loss = Matching(InfoNCE())(scores, torch.tensor([3, 3]), never)
    loss.total.backward()
    assert loss.total.item() == 0
    assert loss.parts["mined"].item() == 0
    assert scores.grad.abs().max() == 0


def test_the_triplet_contrast_mines_with_clips_scale() -> None:
    assert Matching(Triplet()).scale.item() == pytest.approx(1 / 0.07)


def test_a_fixed_seed_mines_the_same() -> None:
    logits = torch.randn(8, 8)
    torch.manual_seed(3)
    first = mine_negatives(logits, torch.arange(8))
    torch.manual_seed(3)
    assert all(torch.equal(a, b) for a, b in zip(first, mine_negatives(logits, torch.arange(8)), strict=True))


def test_faults_are_named() -> None:
    group = torch.arange(2)
    with pytest.raises(TrainingError, match="tower score is not finite"):
        Matching(InfoNCE())(torch.tensor([[0.0, float("nan")], [0.0, 0.0]]), group, lambda text, image: text.float())
    with pytest.raises(ShapeError, match=r"one logit per pair, \(6,\), got \(6, 1\)"):
        Matching(InfoNCE())(torch.zeros(2, 2), group, lambda text, image: text[:, None].float())
    with pytest.raises(ConfigError, match="weight: expected 0 or more, got -1"):
        Matching(InfoNCE(), weight=-1.0)


def test_the_head_may_score_some_of_the_given_pairs() -> None:
    torch.manual_seed(0)
    group = torch.tensor([0, 0, 1, 1, 2])
    scores, seen = torch.randn(5, 5), []

    def score(text: Tensor, image: Tensor) -> Tensor:
        seen.append((text.tolist(), image.tolist()))
        return torch.zeros(len(text))

    objective = Matching(InfoNCE(), given=2)
    losses = [objective(scores, group, score) for _ in range(30)]
    for text, image in seen:
        assert len(text) == 6
        assert text[:2] == image[:2] == image[2:4] == text[4:]
        assert (group[text] == group[image]).tolist() == [True] * 2 + [False] * 4
    assert {pair for text, _ in seen for pair in text[:2]} == set(range(5))  # drawn again
    assert losses[0].parts["mined"].item() == 4
    assert losses[0].parts["contrast"].item() == pytest.approx(InfoNCE()(scores, group).total.item())
    with pytest.raises(ConfigError, match="given"):
        Matching(InfoNCE(), given=-1)
