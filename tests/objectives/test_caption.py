"""The loss of captions: by hand, padding, the doubly stochastic term, and the timing of sampled words."""

from __future__ import annotations

import math

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import CaptionLogits
from plait.objectives.caption import NextWord


def test_cross_entropy_by_hand_without_padding() -> None:
    # Word 1 has log-odds log 3 against three others at 0: p = 3 / 6, and 1 / 6 of another. Padding does not count.
    row = [0.0, math.log(3), 0.0, 0.0]
    logits = CaptionLogits(torch.tensor([[row, row, [9.0, 0.0, 0.0, 0.0]]]))
    loss = NextWord()(logits, torch.tensor([[1, 2, 0]]))
    assert float(loss.total) == pytest.approx((math.log(2) + math.log(6)) / 2)
    assert set(loss.parts) == {"next_word"}


def test_padding_of_any_kind_changes_nothing() -> None:
    values, words = torch.randn(2, 3, 5), torch.tensor([[1, 2, 3], [4, 0, 0]])
    weights = torch.rand(2, 3, 4)
    objective = NextWord(doubly_stochastic=1.0)
    before = objective(CaptionLogits(values, weights), words).total
    values[1, 1:], weights[1, 1:] = 7.0, 0.9
    assert float(objective(CaptionLogits(values, weights), words).total) == pytest.approx(float(before))


def test_the_second_term_by_hand() -> None:
    # Cells get 1.5 and 0.5 in two words: ((1 - 1.5)^2 + (1 - 0.5)^2) / 2 = 0.25.
    weights = torch.tensor([[[0.9, 0.1], [0.6, 0.4]]])
    values, words = torch.zeros(1, 2, 5), torch.tensor([[1, 2]])
    loss = NextWord(doubly_stochastic=2.0)(CaptionLogits(values, weights), words)
    assert float(loss.parts["doubly_stochastic"]) == pytest.approx(0.25)
    assert float(loss.total) == pytest.approx(math.log(5) + 0.5)
    none = NextWord(doubly_stochastic=2.0)(CaptionLogits(values), words)
    assert float(none.total) == pytest.approx(math.log(5))


def test_gradients_are_those_of_differences() -> None:
    torch.manual_seed(0)
    values = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, 4, dtype=torch.float64, requires_grad=True)
    words = torch.tensor([[1, 2, 3], [4, 0, 0]])
    objective = NextWord(smoothing=0.1, doubly_stochastic=0.5)

    def total(logits: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        return objective(CaptionLogits(logits, seen), words).total.double()

    # The loss itself is computed in float32.
    assert torch.autograd.gradcheck(total, (values, weights), eps=1e-2, atol=1e-2)


def test_the_part_of_sampled_words_rises_in_training_alone_and_is_kept_with_the_weights() -> None:
    objective = NextWord(sampled=0.4, sampled_after=4)
    assert [objective.sampling_rate() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    again = NextWord(sampled=0.4, sampled_after=100)
    again.load_state_dict(objective.state_dict())
    assert again.sampling_rate() == pytest.approx(0.4 * 7 / 100)
    assert again.eval().sampling_rate() == 0.0
    assert NextWord().sampling_rate() == 0.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"smoothing": 1.0}, "smoothing"),
        ({"sampled": -0.1}, "sampled"),
        ({"doubly_stochastic": -1.0}, "doubly_stochastic"),
        ({"sampled_after": 0}, "sampled_after"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        NextWord(**options)  # type: ignore[arg-type]


def test_words_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected words"):
        NextWord()(CaptionLogits(torch.zeros(1, 2, 5)), torch.tensor([[1, 2, 3]]))
