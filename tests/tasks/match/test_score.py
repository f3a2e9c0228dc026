"""Scoring a split: chunks change nothing, re-ranking scores the candidates only, pairs agree with the matrix.

Everything holds at both precisions; at bf16 fusions round, scores do not.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Batch
from plait.model import Learner
from plait.nn.precision import Precision, autocast_context
from plait.tasks.match import score
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.score import score_all, score_by_algebra, score_pairs
from tests.tasks.match.toys import noise, toy_learner

FUSIONS = ("late", "scan_t2i", "cross")
PRECISIONS = ("fp32", "bf16")
# Another chunk means another padding, and so another order of sums inside the fusion.
TOLERANCE = {"fp32": 1e-5, "bf16": 0.03}
KINDS = (("late", ""), ("scan_t2i", ""), ("cross", "itm"), ("cross", "all"), ("cross", "matched"))


def close(found: Tensor, expected: Tensor, precision: Precision) -> None:
    torch.testing.assert_close(found, expected, atol=TOLERANCE[precision], rtol=TOLERANCE[precision])


def scoring(fusion: str, pairing: str = "", *, rerank_k: int = 3) -> MatchLearner:
    learner = toy_learner(fusion, pairing=pairing, rerank_k=rerank_k)
    learner.eval()
    return learner


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_chunks_change_nothing(fusion: str, precision: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    pairing = scoring(fusion, rerank_k=99).pairing
    text, image = noise(11, 5, 0), noise(7, 4, 1, grid=(2, 2))
    with autocast_context(precision):
        whole = pairing.split(text, image)
        monkeypatch.setattr(score, "CAPTIONS_PER_CHUNK", 3)
        monkeypatch.setattr(score, "IMAGES_PER_CHUNK", 2)
        chunked = pairing.split(text, image)
    close(whole.text_to_image, chunked.text_to_image, precision)
    close(whole.image_to_text, chunked.image_to_text, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_pairs_agree_with_the_matrix(fusion: str, precision: Precision) -> None:
    pairing = scoring(fusion).pairing
    text, image = noise(6, 5, 0), noise(6, 4, 1, grid=(2, 2))
    with autocast_context(precision):
        full = pairing.full(text, image)
        close(pairing.pairs(text, image), full.values.diagonal(), precision)
    assert full.kind == {"late": "cosine", "scan_t2i": "cosine", "cross": "log-odds"}[fusion]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_with_all_candidates_re_ranking_is_the_full_score(precision: Precision) -> None:
    pairing = scoring("cross", rerank_k=99).pairing
    text, image = noise(6, 5, 0), noise(4, 4, 1, grid=(2, 2))
    with autocast_context(precision):
        found, full = pairing.split(text, image), pairing.full(text, image)
    close(found.text_to_image, full.values, precision)
    close(found.image_to_text, full.values, precision)
    assert found.kind == "log-odds, top 99 re-ranked"
    assert torch.equal(full.values, full.log_odds)


def test_cosines_become_log_odds_by_the_learned_scale() -> None:
    learner = scoring("late")
    full = learner.pairing.full(noise(6, 5, 0), noise(4, 4, 1, grid=(2, 2)))
    torch.testing.assert_close(full.log_odds, full.values / 0.07)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_alone_the_fused_head_orders_the_candidates_by_its_logit(precision: Precision) -> None:
    learner = scoring("cross", rerank_k=99)
    text, image = noise(6, 5, 0), noise(4, 4, 1, grid=(2, 2))
    with autocast_context(precision), torch.no_grad():
        found = learner.pairing.split(text, image)
        logits = score_all(learner.model, text, image, exact=True)
    for matrix in found.candidates["fused"]:
        close(matrix, logits, precision)
    assert all(not matrix.any() for matrix in found.candidates["random"])
    assert scoring("late").pairing.split(text, image).candidates == {}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_direction_re_ranks_its_own_candidates(precision: Precision) -> None:
    learner = scoring("cross", rerank_k=1)
    text, image = noise(6, 5, 0), noise(4, 4, 1, grid=(2, 2))
    assert learner.towers is not None
    with autocast_context(precision), torch.no_grad():
        found = learner.pairing.split(text, image)
        first = learner.towers(text, image, exact=True)
    # With one candidate nothing can move to the first place.
    assert torch.equal(found.text_to_image.argmax(0), first.argmax(0))
    assert torch.equal(found.image_to_text.argmax(1), first.argmax(1))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_all_pairs_equal_pair_by_pair(fusion: str, precision: Precision, exact: bool) -> None:
    model = scoring(fusion).model
    text, image = noise(5, 6, 0), noise(3, 4, 1, grid=(2, 2))
    rows, columns = torch.meshgrid(torch.arange(3), torch.arange(5), indexing="ij")
    with autocast_context(precision), torch.no_grad():
        every = score_all(model, text, image, exact=exact)
        pairs = score_pairs(
            model, text, image, text_row=columns.reshape(-1), image_row=rows.reshape(-1), exact=exact
        ).view(3, 5)
    close(every.float(), pairs.float(), precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("fusion", "way"), KINDS)
def test_scores_are_float32_and_not_rounded(fusion: str, way: str, precision: Precision) -> None:
    """bf16 has 8 bits: of 64 x 320 scores rounded to it some thousand values are left, and ranks tie."""
    pairing = scoring(fusion, way, rerank_k=8).pairing
    text, image = noise(320, 6, 0), noise(64, 4, 1, grid=(2, 2))
    own = torch.arange(320) % 64
    with autocast_context(precision):
        found = pairing.split(text, image, own=own)
        matrices = [found.text_to_image, found.image_to_text]
        if way != "matched":
            matrices.append(pairing.full(text, image).values)
        one_by_one = pairing.pairs(text, image.take(own))
    for matrix in matrices:
        assert matrix.dtype == torch.float32
        assert matrix.unique().numel() > 10_000
    assert one_by_one.dtype == torch.float32
    assert one_by_one.unique().numel() > 300
    assert all(order.dtype == torch.float32 for pair in found.candidates.values() for order in pair)


@pytest.mark.parametrize(("fusion", "way"), KINDS)
def test_at_bf16_scores_are_near_those_at_fp32(fusion: str, way: str) -> None:
    pairing = scoring(fusion, way, rerank_k=99).pairing
    text, image = noise(12, 6, 0), noise(8, 4, 1, grid=(2, 2))
    own = torch.arange(12) % 8
    found = {}
    for precision in PRECISIONS:
        with autocast_context(precision):  # type: ignore[arg-type]
            found[precision] = pairing.split(text, image, own=own).text_to_image
    torch.testing.assert_close(found["bf16"], found["fp32"], atol=0.05, rtol=0.05)


@pytest.mark.parametrize(("fusion", "way"), KINDS)
def test_at_fp32_exact_scores_are_the_same_bits(fusion: str, way: str) -> None:
    learner = scoring(fusion, way)
    text, image = noise(9, 6, 0), noise(9, 4, 1, grid=(2, 2))
    row = torch.arange(9)
    for exact in (False, True):
        pairs = score_pairs(learner.model, text, image, text_row=row, image_row=row, exact=exact)
        assert torch.equal(pairs, score_pairs(learner.model, text, image, text_row=row, image_row=row))
        if way != "matched":
            assert torch.equal(
                score_all(learner.model, text, image, exact=exact), score_all(learner.model, text, image)
            )


def test_wrong_calls_say_what_is_missing() -> None:
    learner: Learner = toy_learner("late")
    model = learner.model
    text = noise(2, 3, 0)
    with pytest.raises(ShapeError, match="as many text as image rows"):
        score_pairs(model, text, text, text_row=torch.arange(2), image_row=torch.arange(1))
    with pytest.raises(ConfigError, match=r"expected the head 'similarity', got LogitHead"):
        score_by_algebra(model.fusion, toy_learner("cross").model.head, text, text)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="neither text ids nor cached text tokens"):
        model.encode(Batch(None, None, None, torch.arange(2)))
    with pytest.raises(ShapeError, match="neither pixels nor cached image tokens"):
        model.encode(Batch(torch.ones(2, 3).long(), torch.ones(2, 3).bool(), None, torch.arange(2)))
    with pytest.raises(ShapeError, match="no frozen encoder: all of it is trained"):
        model.text.freeze(torch.ones(1, 1).long())


def test_no_pair_has_no_score() -> None:
    none = torch.arange(0)
    found = score_pairs(toy_learner("cross").model, noise(2, 3, 0), noise(2, 4, 1), text_row=none, image_row=none)
    assert found.shape == (0,)
