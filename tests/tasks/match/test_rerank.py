"""Two-stage ranking against numbers worked by hand."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ShapeError
from plait.tasks.match.pairings.rerank import rerank_rows


def second(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """A second score that grows with the column number."""
    return 10.0 * columns.float()


def test_candidates_are_reordered_by_the_sum() -> None:
    first = torch.tensor([[3.0, 2.0, 1.0, 0.0]])
    scores = rerank_rows(first, 2, second).scores
    # Candidates are columns 0 and 1: 3 + 0 and 2 + 10.
    assert scores[0, 0].item() == 3.0
    assert scores[0, 1].item() == 12.0


def test_the_rest_keeps_its_order_below_every_candidate() -> None:
    first = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 5.0, 4.0, 9.0]])
    scores = rerank_rows(first, 2, second).scores
    assert scores[0].argsort(descending=True).tolist() == [1, 0, 2, 3]
    assert scores[1].argsort(descending=True).tolist() == [3, 1, 2, 0]


def test_a_second_score_of_minus_a_million_still_stays_above_the_rest() -> None:
    first = torch.tensor([[3.0, 2.0, 1.0]])
    scores = rerank_rows(first, 1, lambda rows, columns: torch.full((len(rows),), -1e6)).scores
    assert scores[0].argmax().item() == 0


def test_more_candidates_than_columns_means_all() -> None:
    first = torch.randn(3, 4)
    scores = rerank_rows(first, 99, second).scores
    torch.testing.assert_close(scores, first + 10.0 * torch.arange(4.0))


def test_only_candidates_are_scored() -> None:
    seen: list[tuple[int, int]] = []

    def note(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        seen.extend(zip(rows.tolist(), columns.tolist(), strict=True))
        return torch.zeros(len(rows))

    rerank_rows(torch.tensor([[1.0, 9.0, 5.0], [7.0, 2.0, 3.0]]), 2, note)
    assert sorted(seen) == [(0, 1), (0, 2), (1, 0), (1, 2)]


@pytest.mark.parametrize(("shape", "k"), [((3,), 1), ((2, 2), 0)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...], k: int) -> None:
    with pytest.raises(ShapeError, match="expected a matrix of first-stage scores and k >= 1"):
        rerank_rows(torch.zeros(shape), k, second)


def test_alone_the_second_score_decides_among_the_same_candidates() -> None:
    first = torch.tensor([[3.0, 2.5, 1.0, 0.0]])
    found = rerank_rows(first, 2, lambda rows, columns: 0.1 * columns.float())
    assert found.scores[0].argsort(descending=True).tolist() == [0, 1, 2, 3]
    assert found.alone[0].argsort(descending=True).tolist() == [1, 0, 2, 3]
    torch.testing.assert_close(found.alone[0, :2], torch.tensor([0.0, 0.1]))
    assert found.random[0].tolist()[:2] == [0.0, 0.0]
    assert (found.random[0, 2:] < 0).all()
