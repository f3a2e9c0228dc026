"""Hub data sets: offline within a second, and local ones of every shape of columns."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from plait.core.errors import InputError, MissingPackageError, OfflineError
from plait.data.open import open_collection
from plait.data.sources import hub
from tests.data.photos import save_photo


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_offline_is_said_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub, "find_spec", lambda _: object())
    over = threading.Event()

    def silence(*_: object, **__: object) -> None:
        over.wait(10)
        raise OSError("no route")

    monkeypatch.setattr(hub.socket, "create_connection", silence)
    begun = time.monotonic()
    with pytest.raises(OfflineError, match=r"hub:nobody/nothing: the Hugging Face hub does not answer.*give a folder"):
        open_collection("hub:nobody/nothing")
    assert time.monotonic() - begun < 2
    over.set()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not hub.hub_answers()


def test_an_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    asked: list[tuple[str, int]] = []

    class Connection:
        def close(self) -> None:
            asked.append(("closed", 0))

    def connect(address: tuple[str, int], timeout: float) -> Connection:
        asked.append(address)
        return Connection()

    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example:81")
    monkeypatch.setattr(hub.socket, "create_connection", connect)
    assert hub.hub_answers()
    assert asked == [("mirror.example", 81), ("closed", 0)]


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"needs the package `datasets`: pip install 'plait\[hub\]'"):
        open_collection("hub:a/b")


@pytest.mark.slow
def test_saved_sets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    picture = datasets.Features({"image": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})

    def part(first: int, count: int) -> object:
        rows = [{"bytes": png(n), "path": f"{n}.png"} for n in range(first, first + count)]
        texts = [[f"text {n} {k}" for k in range(2)] for n in range(first, first + count)]
        return datasets.Dataset.from_dict({"image": rows, "caption": texts}, features=picture)

    datasets.DatasetDict({"train": part(0, 4), "validation": part(4, 3)}).save_to_disk(str(tmp_path / "saved"))
    data = open_collection(tmp_path / "saved")
    assert {name: len(members) for name, members in data.splits.items()} == {"train": 4, "val": 3}
    assert data.captions[3].text == "text 1 1"
    assert data.photos[1].id.startswith("1-")
    assert isinstance(data.photos[1].source, Path)
    assert data.photos[1].source.read_bytes() == png(1)
    assert open_collection(tmp_path / "saved").fingerprint == data.fingerprint


@pytest.mark.slow
def test_parquet_with_names_and_numbered_captions(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for number in range(6):
        save_photo(tmp_path / "photos" / f"{number}.png", colour=(number, 0, 0))
    columns = {"filename": [f"{n}.png" for n in range(6)], "caption_0": ["a"] * 6, "caption_1": ["b", None, *"bbbb"]}
    datasets.Dataset.from_dict(columns).to_parquet(str(tmp_path / "a.parquet"))
    data = open_collection(tmp_path / "a.parquet", images=tmp_path / "photos")
    assert len(data.photos) == 6
    assert [caption.text for caption in data.captions if caption.image == 0] == ["a", "b"]
    assert [skip.reason for skip in data.skipped] == ["the caption of 1.png is empty"]
    with pytest.raises(InputError, match=r"no caption with an image; .*say in which folder the images are"):
        open_collection(tmp_path / "a.parquet")
    datasets.Dataset.from_dict({"filename": ["a"], "words": ["b"]}).to_parquet(str(tmp_path / "b.parquet"))
    with pytest.raises(InputError, match=r"no caption column; found: filename, words"):
        open_collection(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"c\.parquet: the data set cannot be loaded"):
        open_collection(tmp_path / "c.parquet")
