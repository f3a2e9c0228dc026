"""The token cache: round trips, resuming, damage, two builders, a full disk, clearing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from plait.core.errors import InputError, ShapeError, StorageError
from plait.core.types import Tokens
from plait.data.tokens import cache
from plait.data.tokens.cache import build_store, cache_root, clear_stores, list_stores, open_store
from plait.data.tokens.shards import open_shard, shard_is_intact, write_shard

KEY = {"data": "abc", "encoder": "toy"}


class Texts:
    """Encode a text of n letters to n tokens whose values tell the text and the place."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, items: list[str]) -> Tokens:
        self.calls.append(items)
        longest = max(map(len, items))
        values = torch.full((len(items), longest, 2), 1e4)  # padding that must not come back
        valid = torch.zeros(len(items), longest, dtype=torch.bool)
        for row, item in enumerate(items):
            valid[row, : len(item)] = True
            values[row, : len(item), 0] = torch.tensor([ord(letter) for letter in item], dtype=torch.float32)
            values[row, : len(item), 1] = torch.arange(len(item))
        return Tokens(values, valid, pooled=torch.tensor([[float(len(item))] for item in items]))


def images(items: Sequence[int]) -> Tokens:
    values = torch.tensor(items, dtype=torch.float32)[:, None, None].expand(-1, 6, 3).contiguous()
    return Tokens(values, torch.ones(len(items), 6, dtype=torch.bool), grid=(2, 3), pooled=values[:, 0])


WORDS = ["dog", "a", "elephants", "of", "x", "bird", "ab"]


def test_texts_come_back_by_their_number_and_unpadded(tmp_path: Path) -> None:
    encode = Texts()
    store = build_store(tmp_path, KEY, WORDS, encode, shard_items=3, size_of=len)
    assert [[len(text) for text in call] for call in encode.calls] == [[1, 1, 2], [2, 3, 4], [9]]
    assert store.lengths.tolist() == [3, 1, 9, 2, 1, 4, 2]
    tokens = store.take(torch.tensor([5, 0, 5]))
    assert tokens.values.shape == (3, 4, 2)
    assert tokens.values.dtype == torch.float32
    assert tokens.values[1].tolist() == [[100, 0], [111, 1], [103, 2], [0, 0]]
    assert tokens.valid.tolist() == [[True] * 4, [True] * 3 + [False], [True] * 4]
    assert tokens.pooled is not None
    assert tokens.pooled.tolist() == [[4.0], [3.0], [4.0]]
    assert (len(store), store.width, store.pooled_width, store.grid) == (7, 2, 1, None)


def test_images_keep_their_grid_and_boxes(tmp_path: Path) -> None:
    store = build_store(tmp_path, KEY, range(10), images, shard_items=4)
    tokens = store.take(torch.tensor([9, 0]))
    assert tokens.grid == (2, 3)
    assert tokens.values[:, 0, 0].tolist() == [9.0, 0.0]
    assert tokens.valid.all()

    def regions(items: list[int]) -> Tokens:
        plain = images(items)
        boxes = torch.rand(len(items), 6, 4, generator=torch.Generator().manual_seed(0))
        return Tokens(plain.values, plain.valid, boxes=boxes)

    boxed = build_store(tmp_path, {"other": "key"}, range(4), regions)
    again = torch.rand(4, 6, 4, generator=torch.Generator().manual_seed(0))
    assert boxed.take(torch.tensor([2])).boxes is not None
    assert torch.equal(boxed.take(torch.tensor([2])).boxes, again[2:3])  # type: ignore[arg-type]
    assert boxed.pooled_width is None


def test_values_beyond_float16_are_kept_as_bfloat16(tmp_path: Path) -> None:
    def encode(items: list[int]) -> Tokens:
        values = torch.tensor([[[2.0**i, 1.0009765625]] for i in items])
        return Tokens(values, torch.ones(len(items), 1, dtype=torch.bool), pooled=values[:, 0, :1] / 2**10)

    store = build_store(tmp_path, KEY, range(20), encode, shard_items=10)
    tokens = store.take(torch.tensor([19, 3]))
    assert tokens.values[:, 0, 0].tolist() == [2.0**19, 8.0]
    assert tokens.values[:, 0, 1].tolist() == [1.0, 1.0009765625]  # 10 bits of fraction in one shard, 7 in the other
    assert tokens.pooled is not None
    assert tokens.pooled.flatten().tolist() == [2.0**9, 2.0**-7]


def test_a_second_call_computes_nothing(tmp_path: Path) -> None:
    build_store(tmp_path, KEY, WORDS, Texts(), shard_items=3)
    seen: list[tuple[int, int]] = []
    encode = Texts()
    build_store(tmp_path, dict(reversed(KEY.items())), WORDS, encode, progress=lambda *done: seen.append(done))
    assert encode.calls == []
    assert seen == [(7, 7)]
    assert open_store(tmp_path, {**KEY, "encoder": "another"}) is None


def test_finished_shards_survive_an_interruption(tmp_path: Path) -> None:
    encode = Texts()

    def stop(items: list[str]) -> Tokens:
        if len(encode.calls) == 2:
            raise KeyboardInterrupt
        return encode(items)

    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path, KEY, WORDS, stop, shard_items=3)
    assert open_store(tmp_path, KEY) is None
    assert [info.complete for info in list_stores(tmp_path)] == [False]
    rest, seen = Texts(), []
    store = build_store(tmp_path, KEY, WORDS, rest, shard_items=3, progress=lambda done, _: seen.append(done))
    assert rest.calls == [["ab"]]
    assert seen == [3, 6, 7]
    fresh = build_store(tmp_path / "fresh", KEY, WORDS, Texts(), shard_items=3)
    every = torch.arange(7)
    assert torch.equal(store.take(every).values, fresh.take(every).values)


BUILDER = """
import sys, time, torch
from pathlib import Path
from plait.core.types import Tokens
from plait.data.tokens.cache import build_store
torch.set_num_threads(1)
def encode(items):
    print(items[0], flush=True)
    time.sleep(float(sys.argv[2]))
    values = torch.tensor(items, dtype=torch.float32)[:, None, None].expand(-1, 500, 64)
    return Tokens(values, torch.ones(len(items), 500, dtype=torch.bool))
store = build_store(Path(sys.argv[1]), {"k": "v"}, range(40), encode, shard_items=4)
print("done", store.take(torch.tensor([39]))  .values[0, 0, 0].item(), flush=True)
"""


def start(root: Path, pause_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(root), str(pause_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow  # starts a new Python with torch
def test_kill_9_then_go_on(tmp_path: Path) -> None:
    first = start(tmp_path, 0.02)
    assert first.stdout is not None
    for line in first.stdout:
        if line.strip() == "16":
            first.send_signal(signal.SIGKILL)
            break
    first.wait()
    first.stdout.close()
    (folder,) = (tmp_path / "tokens").iterdir()
    assert not (folder / "index.json").exists()
    kept = sorted(folder.glob("shard-*"))
    assert len(kept) >= 4
    stray = folder / ".shard-00009.safetensors.1.x.tmp"
    stray.write_bytes(b"half")
    second = start(tmp_path, 0.0)
    out, _ = second.communicate(timeout=60)
    lines = out.split("\n")
    assert lines[0] == str(4 * len(kept))
    assert "done 39.0" in lines
    assert not stray.exists()


@pytest.mark.slow  # starts a new Python with torch
def test_two_builders_share_the_work(tmp_path: Path) -> None:
    builders = [start(tmp_path, 0.03) for _ in range(2)]
    outs = [builder.communicate(timeout=60)[0].split() for builder in builders]
    assert all(out[-2:] == ["done", "39.0"] for out in outs)
    encoded = sorted(int(word) for out in outs for word in out[:-2])
    assert encoded == list(range(0, 40, 4))


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "other items"])
def test_damaged_shards_are_made_again(tmp_path: Path, damage: str) -> None:
    store = build_store(tmp_path, KEY, WORDS, Texts(), shard_items=3)
    every = torch.arange(7)
    before, path = store.take(every).values, store.path / "shard-00001.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "flip":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        (store.path / "index.json").unlink()
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes((store.path / "shard-00000.safetensors").read_bytes())
        (store.path / "index.json").unlink()
    encode = Texts()
    again = build_store(tmp_path, KEY, WORDS, encode, shard_items=3)
    assert encode.calls == [WORDS[3:6]]
    assert torch.equal(again.take(every).values, before)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 20, b"\x05\0\0\0\0\0\0\0{}   ", b"\x02\0\0\0\0\0\0\0[]"])
def test_files_that_are_no_shards(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    assert open_shard(tmp_path / "x") is None
    assert not shard_is_intact(tmp_path / "x", [0])


def test_unusable_tokens_are_refused(tmp_path: Path) -> None:
    def broken(items: list[int]) -> Tokens:
        tokens = images(items)
        values = tokens.values.clone()
        values[items.index(5), 1, 1] = float("nan")
        return Tokens(values, tokens.valid)

    with pytest.raises(InputError, match=r"not finite for item number 5; .*fp32"):
        build_store(tmp_path, KEY, range(8), broken)
    with pytest.raises(ShapeError, match=r"encoding 8 items gave tokens of 7"):
        build_store(tmp_path, KEY, range(8), lambda items: images(items[1:]))
    holes = images([1, 2])
    holes.valid[0, 0] = False
    with pytest.raises(ShapeError, match=r"expected h \* w valid tokens"):
        write_shard(tmp_path / "a", holes, [1, 2])

    def change(items: list[int]) -> Tokens:
        tokens = images(items)
        return tokens if items[0] == 0 else Tokens(tokens.values, tokens.valid, pooled=tokens.pooled)

    with pytest.raises(ShapeError, match=r"the encoder changed .* from \(3, 3, \(2, 3\), True, \(\)\) to \(3, 3, None"):
        build_store(tmp_path, KEY, range(8), change, shard_items=4)
    with pytest.raises(InputError, match=r"nothing to encode"):
        build_store(tmp_path, KEY, [], images)
    build_store(tmp_path, KEY, range(8), images)
    with pytest.raises(InputError, match=r"holds 8 items for a key that now has 9"):
        build_store(tmp_path, KEY, range(9), images)


def test_wrong_indices_are_refused(tmp_path: Path) -> None:
    store = build_store(tmp_path, KEY, range(4), images)
    for wrong in (torch.tensor([4]), torch.tensor([-1]), torch.tensor([[0]]), torch.tensor([], dtype=torch.int64)):
        with pytest.raises(ShapeError, match=r"index of items in \[0, 4\)"):
            store.take(wrong)


def test_a_full_disk_says_what_is_needed_and_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = cache.write_shard, []

    def full(path: Path, tokens: Tokens, items: Sequence[int]) -> int:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        return real(path, tokens, items)

    monkeypatch.setattr(cache, "write_shard", full)
    with pytest.raises(StorageError, match=r"the disk is full: about \S+ MB more needed.*2 of 5 shards .* PLAIT_CACHE"):
        build_store(tmp_path, KEY, range(10), images, shard_items=2)
    monkeypatch.undo()
    done: list[int] = []
    build_store(tmp_path, KEY, range(10), lambda items: done.append(items[0]) or images(items), shard_items=2)  # type: ignore[func-returns-value]
    assert done == [4, 6, 8]


def test_too_little_room_is_said_after_the_first_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(StorageError, match=r"the disk is full.*1 of 5 shards are finished and kept"):
        build_store(tmp_path, KEY, range(10), images, shard_items=2)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot be written: Not a directory; choose another folder.*PLAIT_CACHE"):
        build_store(tmp_path / "file", KEY, range(4), images)

    def fails(*_: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(cache, "write_shard", fails)
    with pytest.raises(OSError, match="Input/output error"):
        build_store(tmp_path, KEY, range(4), images)
    monkeypatch.setattr(cache, "write_shard", lambda *_: 0)
    with pytest.raises(StorageError, match="cannot be read back"):
        build_store(tmp_path, KEY, range(4), images)


def test_listing_and_clearing(tmp_path: Path) -> None:
    assert list_stores(tmp_path) == []
    for name in ("one", "two", "three"):
        build_store(tmp_path, {"encoder": name}, range(4), images)
    old = next(info for info in list_stores(tmp_path) if info.key["encoder"] == "one")
    os.utime(old.path / "key.json", (time.time() - 1000, time.time() - 1000))
    assert list_stores(tmp_path)[-1].key == {"encoder": "one"}
    assert old.complete
    assert old.items == 4
    assert old.size_bytes > 4 * 6 * 3 * 2
    with pytest.raises(InputError, match="nothing to clear was named"):
        clear_stores(tmp_path)
    assert [info.key["encoder"] for info in clear_stores(tmp_path, older_s=500)] == ["one"]
    assert [info.key["encoder"] for info in clear_stores(tmp_path, name="two")] == ["two"]
    assert open_store(tmp_path, {"encoder": "two"}) is None
    assert len(clear_stores(tmp_path, everything=True)) == 1
    assert list_stores(tmp_path) == []


def test_clearing_leaves_a_store_at_work_alone(tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(items: list[int]) -> Tokens:
        inside.set()
        go.wait(10)
        return images(items)

    worker = threading.Thread(target=build_store, args=(tmp_path, KEY, range(4), slow))
    worker.start()
    assert inside.wait(10)
    assert clear_stores(tmp_path, everything=True) == []
    go.set()
    worker.join(10)
    assert open_store(tmp_path, KEY) is not None


def test_broken_index_and_key_files(tmp_path: Path) -> None:
    store = build_store(tmp_path, KEY, range(4), images)
    for content in ("[]", "{", '{"items": 4, "shards": [["shard-00000.safetensors"]]}', '{"items": 5, "shards": []}'):
        (store.path / "index.json").write_text(content)
        assert open_store(tmp_path, KEY) is None
    (store.path / "key.json").write_text("nonsense")
    assert list_stores(tmp_path) == []
    assert len(build_store(tmp_path, KEY, range(4), images)) == 4
    assert json.loads((store.path / "key.json").read_text())["key"] == KEY


def test_the_maps_are_released_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.data.tokens.store._RELEASE_BYTES", 10)
    store = build_store(tmp_path, KEY, range(10), images, shard_items=3)
    for number in (3, 9, 3):
        assert store.take(torch.tensor([number])).values[0, 5, 2] == number


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", "~/here")
    assert cache_root() == Path.home() / "here"
    monkeypatch.delenv("PLAIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_root() == Path("/xdg/plait")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "plait"


def test_a_part_of_what_was_encoded_is_read_not_made_again(tmp_path: Path) -> None:
    whole = build_store(tmp_path, KEY, WORDS, Texts(), shard_items=3, names=WORDS)
    part = ["bird", "a", "dog"]
    encode, seen = Texts(), []
    store = build_store(
        tmp_path, {**KEY, "data": "part"}, part, encode, names=part, progress=lambda *done: seen.append(done)
    )
    assert (encode.calls, seen, len(store)) == ([], [(3, 3)], 3)
    assert store.lengths.tolist() == [4, 1, 3]
    rows = torch.tensor([2, 0])
    found, expected = store.take(rows), whole.take(torch.tensor([0, 5]))
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.pooled, expected.pooled)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"\[0, 3\)"):
        store.take(torch.tensor([3]))
    assert len(whole) == len(WORDS)


@pytest.mark.parametrize("difference", ["encoder", "unknown item", "unfinished", "no names", "damaged names"])
def test_what_is_not_within_another_store_is_encoded(tmp_path: Path, difference: str) -> None:
    whole = build_store(tmp_path, KEY, WORDS, Texts(), names=None if difference == "no names" else WORDS)
    if difference == "unfinished":
        (whole.path / "index.json").unlink()
    if difference == "damaged names":
        (whole.path / "names.json").write_text("[", encoding="utf-8")
    part = ["bird", "new"] if difference == "unknown item" else ["bird", "a"]
    key = {**KEY, "data": "part", **({"encoder": "another"} if difference == "encoder" else {})}
    encode = Texts()
    build_store(tmp_path, key, part, encode, names=part)
    assert sum(map(len, encode.calls)) == 2
