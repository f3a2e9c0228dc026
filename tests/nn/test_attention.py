"""Attention: hand-worked weights, two paths for one formula, rows with nothing to read."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from plait.core.errors import ConfigError, ShapeError
from plait.nn.attention import MultiHeadAttention, attend, attend_rows, attention_weights
from plait.nn.blocks import CrossBlock, FeedForward, SelfBlock
from tests.nn.close import assert_close

NO_ROWS = (torch.ones(1, 5).bool(), torch.empty(0, dtype=torch.int64))


def _inputs(*, dtype: torch.dtype = torch.float32, heads: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows with all, some, one and no real keys."""
    query, key, value = (torch.randn(4, heads, n, 6, dtype=dtype) for n in (3, 5, 5))
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    return query, key, value, valid


def test_weights_by_hand() -> None:
    query = torch.tensor([[[2.0, 0.0]]])
    key = torch.tensor([[[math.log(3.0) / math.sqrt(2.0), 0.0], [0.0, 7.0], [9.0, 9.0]]])
    # 2 log(3) / sqrt(2) / sqrt(2) = log 3 against 0, the third key being padding: 3 to 1.
    weights = attention_weights(query, key, torch.tensor([[True, True, False]]))
    assert_close(weights, torch.tensor([[[0.75, 0.25, 0.0]]]))


def test_weights_of_real_rows_sum_to_one_and_of_empty_rows_to_zero() -> None:
    query, key, _, valid = _inputs()
    weights = attention_weights(query, key, valid)
    assert torch.equal(weights[:, 0, 0] > 0, valid)
    assert_close(weights.sum(-1), torch.tensor([1.0, 1, 1, 0])[:, None, None].expand(4, 2, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_paths_agree_forward_and_backward(dtype: torch.dtype) -> None:
    query, key, value, valid = _inputs(dtype=dtype)
    seen = []
    for path in ("plain", "fused"):
        leaves = [part.clone().requires_grad_() for part in (query, key, value)]
        out = attend(*leaves, valid, path=path)
        out.square().sum().backward()
        assert torch.equal(out[3], torch.zeros_like(out[3]))
        assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)
        seen.append([out, *(leaf.grad for leaf in leaves)])
    assert_close(seen[0], seen[1])
    assert_close(seen[0][0], attention_weights(query, key, valid) @ value)


def test_auto_picks_by_size_and_agrees() -> None:
    query, key = torch.randn(2, 2, 60, 4), torch.randn(2, 2, 50, 4)
    valid = torch.rand(2, 50) > 0.3
    assert_close(attend(query, key, key, valid), attend(query, key, key, valid, path="plain"))
    small = query[:, :, :3], key[:, :, :5], key[:, :, :5], valid[:, :5]
    assert_close(attend(*small), attend(*small, path="fused"))


@pytest.mark.parametrize("path", ["plain", "fused"])
def test_gradient_in_float64(path: str) -> None:
    query, key, value, valid = _inputs(dtype=torch.float64, heads=1)
    leaves = [part.requires_grad_() for part in (query, key, value)]
    assert torch.autograd.gradcheck(lambda q, k, v: attend(q, k, v, valid, path=path), leaves)


def test_softmax_runs_in_float32_for_bfloat16() -> None:
    query, key, _, valid = _inputs()
    low = attention_weights(query.bfloat16(), key.bfloat16(), valid)
    assert low.dtype == torch.bfloat16
    exact = attention_weights(query.bfloat16().float(), key.bfloat16().float(), valid)
    assert_close(low.float(), exact, atol=1e-2, rtol=2e-2)


def test_permuting_keys_with_values_changes_nothing_but_values_alone_do() -> None:
    query, key, value, _ = _inputs()
    valid = torch.ones(4, 5, dtype=torch.bool)
    turn = torch.tensor([2, 0, 1, 4, 3])
    out = attend(query, key, value, valid)
    assert_close(attend(query, key[:, :, turn], value[:, :, turn], valid), out)
    assert (attend(query, key, value[:, :, turn], valid) - out).abs().max() > 0.1


def test_attention_refuses_what_does_not_fit() -> None:
    query, key, value, valid = _inputs()
    with pytest.raises(ShapeError, match="key should have D = 6 as query has"):
        attend(query, key[..., :5], value, valid)
    with pytest.raises(ShapeError, match="value should have K = 5 as key has"):
        attend(query, key, value[:, :, :4], valid)
    with pytest.raises(ShapeError, match="key_valid should be a bool mask"):
        attention_weights(query, key, valid.float())


def test_multi_head_agrees_with_and_without_weights_and_ignores_padding() -> None:
    module = MultiHeadAttention(8, heads=2, key_width=5)
    query, key = torch.randn(3, 4, 8), torch.randn(3, 6, 5)
    valid = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    out, none = module(query, key, valid)
    again, weights = module(query, key, valid, weights=True)
    assert none is None
    assert weights.shape == (3, 2, 4, 6)
    assert_close(out, again)
    changed = key.masked_fill(~valid[..., None], 50.0)
    assert_close(module(query, changed, valid)[0], out)
    assert_close(module(query[:1], key[:1, :4], valid[:1, :4])[0], out[:1])
    # Nothing to read: what remains is the output's bias, the same for every query.
    assert_close(out[2], module.out.bias.expand(4, 8))


def test_one_head_with_unit_projections_is_plain_attention() -> None:
    module = MultiHeadAttention(4, heads=1)
    with torch.no_grad():
        module.query.weight.copy_(torch.eye(4))
        module.key_value.weight.copy_(torch.eye(4).repeat(2, 1))
        module.out.weight.copy_(torch.eye(4))
    query, key, valid = torch.randn(2, 3, 4), torch.randn(2, 5, 4), torch.rand(2, 5) > 0.2
    assert_close(module(query, key, valid)[0], attend(query, key, key, valid))


def test_multi_head_refuses_an_odd_width() -> None:
    with pytest.raises(ConfigError, match="width should be a multiple of heads, got width 10 and heads 4"):
        MultiHeadAttention(10, heads=4)


def test_blocks_ignore_padding_and_give_every_parameter_a_gradient() -> None:
    cross, same = CrossBlock(8, heads=2), SelfBlock(8, heads=2, ratio=2)
    query, key = torch.randn(2, 3, 8), torch.randn(2, 4, 8)
    valid = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).bool()
    changed = key.masked_fill(~valid[..., None], 9.0)
    assert_close(cross(query, key, valid)[0], cross(query, changed, valid)[0])
    assert_close(same(key, valid)[valid], same(changed, valid)[valid])
    assert cross(query, key, valid, weights=True)[1].shape == (2, 2, 3, 4)
    (cross(query, key, valid)[0].square().sum() + same(key, valid)[valid].square().sum()).backward()
    for name, parameter in [*cross.named_parameters(), *same.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_feed_forward_widths() -> None:
    feed = FeedForward(6, ratio=2.5)
    assert feed.widen.weight.shape == (15, 6)
    assert feed(torch.zeros(2, 3, 6)).shape == (2, 3, 6)


def test_rows_of_queries_share_keys_and_agree_with_copies() -> None:
    torch.manual_seed(0)
    query = torch.randn(7, 3, 2, 4, requires_grad=True)
    key, value = torch.randn(4, 5, 2, 4, requires_grad=True), torch.randn(4, 5, 2, 6, requires_grad=True)
    valid = torch.rand(4, 5) < 0.6
    valid[1] = False  # a row without real keys
    row = torch.tensor([2, 0, 2, 3, 1, 0, 2])  # unsorted, of unequal counts
    shared = attend_rows(query, key, value, valid, row)
    heads_first = [part.transpose(1, 2) for part in (query, key[row], value[row])]
    copied = attend(*heads_first, valid[row]).transpose(1, 2)
    assert_close(shared, copied)
    assert shared[4].eq(0).all()
    weight = torch.randn_like(shared)
    found = torch.autograd.grad((shared * weight).sum(), (query, key, value))
    expected = torch.autograd.grad((copied * weight).sum(), (query, key, value))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


def test_rows_of_queries_may_be_none() -> None:
    found = attend_rows(torch.ones(0, 3, 2, 4), torch.ones(1, 5, 2, 4), torch.ones(1, 5, 2, 6), *NO_ROWS)
    assert found.shape == (0, 3, 2, 6)


def test_rows_of_queries_refuse_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="key"):
        attend_rows(torch.ones(1, 3, 2, 4), torch.ones(1, 5, 3, 4), torch.ones(1, 5, 2, 6), *NO_ROWS)
    attention = MultiHeadAttention(8, heads=2)
    with pytest.raises(ShapeError, match="aligned rows"):
        attention(
            torch.ones(1, 3, 8), torch.ones(1, 5, 8), NO_ROWS[0], row=torch.zeros(1, dtype=torch.int64), weights=True
        )


def test_blocks_that_leave_padding_out_agree_with_blocks_that_do_not() -> None:
    torch.manual_seed(0)
    own, cross = SelfBlock(8, heads=2).eval(), CrossBlock(8, heads=2).eval()
    query, valid = torch.randn(5, 4, 8), torch.rand(5, 4) < 0.5
    key, key_valid = torch.randn(2, 6, 8), torch.rand(2, 6) < 0.7
    row = torch.tensor([1, 0, 1, 1, 0])
    packed = cross.forward_rows(query, valid, key, key_valid, row)
    plain = cross(query, key[row], key_valid[row])[0]
    assert_close(packed[valid], plain[valid])
    assert packed[~valid].eq(0).all()
    for one in range(5):  # a text alone, without padding, takes the other path
        alone = own(query[one : one + 1, valid[one]], valid[one : one + 1, valid[one]])
        assert_close(own(query, valid)[one, valid[one]], alone[0])
    assert own(query, valid)[~valid].eq(0).all()
