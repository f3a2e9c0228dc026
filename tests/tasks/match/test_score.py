"""Scoring a split: chunks change nothing, re-ranking touches the candidates only, pairs agree with the matrix."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ShapeError
from plait.core.types import Batch, Tokens
from plait.tasks.match import score
from plait.tasks.match.score import Scorer
from tests.train.toys import WIDTH, toy_model

FUSIONS = ("late", "scan_t2i", "cross")


def tokens(rows: int, length: int, seed: int, grid: tuple[int, int] | None = None) -> Tokens:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, length, WIDTH, generator=generator)
    lengths = torch.randint(1, length + 1, (rows, 1), generator=generator)
    valid = torch.ones(rows, length, dtype=torch.bool) if grid else torch.arange(length) < lengths
    return Tokens(values, valid, grid=grid)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_chunks_change_nothing(fusion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, objective = toy_model(fusion)
    scorer = Scorer(model.eval(), objective, rerank_k=3)
    text, image = tokens(11, 5, 0), tokens(7, 4, 1, (2, 2))
    whole = scorer.split(text, image)
    monkeypatch.setattr(score, "CAPTIONS_A_CHUNK", 3)
    monkeypatch.setattr(score, "IMAGES_A_CHUNK", 2)
    chunked = scorer.split(text, image)
    torch.testing.assert_close(whole.text_to_image, chunked.text_to_image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.image_to_text, chunked.image_to_text, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_pairs_agree_with_the_matrix(fusion: str) -> None:
    model, objective = toy_model(fusion)
    scorer = Scorer(model.eval(), objective, rerank_k=3)
    text, image = tokens(6, 5, 0), tokens(6, 4, 1, (2, 2))
    matrix, kind = scorer.matrix(text, image)
    torch.testing.assert_close(scorer.pairs(text, image), matrix.diagonal(), atol=1e-5, rtol=1e-5)
    assert kind == {"late": "cosine", "scan_t2i": "cosine", "cross": "log-odds"}[fusion]


def test_with_all_candidates_re_ranking_is_the_full_score() -> None:
    model, objective = toy_model("cross")
    scorer = Scorer(model.eval(), objective, rerank_k=99)
    text, image = tokens(6, 5, 0), tokens(4, 4, 1, (2, 2))
    found = scorer.split(text, image)
    matrix, _ = scorer.matrix(text, image)
    torch.testing.assert_close(found.text_to_image, matrix, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.image_to_text, matrix, atol=1e-5, rtol=1e-5)
    assert found.kind == "log-odds, top 99 re-ranked"


def test_alone_the_fused_head_orders_the_candidates_by_its_logit() -> None:
    model, objective = toy_model("cross")
    scorer = Scorer(model.eval(), objective, rerank_k=99)
    text, image = tokens(6, 5, 0), tokens(4, 4, 1, (2, 2))
    found = scorer.split(text, image)
    logits = model.score_all(text, image)
    for matrix in found.candidates["fused"]:
        torch.testing.assert_close(matrix, logits, atol=1e-5, rtol=1e-5)
    assert all(not matrix.any() for matrix in found.candidates["luck"])
    late, contrast = toy_model("late")
    assert Scorer(late.eval(), contrast, rerank_k=99).split(text, image).candidates == {}


def test_each_direction_re_ranks_its_own_candidates() -> None:
    model, objective = toy_model("cross")
    scorer = Scorer(model.eval(), objective, rerank_k=1)
    text, image = tokens(6, 5, 0), tokens(4, 4, 1, (2, 2))
    found = scorer.split(text, image)
    first = model.towers(text, image)
    # With one candidate nothing can move to the first place.
    assert torch.equal(found.text_to_image.argmax(0), first.argmax(0))
    assert torch.equal(found.image_to_text.argmax(1), first.argmax(1))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_all_pairs_equal_pair_by_pair(fusion: str) -> None:
    model, _ = toy_model(fusion)
    model.eval()
    text, image = tokens(5, 6, 0), tokens(3, 4, 1, (2, 2))
    every = model.score_all(text, image)
    rows, columns = torch.meshgrid(torch.arange(3), torch.arange(5), indexing="ij")
    pairs = model.score_pairs(text, image, columns.reshape(-1), rows.reshape(-1)).view(3, 5)
    torch.testing.assert_close(every, pairs, atol=1e-5, rtol=1e-5)


def test_wrong_calls_say_what_is_missing() -> None:
    model, _ = toy_model("late")
    text = tokens(2, 3, 0)
    with pytest.raises(ShapeError, match="as many text as image indices"):
        model.score_pairs(text, text, torch.arange(2), torch.arange(1))
    with pytest.raises(ShapeError, match="neither text ids nor cached text tokens"):
        model.encode(Batch(None, None, None, torch.arange(2)))
    with pytest.raises(ShapeError, match="neither pixels nor cached image tokens"):
        model.encode(Batch(torch.ones(2, 3).long(), torch.ones(2, 3).bool(), None, torch.arange(2)))
    with pytest.raises(ShapeError, match="no frozen encoder: all of it is trained"):
        model.text.freeze(torch.ones(1, 1).long())
