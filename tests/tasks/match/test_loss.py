"""A batch's loss: the same as that of its encoded tokens, though only the fused pairs' tokens are projected."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from plait.core.types import Batch, EncoderParts, ImageSpec, Tokens
from plait.encoders.adapters import LinearAdapter
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel, Side
from plait.nn.pooling import single_token
from plait.nn.precision import Precision, autocast_context
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.pairings.reranked import Reranked
from plait.tasks.match.pairings.towers import Towers
from tests.tasks.match.toys import ToyFeed, toy_learner
from tests.toys import toy_collection

WIDTH, IN, SUMMARY = 16, 12, 24


class Counted(LinearAdapter):
    """Counts the rows whose tokens it projects."""

    rows = 0

    def project(self, tokens: Tokens) -> Tensor:
        self.rows += len(tokens)
        return super().project(tokens)


def made(pool: str, given: int, pooled: bool) -> MatchLearner:
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
        fusion=CrossFusion(WIDTH, heads=2, layers=1),
        head=LogitHead(WIDTH),
        pool=single_token if pooled else None,
    )
    return MatchLearner(Reranked(model, Matching(InfoNCE(), given=given), towers, rerank_k=4))


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
    return Batch(None, None, None, row + 100, text=text, image=image, image_row=row)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("pool", "given"), [("encoder", 3), ("encoder", 0), ("mean", 3)])
def test_as_of_the_encoded_tokens(pool: str, given: int, pooled: bool) -> None:
    learner = made(pool, given, pooled)
    example = batch()
    found = []
    for step in ("batch", "encoded"):
        torch.manual_seed(5)  # negatives are drawn
        learner.zero_grad()
        if step == "batch":
            loss = learner.loss(example)
        else:
            text, image = learner.model.encode(example)
            loss = learner.pairing.loss_of(text, image, example.target, image_row=example.image_row)
        loss.total.backward()
        found.append((loss.total.detach(), {n: p.grad for n, p in learner.named_parameters() if p.grad is not None}))
    (one, gradients), (other, expected) = found
    torch.testing.assert_close(one, other)
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_only_the_fused_rows_are_projected() -> None:
    learner = made("encoder", 2, False)
    learner.loss(batch())
    text, image = learner.model.text.adapter, learner.model.image.adapter
    assert isinstance(text, Counted)
    assert isinstance(image, Counted)
    assert 2 <= text.rows <= 4  # two given captions, two mined for their images
    assert 2 <= image.rows <= 4


def test_towers_that_read_tokens_get_all() -> None:
    learner = made("mean", 2, False)
    learner.loss(batch())
    assert isinstance(learner.model.text.adapter, Counted)
    assert learner.model.text.adapter.rows == 20


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("fusion", "way"), [("late", ""), ("scan_t2i", ""), ("cross", "itm"), ("cross", "all"), ("cross", "matched")]
)
def test_every_pairing_trains_at_both_precisions(fusion: str, way: str, precision: Precision) -> None:
    learner = toy_learner(fusion, pairing=way)
    feed = ToyFeed(toy_collection(), learner)
    optimiser = torch.optim.Adam(learner.trained_parameters(), lr=5e-3)
    torch.manual_seed(0)
    losses = []
    for step in range(30):
        rows = torch.randperm(64, generator=torch.Generator().manual_seed(step))[:24].numpy()
        with autocast_context(precision):
            loss = learner.loss(feed.batch(rows))
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
        losses.append(loss.total.item())
        assert loss.total.dtype == torch.float32
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
