"""What every fusion that serves answers must do: the head reads it, padding changes nothing, both precisions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plait.core.types import Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.pairs import fuse_pairs
from plait.heads.answer import AnswerHead
from tests.contracts.fusions import ROWS, WIDTH, Case, cases, label, make, sides
from tests.contracts.precisions import Tolerance

CASES = cases("answer")
every_case = pytest.mark.parametrize("case", CASES, ids=label)
ANSWERS = ("yes", "no", "red")


def both(case: Case) -> tuple[Fusion, AnswerHead]:
    """Make a fusion and the head that reads it."""
    fusion = make(case)
    return fusion, AnswerHead(WIDTH, answers=ANSWERS).eval()


def logits(fusion: Fusion, head: AnswerHead, text: Tokens, image: Tokens) -> Tensor:
    """Give the logits of aligned pairs, (B, A)."""
    return head(fusion(text, image)).values


def test_there_are_the_fusions_of_the_literature() -> None:
    wanted = {"product", "san", "coattention", "coattention_alternating", "dan", "mcan", "cross", "text_only"}
    assert wanted <= {name for name, _ in CASES}
    assert "image_only" not in {name for name, _ in CASES}


@every_case
def test_the_head_reads_it_and_gradients_are_finite(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    text.values.requires_grad_()
    found = logits(fusion, head, text, image)
    assert found.shape == (ROWS, len(ANSWERS))
    found.square().sum().backward()
    assert text.values.grad is not None
    assert text.values.grad.abs().max() > 0
    for key, parameter in fusion.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), key


@every_case
def test_what_lies_in_padding_does_not_matter(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    before = logits(fusion, head, text, image)
    for tokens in (text, image):
        tokens.values[~tokens.valid] = 50.0
    near.check(logits(fusion, head, text, image), before)


@every_case
def test_questions_of_one_image_share_it(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    rows = torch.tensor([1, 0, 1, 1])
    shared = fuse_pairs(fusion, text, image, text_row=torch.arange(ROWS), image_row=rows)
    near.check(head(shared).values, logits(fusion, head, text, image.take(rows)))
