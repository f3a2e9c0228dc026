"""What every fusion of matching must do, over every name in the table and the options that change how it computes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from plait.core.types import Fused, Tokens
from plait.fusion import FUSIONS
from plait.fusion.base.fusion import Fusion, SimilarityFusion
from plait.fusion.base.pairs import fuse_in_chunks, fuse_pairs
from plait.heads import HEADS
from plait.heads.base import AllPairsHead, MatchHead
from plait.nn.pooling import single_token
from tests.contracts.fusions import ROWS, Case, all_pairs, cases, label, make, match_head, sides, target
from tests.contracts.placement import NoImplicitDevice
from tests.contracts.precisions import FLOAT32, Tolerance

CASES = cases("match")
every_case = pytest.mark.parametrize("case", CASES, ids=label)


def both(case: Case, *, seed: int = 0) -> tuple[Fusion, MatchHead]:
    """Make a fusion with the head that reads it."""
    fusion = make(case, seed=seed)
    return fusion, match_head(fusion)


def leaves(*tokens: Tokens) -> list[Tensor]:
    """Give all that a fusion may read of both sides, each with a gradient to come: values, then summaries."""
    found = [values for side in tokens for values in (side.values, side.pooled) if values is not None]
    for leaf in found:
        leaf.requires_grad_()
    return found


def padded(tokens: Tokens, count: int) -> Tokens:
    """Add padding tokens with wild values."""
    rows, _, width = tokens.values.shape
    values = torch.cat([tokens.values, 100 * torch.randn(rows, count, width)], 1)
    valid = torch.cat([tokens.valid, torch.zeros(rows, count).bool()], 1)
    return Tokens(values, valid, pooled=tokens.pooled)


def algebra(fusion: Fusion, head: MatchHead, text: Tokens, image: Tokens) -> Tensor:
    """Score every image with every caption as tasks do: by the fusion's algebra, or pair by pair in chunks."""
    if isinstance(fusion, SimilarityFusion):
        assert isinstance(head, AllPairsHead)
        return head.pool(fusion.similarities(text, image)).values
    image_row = torch.arange(len(image)).repeat_interleave(len(text))
    text_row = torch.arange(len(text)).repeat(len(image))
    order = torch.randperm(len(text_row))
    chunks = fuse_in_chunks(fusion, text, image, text_row=text_row[order], image_row=image_row[order])
    places, scores = zip(*((order[chunk], head(fused).values) for chunk, fused in chunks), strict=True)
    found = scores[0].new_zeros(len(order)).index_put((torch.cat(places),), torch.cat(scores))
    return found.view(len(image), len(text))


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in CASES))
def test_the_table_says_how_to_use_it(name: str) -> None:
    entry, fusion = FUSIONS[name], target(name)
    assert entry.family
    assert entry.paper
    assert entry.summary
    assert entry.pairings
    assert set(entry.pairings) <= {"all", "itm", "rerank", "matched"}
    assert ("rerank" in entry.pairings) == ("itm" in entry.pairings), "what re-ranks can do so for fixed towers"
    assert entry.pairings[0] != "matched", "the leaky pairing must be requested"
    assert entry.gives in ("grid", "vector", "pair")
    assert entry.takes in ("", "tokens", "pooled")
    assert fusion.reads in HEADS
    assert (fusion.reads == "similarity") == issubclass(fusion, SimilarityFusion)
    parameters = list(inspect.signature(fusion).parameters.values())
    assert parameters[0].name == "width"
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[1:])
    assert all(word in (fusion.__doc__ or "") for word in ("Formula:", "Shapes:", "Source:", "Differs:"))


@every_case
def test_shapes(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    fused = fusion(*sides())
    assert isinstance(fused, Fused)
    for tokens in (fused.text, fused.image):
        assert tokens.values.shape[0] == ROWS
        assert tokens.valid.shape == tokens.values.shape[:2]
        assert tokens.valid.dtype == torch.bool
    scores = head(fused)
    assert scores.values.shape == (ROWS,)
    assert scores.kind == {"similarity": "cosine", "logit": "logit"}[fusion.reads]
    assert torch.isfinite(scores.values).all()


@every_case
def test_gradients_are_finite_and_reach_every_parameter_and_both_sides(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    inputs = leaves(text, image)
    head(fusion(text, image)).values.square().sum().backward()
    for key, parameter in [*fusion.named_parameters(), *head.named_parameters(prefix="head")]:
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0, f"{key} never learns"
    assert all(leaf.grad is None or torch.isfinite(leaf.grad).all() for leaf in inputs)
    for values, summary in (inputs[:2], inputs[2:]):
        assert any(leaf.grad is not None and leaf.grad.abs().max() > 0 for leaf in (values, summary))


@every_case
@pytest.mark.parametrize("side", ["text", "image", "both"])
def test_padding_changes_nothing(case: Case, side: str, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides(grid=False)
    longer_text = padded(text, 3) if side != "image" else text
    longer_image = padded(image, 4) if side != "text" else image
    near.check(head(fusion(longer_text, longer_image)).values, head(fusion(text, image)).values)
    near.check(algebra(fusion, head, longer_text, longer_image), algebra(fusion, head, text, image))


@every_case
def test_what_lies_in_padding_does_not_matter(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    before = head(fusion(text, image)).values
    for tokens in (text, image):
        tokens.values[~tokens.valid] = 50.0
    near.check(head(fusion(text, image)).values, before)


@every_case
def test_pairs_keep_their_scores_in_any_order(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    order = torch.tensor([2, 0, 3, 1])
    moved = head(fusion(text.take(order), image.take(order))).values
    near.check(moved, head(fusion(text, image)).values[order])
    columns = all_pairs(fusion, head, text.take(order), image)
    near.check(columns, all_pairs(fusion, head, text, image)[:, order])


@every_case
def test_a_score_is_a_function_of_its_own_pair_alone(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    together = head(fusion(text, image)).values
    for row in range(ROWS):
        alone = head(fusion(text.take(slice(row, row + 1)), image.take(slice(row, row + 1)))).values
        near.check(alone[0], together[row])


@every_case
def test_evaluation_is_deterministic(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    assert torch.equal(head(fusion(text, image)).values, head(fusion(text, image)).values)


@every_case
def test_float64_agrees_with_float32(case: Case) -> None:
    fusion, head = both(case)
    text, image = sides()
    single = head(fusion(text, image)).values
    fusion, head = fusion.double(), head.double()
    wide = [
        replace(t, values=t.values.double(), pooled=None if t.pooled is None else t.pooled.double())
        for t in (text, image)
    ]
    double = head(fusion(*wide)).values
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=1e-4)


@every_case
def test_bfloat16_products_stay_near_float32(case: Case) -> None:
    fusion, head = both(case)
    text, image = sides()
    expected = head(fusion(text, image)).values
    leaves(text, image)
    with torch.autocast("cpu", torch.bfloat16):
        scores = head(fusion(text, image, maps=True)).values.float()
        torch.testing.assert_close(algebra(fusion, head, text, image).float().diagonal(), expected, atol=0.03, rtol=0)
    torch.testing.assert_close(scores, expected, atol=0.03, rtol=0)
    scores.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in fusion.parameters())


@every_case
def test_maps_come_only_when_requested_and_rows_sum_to_one(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    plain, shown = fusion(text, image), fusion(text, image, maps=True)
    assert plain.maps == ()
    near.check(head(plain).values, head(shown).values)
    assert bool(shown.maps) == fusion.gives_maps
    valid = {"text": text.valid, "image": image.valid}
    for attention in shown.maps:
        query, key = valid[attention.query], valid[attention.key]
        weights = attention.weights.float()
        assert attention.query != attention.key
        assert weights.shape == (ROWS, weights.shape[1], query.shape[1], key.shape[1])
        assert (weights >= 0).all()
        sums = (weights * key[:, None, None]).sum(-1).transpose(1, 2)[query]
        near.check(sums, torch.ones_like(sums))
        assert weights.masked_select(~key[:, None, None].expand_as(weights)).eq(0).all()


@every_case
@pytest.mark.parametrize("pool", ["mean", "sum", "lse"])
def test_all_pairs_at_once_equal_every_pair_by_itself(case: Case, pool: str, near: Tolerance) -> None:
    fusion = make(case)
    options = {"pool": pool} if fusion.reads == "similarity" else {}
    head = match_head(fusion, **options)
    text, image = sides(rows=5)
    image = image.take(slice(0, 3))
    found = algebra(fusion, head, text, image)
    assert found.shape == (3, 5)
    near.check(found, all_pairs(fusion, head, text, image))


@every_case
def test_chosen_pairs_fuse_as_their_copies_do(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    text_row, image_row = torch.tensor([3, 0, 1, 1, 3]), torch.tensor([0, 0, 2, 2, 1])
    expected = fusion(text.take(text_row), image.take(image_row), maps=True)
    found = fuse_pairs(fusion, text, image, text_row=text_row, image_row=image_row, maps=True)
    assert len(found.text) == len(found.image) == 5
    near.check(head(found).values, head(expected).values)
    for one, other in zip(found.maps, expected.maps, strict=True):
        assert (one.query, one.key, one.layer) == (other.query, other.key, other.layer)
        near.check(one.weights, other.weights[..., : one.weights.shape[-2], : one.weights.shape[-1]])
    alone = fuse_pairs(fusion, text, image, text_row=text_row, image_row=image_row)
    assert alone.maps == ()


@every_case
def test_all_pairs_at_once_have_the_same_gradient(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    weight = torch.randn(ROWS, ROWS)

    def gradients(score: Callable[..., Tensor]) -> list[Tensor]:
        text, image = sides()
        inputs = leaves(text, image)
        found = torch.autograd.grad((score(fusion, head, text, image) * weight).sum(), inputs, allow_unused=True)
        return [gradient for gradient in found if gradient is not None]

    for fast, plain in zip(gradients(algebra), gradients(all_pairs), strict=True):
        near.check(fast, plain, relative=1e-4)


def noise_hits(score: Callable[[int], Tensor], seeds: int) -> tuple[int, float]:
    """Count rows whose own column wins, and give the count that chance passes once in some 100,000 times."""
    hits = trials = 0
    size = 0
    for seed in range(seeds):
        scores = score(seed)
        size = len(scores)
        hits += int((scores.argmax(1) == torch.arange(size)).sum())
        trials += size
    chance = 1 / size
    return hits, trials * chance + 4.3 * math.sqrt(trials * chance * (1 - chance)) + 1


@every_case
def test_independent_noise_is_matched_at_chance(case: Case, near: Tolerance) -> None:
    def score(seed: int) -> Tensor:
        fusion, head = both(case, seed=seed)
        return all_pairs(fusion, head, *sides(12, ragged=False, seed=1000 + seed))

    with torch.no_grad():
        hits, bound = noise_hits(score, seeds=12)
    assert hits <= bound


def test_the_noise_test_finds_a_leak() -> None:
    """Fusing image i with its own caption i first, and comparing afterwards, must look far too good."""

    def leaky(seed: int) -> Tensor:
        text, image = sides(12, ragged=False, seed=seed)
        words, regions = text.values.mean(1), image.values.mean(1)
        joined = nn.functional.normalize(words + regions, dim=-1)
        return joined @ joined.T

    hits, bound = noise_hits(leaky, seeds=12)
    assert hits == 144
    assert hits > bound


@every_case
def test_weights_survive_safetensors(case: Case, near: Tolerance) -> None:
    fusion, head = both(case, seed=0)
    other, other_head = both(case, seed=7)
    other.load_state_dict(load(save(fusion.state_dict())))
    other_head.load_state_dict(load(save(head.state_dict())))
    text, image = sides()
    assert torch.equal(head(fusion(text, image)).values, other_head(other(text, image)).values)


@every_case
def test_one_token_per_side_still_reads_both_sides_unless_declared(case: Case, near: Tolerance) -> None:
    """The pooled baseline: attention has a single key, and yet the score must depend on text and image."""
    fusion, head = both(case)
    text, image = (single_token(side) for side in sides(ragged=False))
    other = torch.tensor([1, 2, 3, 0])
    scores = head(fusion(text, image, maps=True)).values
    assert torch.isfinite(scores).all()
    same = 1e-6 if near is FLOAT32 else 2e-2
    changed = {
        "text": (scores - head(fusion(text.take(other), image)).values).abs().max(),
        "image": (scores - head(fusion(text, image.take(other))).values).abs().max(),
    }
    for side, change in changed.items():
        assert (change < same) if side == fusion.unread_with_one_token else (change > 1e-4), side


@every_case
def test_a_side_without_real_tokens_gives_a_finite_score_and_gradient(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    text, image = sides()
    text.valid[0], image.valid[1] = False, False
    inputs = leaves(text, image)
    scores = head(fusion(text, image, maps=True)).values
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    assert all(leaf.grad is None or torch.isfinite(leaf.grad).all() for leaf in inputs)
    near.check(algebra(fusion, head, text, image).diagonal(), scores)


@every_case
def test_no_tensor_is_made_on_an_unnamed_device(case: Case, near: Tolerance) -> None:
    fusion, head = both(case)
    fusion.train()
    head.train()
    text, image = sides()
    rows = {"text_row": torch.tensor([3, 0, 1]), "image_row": torch.tensor([2, 2, 0])}
    leaves(text, image)
    with NoImplicitDevice():
        total = head(fusion(text, image, maps=True)).values.sum()
        total = total + head(fuse_pairs(fusion, text, image, maps=True, **rows)).values.sum()
        for _, fused in fuse_in_chunks(fusion, text, image, **rows):
            total = total + head(fused).values.sum()
        if isinstance(fusion, SimilarityFusion):
            assert isinstance(head, AllPairsHead)
            total = total + head.pool(fusion.similarities(text, image)).values.sum()
        total.backward()
