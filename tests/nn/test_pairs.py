"""All pairs at once: hand-worked numbers, the plain loop, gradients, padding, extremes and the memory budget."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.pairs import kernel_scores, loop_scores, loop_similarities, main, make_pairs
from plait.core.errors import ConfigError, ShapeError, UnknownNameError
from plait.nn import tiles
from plait.nn.pairs import (
    cosine_similarities,
    max_similarities,
    pool_similarities,
    stacked_similarities,
    unit_vectors,
)
from plait.nn.precision import autocast_context
from tests.nn.close import assert_close
from tests.nn.peak import PeakBytes

Kernel = Callable[..., Tensor]
KERNELS = [
    pytest.param(partial(stacked_similarities, temperature=9.0), id="t2i"),
    pytest.param(partial(stacked_similarities, temperature=4.0), id="i2t"),
    pytest.param(partial(stacked_similarities, temperature=60.0), id="sharp"),
    pytest.param(max_similarities, id="max"),
]


def _inputs(dtype: torch.dtype = torch.float32, width: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Random sides with holes, an empty x and an empty y."""
    query, key = torch.randn(5, 4, width, dtype=dtype), torch.randn(6, 7, width, dtype=dtype)
    query_valid, key_valid = torch.rand(5, 4) > 0.3, torch.rand(6, 7) > 0.3
    query_valid[0], key_valid[0] = True, True
    query_valid[2], key_valid[3] = False, False
    return query, query_valid, key, key_valid


def test_one_word_and_two_regions_by_hand() -> None:
    query = torch.tensor([[[5.0, 0.0]]])
    key = torch.tensor([[[2.0, 0.0], [-3.0, 4.0]]])
    one, two = torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    # Cosines 1 and -0.6, clipped 1 and -0.06; each divided by its norm over the one word: 1 and -1. At temperature
    # log(3) / 2 the weights are 3 to 1, the context (3 - 0.6, 0.8), its cosine with (1, 0): 2.4 / sqrt(6.4).
    found = stacked_similarities(query, one, key, two, temperature=math.log(3.0) / 2)
    assert_close(found, torch.tensor([[[2.4 / math.sqrt(6.4)]]]))
    assert max_similarities(query, one, key, two).item() == pytest.approx(1.0)


def test_the_norm_runs_over_the_words_of_the_caption() -> None:
    # Region (1, 0) has cosines 0.6 and 0.8 with the two words, region (0, 1) has 0.8 and 0.6: norms 1 over words.
    query = torch.tensor([[[0.6, 0.8], [0.8, 0.6]]])
    key = torch.eye(2)[None]
    full = torch.ones(1, 2, dtype=torch.bool)
    a, b = math.exp(9 * 0.6), math.exp(9 * 0.8)
    wanted = (0.6 * a + 0.8 * b) / math.hypot(a, b)
    found = stacked_similarities(query, full, key, full, temperature=9.0)
    assert_close(found, torch.tensor([[[wanted, wanted]]]))


@pytest.mark.parametrize("temperature", [4.0, 9.0, 40.0])
def test_the_kernel_equals_the_plain_loop_item_by_item(temperature: float) -> None:
    query, query_valid, key, key_valid = _inputs(torch.float64)
    found = stacked_similarities(query, query_valid, key, key_valid, temperature=temperature)
    for x in range(5):
        for y in range(6):
            words, regions = query[x, query_valid[x]], key[y, key_valid[y]]
            if len(words) and len(regions):
                wanted = loop_similarities(
                    F.normalize(words, dim=1), F.normalize(regions, dim=1)[None], temperature=temperature
                )
                assert_close(found[x, y, query_valid[x]], wanted[0], atol=1e-5, rtol=0)
            else:
                assert not found[x, y].any()
            assert not found[x, y, ~query_valid[x]].any()


def test_the_benchmarks_two_sides_agree_in_values_and_gradients() -> None:
    pairs = make_pairs(images=6, regions=5, captions=9, words=7, width=32)
    seen = []
    for score in (loop_scores, kernel_scores):
        pairs.words.grad = pairs.regions.grad = None
        pairs.words.requires_grad_()
        pairs.regions.requires_grad_()
        scores = score(pairs)
        scores.square().sum().backward()
        seen.append((scores.detach(), pairs.words.grad, pairs.regions.grad))
    assert seen[0][0].shape == (6, 9)
    assert_close(seen[0], seen[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradient_in_float64(kernel: Kernel) -> None:
    query, query_valid, key, key_valid = _inputs(torch.float64, width=3)
    leaves = (query.requires_grad_(), key.requires_grad_())
    assert torch.autograd.gradcheck(lambda q, k: kernel(q, query_valid, k, key_valid), leaves)


@pytest.mark.parametrize("kernel", KERNELS)
def test_small_tiles_give_the_same_values_and_gradients(kernel: Kernel) -> None:
    query, query_valid, key, key_valid = _inputs()
    seen = []
    for budget in (1, 6000, 2**28):
        leaves = query.clone().requires_grad_(), key.clone().requires_grad_()
        found = kernel(leaves[0], query_valid, leaves[1], key_valid, budget_bytes=budget)
        found.sin().sum().backward()
        seen.append((found.detach(), leaves[0].grad, leaves[1].grad))
    assert_close(seen[0], seen[2])
    assert_close(seen[1], seen[2])


@pytest.mark.parametrize("kernel", KERNELS)
def test_padding_and_the_order_of_keys_change_nothing(kernel: Kernel) -> None:
    query, query_valid, key, key_valid = _inputs()
    found = kernel(query, query_valid, key, key_valid)
    for filler in (7.0, float("inf"), float("nan")):
        filled = query.masked_fill(~query_valid[..., None], filler), key.masked_fill(~key_valid[..., None], filler)
        assert_close(kernel(filled[0], query_valid, filled[1], key_valid), found)
    longer = F.pad(key, (0, 0, 0, 3), value=2.0), F.pad(key_valid, (0, 3))
    assert_close(kernel(query, query_valid, *longer), found)
    turn = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    assert_close(kernel(query, query_valid, key[:, turn], key_valid[:, turn]), found)
    swapped = torch.tensor([4, 2, 0, 1, 3])
    assert_close(kernel(query[swapped], query_valid[swapped], key, key_valid), found[swapped])


def test_padding_gets_no_gradient() -> None:
    query, query_valid, key, key_valid = _inputs()
    leaves = query.requires_grad_(), key.requires_grad_()
    stacked_similarities(leaves[0], query_valid, leaves[1], key_valid, temperature=9.0).sum().backward()
    assert not query.grad[~query_valid].any()
    assert not key.grad[~key_valid].any()
    assert query.grad[0].any()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", ["zeros", "equal", "opposite", "orthogonal", "huge", "small"])
def test_extremes_stay_finite_and_in_range(kernel: Kernel, case: str) -> None:
    one = torch.randn(8)
    sides = {
        "zeros": (torch.zeros(2, 3, 8), torch.zeros(2, 4, 8)),
        "equal": (one.expand(2, 3, 8), one.expand(2, 4, 8)),
        # The attended vectors cancel out: a context of no length.
        "opposite": (one.expand(2, 3, 8), torch.stack([one, -one, one, -one]).expand(2, 4, 8)),
        "orthogonal": (torch.eye(8)[:3].expand(2, 3, 8), torch.eye(8)[4:].expand(2, 4, 8)),
        "huge": (torch.randn(2, 3, 8) * 1e30, torch.randn(2, 4, 8) * 1e30),
        "small": (torch.randn(2, 3, 8) * 1e-9, torch.randn(2, 4, 8) * 1e-9),
    }
    query, key = (side.clone().requires_grad_() for side in sides[case])
    found = kernel(query, torch.ones(2, 3, dtype=torch.bool), key, torch.ones(2, 4, dtype=torch.bool))
    found.sum().backward()
    assert found.abs().max() <= 1.001
    assert query.grad.isfinite().all()
    assert key.grad.isfinite().all()
    if case in ("huge", "small"):
        plain = kernel(
            F.normalize(sides[case][0].double(), dim=2),
            torch.ones(2, 3, dtype=torch.bool),
            F.normalize(sides[case][1].double(), dim=2),
            torch.ones(2, 4, dtype=torch.bool),
        )
        assert_close(found, plain.float(), atol=1e-5, rtol=0)


def test_a_real_nan_is_not_hidden() -> None:
    query, query_valid, key, key_valid = _inputs()
    query[0, 0, 0] = float("nan")
    assert stacked_similarities(query, query_valid, key, key_valid, temperature=9.0)[0].isnan().any()


@pytest.mark.parametrize(("queries", "keys", "width"), [(12, 36, 64), (36, 12, 64), (4, 49, 16), (12, 36, 256)])
def test_memory_stays_in_the_budget(queries: int, keys: int, width: int) -> None:
    query, key = torch.randn(40, queries, width, requires_grad=True), torch.randn(30, keys, width, requires_grad=True)
    query_valid, key_valid = torch.ones(40, queries, dtype=torch.bool), torch.ones(30, keys, dtype=torch.bool)
    key_valid[:, -1] = False
    budget = 2**20
    with PeakBytes() as memory:
        found = stacked_similarities(query, query_valid, key, key_valid, temperature=9.0, budget_bytes=budget)
        kept = memory.peak
        found.backward(torch.ones_like(found))
    sides, result = 4 * (query.numel() + key.numel()), 4 * found.numel()
    assert kept <= budget + 2 * sides + result
    # The way back holds the unit vectors, their gradients and the gradients of what they were made from.
    assert memory.peak <= budget + 4 * sides + 2 * result


def test_the_counter_of_bytes_counts() -> None:
    with PeakBytes() as memory:
        first = torch.zeros(1000)
        second = first + 1
        del first
        third = second * 2
    assert memory.peak == 8000
    assert third.sum() == 2000


def test_bfloat16_products_come_close_and_results_are_float32() -> None:
    query, query_valid, key, key_valid = _inputs(width=32)
    with autocast_context("fp32"):
        exact = stacked_similarities(query, query_valid, key, key_valid, temperature=9.0)
    low = stacked_similarities(query.bfloat16(), query_valid, key.bfloat16(), key_valid, temperature=9.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        leaf = query.clone().requires_grad_()
        cast = stacked_similarities(leaf, query_valid, key, key_valid, temperature=9.0)
    cast.sum().backward()
    assert leaf.grad.isfinite().all()
    for found in (low, cast):
        assert found.dtype == torch.float32
        assert 0 < (found - exact).abs().max() < 0.03


def test_tiles_cover_every_pair_once_and_put_like_lengths_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE_X", 2)
    valid = torch.arange(6) < torch.tensor([[6], [1], [0], [5], [2]])
    plan = tiles.plan_tiles(valid, valid, width=4, item_bytes=4, budget_bytes=2**20)
    assert sorted(row for side in plan.x for row in side.rows.tolist()) in ([0, 1, 3, 4], [0, 1, 2, 3, 4])
    assert [side.length for side in plan.x] == [1, 5, 6]


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_items_give_no_similarities(kernel: Kernel) -> None:
    query, query_valid, key, key_valid = _inputs()
    assert kernel(query[:0], query_valid[:0], key, key_valid).shape == (0, 6, 4)
    assert kernel(query, query_valid, key[:0], key_valid[:0]).shape == (5, 0, 4)


def test_cosines_by_hand() -> None:
    found = cosine_similarities(torch.tensor([[2.0, 0.0], [3.0, 3.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    assert_close(found, torch.tensor([[1.0, math.sqrt(0.5), 0.0]]))


def test_unit_vectors_of_nothing_are_nothing_without_gradient() -> None:
    values = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    units = unit_vectors(values)
    units.sum().backward()
    assert_close(units, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))
    assert_close(values.grad, torch.tensor([[0.0, 0.0], [0.032, -0.024]]))


def test_pools_by_hand() -> None:
    values = torch.tensor([[0.5, 0.1, 0.9], [0.2, 0.3, 0.4]])
    valid = torch.tensor([[True, True, False], [False, False, False]])
    assert_close(pool_similarities(values, valid), torch.tensor([0.3, 0.0]))
    assert_close(pool_similarities(values, valid, pool="sum"), torch.tensor([0.6, 0.0]))
    wanted = math.log(math.exp(3.0) + math.exp(0.6)) / 6
    assert_close(pool_similarities(values, valid, pool="lse"), torch.tensor([wanted, 0.0]))


@pytest.mark.parametrize("pool", ["mean", "sum", "lse"])
def test_pools_take_no_gradient_from_padding(pool: str) -> None:
    values = torch.randn(2, 3, 4, requires_grad=True)
    valid = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()
    pool_similarities(values, valid, pool=pool).sum().backward()
    assert torch.equal(values.grad != 0, valid.expand(2, 3, 4))


def test_bad_arguments_are_refused() -> None:
    query, query_valid, key, key_valid = _inputs()
    with pytest.raises(ShapeError, match="key should have D = 6 as query has"):
        max_similarities(query, query_valid, key[..., :4], key_valid)
    with pytest.raises(ShapeError, match="key_valid should be a bool mask"):
        max_similarities(query, query_valid, key, key_valid.float())
    with pytest.raises(ConfigError, match="temperature should be above 0, got 0"):
        stacked_similarities(query, query_valid, key, key_valid, temperature=0)
    with pytest.raises(ConfigError, match="budget_bytes should be above 0, got 0"):
        max_similarities(query, query_valid, key, key_valid, budget_bytes=0)
    with pytest.raises(UnknownNameError, match="unknown pool 'maen'; did you mean 'mean'"):
        pool_similarities(query[..., 0], query_valid, pool="maen")
    with pytest.raises(ConfigError, match="lse_scale should be above 0, got 0"):
        pool_similarities(query[..., 0], query_valid, pool="lse", lse_scale=0)


def test_the_benchmark_prints_what_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"images": 4, "regions": 5, "captions": 6, "words": 4, "width": 16, "repeats": 1, "training-repeats": 1}
    small = [part for name, size in sizes.items() for part in (f"--{name}", str(size))]
    with autocast_context("fp32"):
        assert main([*small, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"loop_pairs_s", "kernel_pairs_s", "ratio", "max_difference", "training_ratio"}
    assert result["max_difference"] < 1e-4
    assert result["ratio"] == pytest.approx(result["kernel_pairs_s"] / result["loop_pairs_s"])
    assert main([*small[:-1], "0"]) == 0
    assert "pairs/s" in capsys.readouterr().out
