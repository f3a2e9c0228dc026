"""A batch's loss: the same as that of its encoded tokens, though only asked pairs' tokens are projected."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from plait.core.types import Batch, EncoderParts, ImageSpec, Tokens
from plait.encoders.adapters import LinearAdapter
from plait.fusion.ladder.heads import IndependentHeads
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel, Side, Towers
from plait.nn.pooling import single_token
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching

WIDTH, IN, SUMMARY = 16, 12, 24


class Counted(LinearAdapter):
    """Counts the rows whose tokens it projects."""

    rows = 0

    def project(self, tokens: Tokens) -> Tensor:
        self.rows += len(tokens)
        return super().project(tokens)


def made(pool: str, given: int, pooled: bool) -> tuple[FusionModel, nn.Module]:
    torch.manual_seed(0)
    spec = ImageSpec(8, (0.5,) * 3, (0.5,) * 3)
    width = SUMMARY if pool == "encoder" else WIDTH
    sides = [
        Side(
            EncoderParts(nn.Identity(), None, IN, IN, spec, "toy tokens"),
            Counted(IN, width=WIDTH, pooled_width_in=IN, pooled_width=width, modality=modality, positions=True),
        )
        for modality in ("text", "image")
    ]
    towers = Towers(LateFusion(WIDTH, pool=pool, pooled_width=0 if width == WIDTH else width), SimilarityHead())
    model = FusionModel(
        *sides,
        fusion=IndependentHeads(WIDTH, heads=2),
        head=LogitHead(WIDTH),
        towers=towers,
        pool=single_token if pooled else None,
    )
    return model, Matching(InfoNCE(), given=given)


def batch() -> Batch:
    random = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 6, (20, 1), generator=random)
    text = Tokens(
        torch.randn(20, 5, IN, generator=random),
        torch.arange(5) < lengths,
        pooled=torch.randn(20, IN, generator=random),
    )
    image = Tokens(
        torch.randn(10, 4, IN, generator=random),
        torch.ones(10, 4, dtype=torch.bool),
        grid=(2, 2),
        pooled=torch.randn(10, IN, generator=random),
    )
    row = torch.arange(10).repeat_interleave(2)
    return Batch(None, None, None, row + 100, text=text, image=image, photo_row=row)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("pool", "given"), [("encoder", 3), ("encoder", 0), ("mean", 3)])
def test_as_of_the_encoded_tokens(pool: str, given: int, pooled: bool) -> None:
    model, objective = made(pool, given, pooled)
    example = batch()
    found = []
    for step in ("batch", "encoded"):
        torch.manual_seed(5)  # negatives are drawn
        model.zero_grad()
        if step == "batch":
            loss = model.judge_batch(objective, example)
        else:
            text, image = model.encode(example)
            loss = model.judge(objective, text, image, example.target, photo_row=example.photo_row)
        loss.total.backward()
        found.append((loss.total.detach(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}))
    (one, gradients), (other, expected) = found
    torch.testing.assert_close(one, other)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_only_asked_rows_are_projected() -> None:
    model, objective = made("encoder", 2, False)
    model.judge_batch(objective, batch())
    text, image = model.text.adapter, model.image.adapter
    assert isinstance(text, Counted)
    assert isinstance(image, Counted)
    assert 2 <= text.rows <= 4  # two given captions, two mined for their photos
    assert 2 <= image.rows <= 4


def test_towers_that_read_tokens_get_all() -> None:
    model, objective = made("mean", 2, False)
    model.judge_batch(objective, batch())
    assert isinstance(model.text.adapter, Counted)
    assert model.text.adapter.rows == 20
