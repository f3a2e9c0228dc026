"""The head of classes: a matrix by hand, padding, shared rows, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Tokens
from plait.heads.classes import ClassHead
from plait.nn.precision import Precision, autocast_context

TWO = ("cat", "dog")


def fused(values: torch.Tensor, valid: torch.Tensor | None = None, **rows: torch.Tensor) -> Fused:
    valid = torch.ones(values.shape[:2], dtype=torch.bool) if valid is None else valid
    return Fused(Tokens(values[:, :1], valid[:, :1]), Tokens(values, valid), **rows)


def test_one_matrix_of_the_mean_by_hand() -> None:
    head = ClassHead(2, classes=TWO)
    with torch.no_grad():
        head.layers[-1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.layers[-1].bias.copy_(torch.tensor([0.5, 0.0]))
    values = torch.tensor([[[1.0, 3.0], [3.0, 1.0], [100.0, 100.0]]])
    found = head(fused(values, torch.tensor([[True, True, False]])))
    assert found.values.tolist() == [[2.5, 4.0]]
    assert len(found) == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("options", [{"pool": "max"}, {"pool": "attention"}, {"hidden": 8, "dropout": 0.5}])
def test_every_pool_reads_real_tokens_alone(options: dict[str, object], precision: Precision) -> None:
    head = ClassHead(8, classes=("a", "b", "c"), **options)  # type: ignore[arg-type]
    head.eval()
    values = torch.randn(2, 5, 8)
    valid = torch.tensor([[True] * 5, [True, True, True, False, False]])
    changed = values.clone()
    changed[1, 3:] = 50.0
    with autocast_context(precision):
        first, second = head(fused(values, valid)), head(fused(changed, valid))
        rows = head(fused(values, valid, image_row=torch.tensor([1, 1, 0])))
    assert first.values.shape == (2, 3)
    torch.testing.assert_close(first.values, second.values)
    torch.testing.assert_close(rows.values, first.values[[1, 1, 0]])


def test_the_encoders_own_summary() -> None:
    head = ClassHead(8, classes=TWO, pool="encoder")
    given = fused(torch.randn(2, 5, 8))
    with pytest.raises(ShapeError, match="summary"):
        head(given)
    pooled = torch.randn(2, 8)
    found = head(replace(given, image=replace(given.image, pooled=pooled)))
    torch.testing.assert_close(found.values, head.layers[-1](pooled))


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="pool"):
        ClassHead(4, classes=TWO, pool="sum")
    with pytest.raises(ConfigError, match="at least two names"):
        ClassHead(4)
    with pytest.raises(ConfigError, match="each once"):
        ClassHead(4, classes=("a", "a"))
    with pytest.raises(ShapeError, match="width 4"):
        ClassHead(4, classes=TWO)(fused(torch.zeros(1, 2, 3)))
