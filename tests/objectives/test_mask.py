"""Mask objectives: values worked by hand, gradients in float64, padding, empty masks and imbalance."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.tables import load_entry
from plait.core.types import MaskLogits, MaskTarget
from plait.objectives import OBJECTIVES
from plait.objectives.mask import MaskLoss, at_cells, soft_overlap

NAMES = [name for name, entry in OBJECTIVES.items() if entry.takes == "MaskLogits"]
VARIANTS = [(name, options) for name in NAMES for options in ({}, {"empty": "count", "overlap": "dice", "weight": 0.3})]


def make(name: str, **options) -> MaskLoss:
    entry = OBJECTIVES[name]
    return load_entry(entry)(**{**(entry.options or {}), **options})


def target(values, valid=None) -> MaskTarget:
    values = torch.tensor(values, dtype=torch.float64)
    return MaskTarget(values, torch.ones_like(values).bool() if valid is None else torch.tensor(valid))


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def drawn(seed: int = 0, rows: int = 3) -> tuple[torch.Tensor, MaskTarget]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 4, 5, generator=generator, dtype=torch.float64)
    share = torch.rand(rows, 4, 5, generator=generator, dtype=torch.float64)
    valid = torch.rand(rows, 4, 5, generator=generator) < 0.8
    share[0] = 0.0
    return logits, MaskTarget(share, valid)


def test_the_table() -> None:
    assert NAMES == ["bce", "bce_iou", "bce_dice", "focal"]


def test_values_worked_by_hand() -> None:
    # One row of four cells, the first two foreground; p = 0.8, 0.5, 0.5, 0.2
    logits = MaskLogits(torch.tensor([[[logit(0.8), 0.0, 0.0, logit(0.2)]]], dtype=torch.float64))
    truth = target([[[1.0, 1.0, 0.0, 0.0]]])
    bce = (-math.log(0.8) * 2 - math.log(0.5) * 2) / 4
    assert make("bce")(logits, truth).total.item() == pytest.approx(bce)
    # i = 1.3, a = 2, b = 2
    found = make("bce_iou", weight=0.5)(logits, truth)
    assert found.total.item() == pytest.approx(bce + 0.5 * (1 - 1.3 / 2.7))
    assert {k: v.item() for k, v in found.parts.items()} == pytest.approx({"bce": bce, "iou": 1 - 1.3 / 2.7})
    assert make("bce_dice")(logits, truth).total.item() == pytest.approx(bce + 1 - 2.6 / 4)
    # foreground cells three times: (3 (a + b) + (b + a)) / 8 with a = -ln 0.8, b = -ln 0.5
    assert make("bce", positive_weight=3.0)(logits, truth).total.item() == pytest.approx(bce)
    lopsided = MaskLogits(torch.tensor([[[logit(0.8), 0.0]]], dtype=torch.float64))
    weighted = make("bce", positive_weight=3.0)(lopsided, target([[[1.0, 0.0]]])).total.item()
    assert weighted == pytest.approx((3 * -math.log(0.8) - math.log(0.5)) / 4)
    focal = (0.25 * 0.04 * -math.log(0.8) + 0.25 * 0.25 * -math.log(0.5)) / 4
    focal += (0.75 * 0.25 * -math.log(0.5) + 0.75 * 0.04 * -math.log(0.8)) / 4
    assert make("focal")(logits, truth).total.item() == pytest.approx(focal)
    assert make("focal", gamma=0.0, alpha=0.5)(logits, truth).total.item() == pytest.approx(bce / 2)


def test_images_count_alike_whatever_their_size() -> None:
    """The overlap of a batch taken as one would be 4 / 12 here; each image on its own gives the mean of both."""
    half = torch.zeros(2, 2, 4, dtype=torch.float64)
    truth = target([[[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    expected = ((1 - 3.5 / 7.5) + (1 - 0.5 / 4.5)) / 2
    assert make("bce_iou")(MaskLogits(half), truth).parts["iou"].item() == pytest.approx(expected)
    alone = [
        make("bce_dice")(MaskLogits(half[i : i + 1]), MaskTarget(truth.values[i : i + 1], truth.valid[i : i + 1]))
        for i in (0, 1)
    ]
    both = make("bce_dice")(MaskLogits(half), truth).total.item()
    assert both == pytest.approx(sum(loss.total.item() for loss in alone) / 2)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_gradient_is_right_in_float64(name: str, options: dict) -> None:
    logits, truth = drawn()
    objective = make(name, **options)
    assert torch.autograd.gradcheck(lambda v: objective(MaskLogits(v), truth).total, (logits.requires_grad_(),))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_what_lies_outside_the_image_does_not_matter(name: str, options: dict) -> None:
    logits, truth = drawn()
    objective = make(name, **options)
    before = objective(MaskLogits(logits), truth).total
    wild = logits.masked_fill(~truth.valid, float("nan")).requires_grad_()
    share = truth.values.masked_fill(~truth.valid, 1.0)
    after = objective(MaskLogits(wild), MaskTarget(share, truth.valid)).total
    after.backward()
    torch.testing.assert_close(after, before)
    assert torch.isfinite(wild.grad).all()
    assert wild.grad[~truth.valid].eq(0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0.0, 1e-4, 1e4])
def test_extreme_logits_stay_finite(name: str, size: float) -> None:
    logits, truth = drawn()
    values = (size * logits).float().requires_grad_()
    loss = make(name, overlap="iou")(MaskLogits(values), truth).total
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_right_mask_is_the_minimum(name: str) -> None:
    truth = target([[[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    best = 8.0 * (2 * truth.values - 1)
    lowest = make(name)(MaskLogits(best), truth).total
    assert lowest < 0.01
    for cell in range(6):
        other = best.clone().view(-1)
        other[cell] *= -1
        assert make(name)(MaskLogits(other.view(1, 2, 3)), truth).total > lowest


def test_empty_masks() -> None:
    logits = torch.tensor([[[logit(0.8), logit(0.8)]], [[logit(0.5), logit(0.1)]]], dtype=torch.float64)
    logits.requires_grad_()
    truth = target([[[1.0, 0.0]], [[0.0, 0.0]]])
    alone = 1 - 0.8 / 1.8
    skipped = make("bce_iou")(MaskLogits(logits), truth)
    assert skipped.parts["iou"].item() == pytest.approx(alone)
    counted = make("bce_iou", empty="count")(MaskLogits(logits), truth)
    assert counted.parts["iou"].item() == pytest.approx((alone + 0.3) / 2)
    only = MaskTarget(torch.zeros(2, 1, 2, dtype=torch.float64), truth.valid)
    loss = make("bce_dice")(MaskLogits(logits), only)
    loss.total.backward()
    assert loss.parts["dice"] == 0
    assert (logits.grad > 0).all(), "the cell term still teaches that there is nothing"


def test_an_image_without_valid_cells_counts_nothing() -> None:
    truth = target([[[1.0, 1.0]]], [[[False, False]]])
    logits = torch.ones(1, 1, 2, requires_grad=True)
    loss = make("bce_dice", empty="count")(MaskLogits(logits), truth)
    loss.total.backward()
    assert loss.total == 0
    assert logits.grad.eq(0).all()


def test_soft_overlap_of_hard_masks_is_the_overlap() -> None:
    ours = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    truth = torch.tensor([[[0.0, 1.0, 1.0, 1.0]]])
    valid = torch.ones(1, 1, 4).bool()
    assert soft_overlap(ours, truth, valid, kind="iou").item() == pytest.approx(1 / 4)
    assert soft_overlap(ours, truth, valid, kind="dice").item() == pytest.approx(2 / 5)
    valid[0, 0, 3] = False
    assert soft_overlap(ours, truth, valid, kind="iou").item() == pytest.approx(1 / 3)


def test_logits_come_to_the_cells_of_the_target() -> None:
    fine = torch.tensor([[[0.0, 4.0, 1.0, 1.0], [2.0, 2.0, 1.0, 1.0]]])
    assert at_cells(fine, (1, 2)).tolist() == [[[2.0, 1.0]]]
    coarse = torch.tensor([[[0.0, 4.0]]])
    assert at_cells(coarse, (1, 4)).tolist() == [[[0.0, 1.0, 3.0, 4.0]]]
    assert at_cells(coarse, (1, 2)) is coarse
    ramp = torch.arange(8.0).expand(1, 8, 8)
    torch.testing.assert_close(at_cells(at_cells(ramp, (16, 16)), (8, 8))[0, 0, 1:-1], ramp[0, 0, 1:-1])
    assert make("bce")(MaskLogits(fine), target([[[1.0, 0.0]]])).total.shape == ()


def test_half_precision_is_widened() -> None:
    logits, truth = drawn()
    assert make("bce_dice")(MaskLogits(logits.bfloat16()), truth).total.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": "l2"}, "mask objective, cells: expected bce, focal, got 'l2'"),
        ({"overlap": "both"}, "mask objective, overlap: expected none, iou, dice, got 'both'"),
        ({"empty": "one"}, "mask objective, empty: expected skip, count, got 'one'"),
        ({"weight": -1.0}, "expected weight >= 0, positive_weight > 0"),
        ({"positive_weight": 0.0}, "expected weight >= 0, positive_weight > 0"),
        ({"alpha": 1.0}, "and 0 < alpha < 1, got"),
    ],
)
def test_refused_options(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MaskLoss(**options)


def test_refused_shapes() -> None:
    with pytest.raises(ShapeError, match=r"expected logits and target of the same images, got \(2, 1, 2\)"):
        make("bce")(MaskLogits(torch.zeros(2, 1, 2)), target([[[1.0, 0.0]]]))


def test_absent_pairs_and_presence_worked_by_hand() -> None:
    # Two cells; one pair that belongs together, and its text with the image of row 1, which lacks it.
    logits = torch.tensor([[[logit(0.8), logit(0.5)]], [[logit(0.5)] * 2], [[logit(0.2), logit(0.4)]]]).double()
    truth = target([[[1.0, 0.0]], [[0.0, 1.0]]])
    paired = MaskTarget(truth.values, truth.valid, torch.tensor([[0, 1]]))
    alone = make("bce")(MaskLogits(logits[:2]), truth).total.item()
    empty = -(math.log(0.8) + math.log(0.6)) / 2
    found = make("bce", absent=0.5)(MaskLogits(logits), paired)
    assert found.total.item() == pytest.approx(alone + empty / 2)  # divided by the two pairs that belong together
    assert {k: v.item() for k, v in found.parts.items()} == pytest.approx({"bce": alone, "absent": empty})
    presence = torch.tensor([logit(0.9), logit(0.6), logit(0.3)], dtype=torch.float64)
    said = make("bce", presence=0.4)(MaskLogits(logits), paired, presence=presence)
    term = (-(math.log(0.9) + math.log(0.6)) / 2 - math.log(0.7)) / 2
    assert said.parts["presence"].item() == pytest.approx(term)
    assert said.total.item() == pytest.approx(alone + empty / 2 + 0.4 * term)


def test_an_overlap_is_not_asked_of_absent_pairs_and_padding_stays_out() -> None:
    logits, truth = drawn()
    absent = torch.tensor([[0, 2], [1, 2]])
    paired = MaskTarget(truth.values, truth.valid, absent)
    more = torch.cat([logits, torch.zeros(2, 4, 5, dtype=torch.float64)])
    with_dice = make("bce_dice")(MaskLogits(more), paired)
    assert with_dice.parts["dice"] == make("bce_dice")(MaskLogits(logits), truth).parts["dice"]
    wild = more.clone()
    wild[3:] = torch.where(truth.valid[2], more[3:], torch.nan)
    assert make("bce_dice")(MaskLogits(wild), paired).total == with_dice.total
    none = MaskTarget(truth.values, truth.valid, torch.zeros(0, 2, dtype=torch.int64))
    assert make("bce")(MaskLogits(logits), none).total == make("bce")(MaskLogits(logits), truth).total


@pytest.mark.parametrize("name", NAMES)
def test_gradients_with_absent_pairs(name: str) -> None:
    logits, truth = drawn(5)
    paired = MaskTarget(truth.values, truth.valid, torch.tensor([[1, 0]]))
    more = torch.cat([logits, logits[:1] - 0.5]).requires_grad_()
    presence = torch.linspace(-1, 1, 4, dtype=torch.float64).requires_grad_()

    def total(values: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        return make(name)(MaskLogits(values), paired, presence=said).total

    assert torch.autograd.gradcheck(total, (more, presence))


def test_presence_of_one_kind_alone_and_refusals() -> None:
    logits, truth = drawn(rows=2)
    full = MaskTarget(truth.values.clamp(min=0.1), torch.ones_like(truth.valid))
    said = make("bce")(MaskLogits(logits), full, presence=torch.zeros(2, dtype=torch.float64)).parts["presence"]
    assert said.item() == pytest.approx(math.log(2) / 2)
    with pytest.raises(ShapeError, match="presence logit for each of 2"):
        make("bce")(MaskLogits(logits), full, presence=torch.zeros(3))
    with pytest.raises(ShapeError, match="same images"):
        make("bce")(MaskLogits(logits), MaskTarget(full.values, full.valid, torch.tensor([[0, 1]])))
    for options in ({"absent": 1.5}, {"absent": -0.1}, {"presence": -1.0}):
        with pytest.raises(ConfigError, match="absent in"):
            make("bce", **options)
