"""Finer grids in the cache: they come back row by row, and shards without them are what they always were."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from plait.core.errors import InputError, ShapeError
from plait.core.types import Level, Tokens
from plait.data.batch import TokenViews, join_tokens
from plait.data.tokens.cache import build_store
from plait.data.tokens.shards import open_shard, shard_is_intact, write_shard


def plain(items: Sequence[int]) -> Tokens:
    values = torch.tensor(items, dtype=torch.float32)[:, None, None].expand(-1, 6, 3).contiguous()
    return Tokens(values, torch.ones(len(items), 6, dtype=torch.bool), grid=(2, 3))


def levelled(items: Sequence[int]) -> Tokens:
    number = torch.tensor(items, dtype=torch.float32)[:, None, None]
    middle = number * 100 + torch.arange(24.0)[None, :, None].expand(len(items), -1, 2)
    fine = number + torch.arange(96.0)[None, :, None].expand(len(items), -1, 1) / 64
    return replace(plain(items), levels=(Level(middle, (4, 6)), Level(fine, (8, 12))))


def test_levels_come_back_row_by_row(tmp_path: Path) -> None:
    store = build_store(tmp_path, {"a": "b"}, range(10), levelled, shard_items=4)
    tokens = store.take(torch.tensor([9, 0, 9]))
    assert [(level.grid, tuple(level.values.shape)) for level in tokens.levels] == [
        ((4, 6), (3, 24, 2)),
        ((8, 12), (3, 96, 1)),
    ]
    assert tokens.levels[0].values.dtype == torch.float32
    assert tokens.levels[0].values[0, 23].tolist() == [923.0, 923.0]
    assert tokens.levels[1].values[1, 32].tolist() == [0.5]
    assert store.levels == (((4, 6), 2), ((8, 12), 1))
    assert torch.equal(store.subset([3, 9]).take(torch.tensor([1])).levels[0].values, tokens.levels[0].values[:1])
    again = build_store(tmp_path, {"a": "b"}, range(10), levelled, shard_items=4)
    assert torch.equal(again.take(torch.tensor([9])).levels[1].values, tokens.levels[1].values[:1])


def test_a_level_beyond_float16_is_kept_as_bfloat16(tmp_path: Path) -> None:
    tokens = levelled([1, 2])
    large = replace(tokens, levels=(replace(tokens.levels[0], values=tokens.levels[0].values * 2.0**10),))
    store = build_store(tmp_path, {"a": "b"}, range(2), lambda items: large)
    assert store.take(torch.tensor([1])).levels[0].values[0, 0, 0] == 200 * 2.0**10


def test_shards_without_levels_are_as_before(tmp_path: Path) -> None:
    write_shard(tmp_path / "s", plain([4, 5]), [0, 1])
    data = (tmp_path / "s").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack_from("<Q", data, 0)[0]])
    assert set(header) == {"__metadata__", "items", "lengths", "values"}
    assert set(header["__metadata__"]) == {"format", "grid", "crc32"}
    shard = open_shard(tmp_path / "s")
    assert shard is not None
    assert (shard.levels, shard.level_grids) == ((), ())
    store = build_store(tmp_path, {"a": "b"}, range(3), plain)
    assert store.levels == ()
    assert store.take(torch.tensor([2])).levels == ()


def test_a_shard_that_lost_a_level_is_none(tmp_path: Path) -> None:
    write_shard(tmp_path / "s", levelled([4, 5]), [0, 1])
    assert shard_is_intact(tmp_path / "s", [0, 1])
    data = (tmp_path / "s").read_bytes()
    (tmp_path / "t").write_bytes(data.replace(b'"level1"', b'"levelX"'))
    assert open_shard(tmp_path / "t") is None


def test_unusable_levels_are_refused(tmp_path: Path) -> None:
    tokens = levelled([4, 5])
    short = replace(tokens, levels=(Level(torch.zeros(2, 23, 2), (4, 6)),))
    with pytest.raises(
        ShapeError, match=r"level 0 on a \(4, 6\) grid: expected \(2, h \* w, D\) values, got \(2, 23, 2\)"
    ):
        write_shard(tmp_path / "s", short, [0, 1])
    broken = replace(tokens, levels=(Level(torch.full((2, 24, 2), torch.nan), (4, 6)),))
    with pytest.raises(InputError, match=r"not finite for item number 7"):
        write_shard(tmp_path / "s", broken, [7, 8])

    def changing(items: list[int]) -> Tokens:
        return levelled(items) if 0 in items else plain(items)

    with pytest.raises(ShapeError, match=r"grid, no boxes, levels\) from .*4, 6.* to "):
        build_store(tmp_path, {"c": "d"}, range(4), changing, shard_items=2)


def test_views_agree_on_levels_and_batches_carry_them(tmp_path: Path) -> None:
    one = build_store(tmp_path, {"v": "full"}, range(4), levelled)
    two = build_store(tmp_path, {"v": "flip"}, [10, 11, 12, 13], levelled)
    tokens = TokenViews((one, two)).take(torch.tensor([3, 2, 1]), torch.tensor([0, 1, 0]))
    assert tokens.levels[0].values[:, 0, 0].tolist() == [300.0, 1200.0, 100.0]
    assert join_tokens([levelled([1]), levelled([2, 3])]).levels[1].values.shape == (3, 96, 1)
    with pytest.raises(ShapeError, match=r"expected stores of one \(width, pooled width, grid, levels\)"):
        TokenViews((one, build_store(tmp_path, {"v": "none"}, range(4), plain)))
