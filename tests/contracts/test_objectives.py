"""What every contrastive objective must do, over every name in the table."""

import pytest
import torch
from torch import nn

from plait.core.tables import load_entry
from plait.nn.precision import Precision, autocast_context
from plait.objectives import OBJECTIVES
from plait.objectives.base import Contrast
from plait.objectives.match import Matching

CONTRASTS = [name for name, entry in OBJECTIVES.items() if entry.family in ("contrastive", "ranking")]
GROUP = torch.tensor([0, 1, 1, 2, 3])


def make(name: str, **options: object) -> Contrast:
    objective = load_entry(OBJECTIVES[name])(**options)
    assert isinstance(objective, Contrast)
    return objective


def scores(seed: int = 0) -> torch.Tensor:
    return torch.rand(5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def test_the_table_names_what_it_says() -> None:
    assert {"infonce", "sigmoid", "triplet", "match"} <= OBJECTIVES.keys()
    assert load_entry(OBJECTIVES["match"]) is Matching
    assert all(entry.paper and entry.summary for entry in OBJECTIVES.values())


@pytest.mark.parametrize("name", CONTRASTS)
def test_images_and_texts_are_treated_alike(name: str) -> None:
    torch.testing.assert_close(make(name)(scores(), GROUP).total, make(name)(scores().T, GROUP).total)


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_order_of_pairs_does_not_matter(name: str) -> None:
    order = torch.tensor([3, 0, 4, 2, 1])
    shuffled = scores()[order][:, order]
    torch.testing.assert_close(make(name)(scores(), GROUP).total, make(name)(shuffled, GROUP[order]).total)


@pytest.mark.parametrize("name", CONTRASTS)
def test_total_is_a_finite_scalar_with_detached_parts(name: str) -> None:
    loss = make(name)(scores().requires_grad_(), GROUP)
    assert loss.total.shape == ()
    assert torch.isfinite(loss.total)
    assert loss.parts
    assert not any(part.requires_grad for part in loss.parts.values())


@pytest.mark.parametrize("name", CONTRASTS)
def test_gradient_is_right_in_float64(name: str) -> None:
    objective = make(name).double().eval()
    values = (0.1 * scores()).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: objective(s, GROUP).total, (values,))


@pytest.mark.parametrize("name", CONTRASTS)
def test_other_captions_of_the_image_have_no_influence(name: str) -> None:
    values = scores().requires_grad_()
    make(name)(values, GROUP).total.backward()
    assert values.grad[1, 2] == 0
    assert values.grad[2, 1] == 0
    assert (values.grad.diagonal() <= 0).all()
    assert values.grad.abs().sum() > 0


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_right_answer_is_the_minimum(name: str) -> None:
    """Scores of the right pairs at +1 and all others at -1 beat any other arrangement tried, and each step from it."""
    objective, group = make(name), torch.arange(5)
    best = 2 * torch.eye(5) - 1
    lowest = objective(best, group).total
    assert objective(-best, group).total > lowest
    for seed in range(10):
        assert objective(scores(seed).float(), group).total > lowest
    for shift in range(1, 5):
        assert objective(best.roll(shift, 0), group).total > lowest


@pytest.mark.parametrize("name", CONTRASTS)
def test_descending_the_gradient_finds_the_diagonal(name: str) -> None:
    objective = make(name)
    group = torch.arange(5)
    values = scores().float().requires_grad_()
    for _ in range(300):
        (grad,) = torch.autograd.grad(objective(values, group).total, values)
        values = (values - 0.5 * grad).detach().clamp(-1, 1).requires_grad_()
    assert values.argmax(1).tolist() == values.argmax(0).tolist() == group.tolist()


@pytest.mark.parametrize("name", CONTRASTS)
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_extreme_scores_stay_finite(name: str, size: float) -> None:
    values = (size * scores()).float().requires_grad_()
    loss = make(name)(values, GROUP).total
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize("name", CONTRASTS)
def test_negatives_are_mined_with_its_scale(name: str) -> None:
    objective = Matching(make(name))
    assert objective.scale.shape == ()
    loss = objective(scores(), GROUP, lambda text, image: (text == image).double())
    assert torch.isfinite(loss.total)


@pytest.mark.parametrize("name", CONTRASTS)
def test_state_survives_a_round_trip(name: str) -> None:
    objective, other = make(name), make(name)
    for _ in range(3):
        objective(scores(), GROUP)
    for parameter in objective.parameters():
        nn.init.constant_(parameter, 0.25)
    other.load_state_dict(objective.state_dict())
    torch.testing.assert_close(objective(scores(), GROUP).total, other(scores(), GROUP).total)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", CONTRASTS)
def test_at_both_precisions_the_loss_is_float32(name: str, precision: Precision) -> None:
    """Scores come from a matrix product at the loop's precision; what they are worth is added up in float32."""
    objective = make(name)
    generator = torch.Generator().manual_seed(1)
    image, text = torch.randn(5, 8, generator=generator, requires_grad=True), torch.randn(5, 8, generator=generator)
    with autocast_context(precision):
        values = 0.2 * image @ text.T
        loss = objective(values, GROUP).total
        mined = Matching(make(name))(values, GROUP, lambda rows, columns: values[columns, rows]).total
    assert values.dtype == (torch.bfloat16 if precision == "bf16" else torch.float32)
    assert loss.dtype == mined.dtype == torch.float32
    torch.testing.assert_close(loss, make(name)(values.float(), GROUP).total)
    (loss + mined).backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


@pytest.mark.parametrize("name", CONTRASTS)
def test_everything_is_made_on_the_device_of_the_scores(name: str) -> None:
    """A tensor on the CPU does not mix with those of another device, "meta" included, which computes nothing."""
    options = {"max_violation": False} if name == "triplet" else {}
    objective = make(name, **options).to("meta").eval()
    loss = objective(torch.zeros(5, 5, device="meta"), GROUP.to("meta"))
    assert loss.total.device.type == objective.scale.device.type == "meta"
