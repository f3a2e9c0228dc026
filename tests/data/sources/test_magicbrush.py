"""MagicBrush's schema in a local parquet file: the transparent part is the mask, and sessions stay together."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plait.core.errors import InputError
from plait.data.masks.load import load_mask
from plait.data.open import open_collection
from plait.data.sources.magicbrush import has_masks
from tests.data.mask_sets import box
from tests.data.photos import scene


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return buffer.getvalue()


def row(n: int, turn: int) -> dict[str, Any]:
    photo = scene(10 * n + turn, height=30, width=40)
    region = np.dstack([photo, np.where(box(n), 0, 255).astype(np.uint8)])
    return {
        "img_id": str(n),
        "turn_index": turn,
        "source_img": {"bytes": png(photo), "path": f"{n}-input.png"},
        "mask_img": {"bytes": png(region), "path": f"{n}-mask{turn}.png"},
        "instruction": f"change {n} {turn}",
        "target_img": {"bytes": png(photo), "path": None},
    }


@pytest.mark.slow
def test_a_local_parquet(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [row(n, turn) for n in range(8) for turn in (1, 2)]
    rows.append({**row(1, 3), "mask_img": None})
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "dev.parquet"))
    data = open_collection(tmp_path / "dev.parquet")
    assert (len(data.photos), len(data.captions)) == (16, 16)
    assert data.captions[2].text == "change 1 1"
    assert data.captions[2].mask is not None
    assert data.captions[2].mask.polarity == "alpha"
    np.testing.assert_array_equal(load_mask(data.captions[2].mask, data.photos[2].source), box(1))
    assert [skip.reason for skip in data.skipped] == ["the row holds no mask"]
    sessions = [{data.photos[i].id.partition("-")[0] for i in members} for members in data.splits.values()]
    assert len(sessions) == 3
    assert sum(map(len, sessions)) == 8
    paths = {"source_img": ["a.png"], "mask_img": ["gone.png"], "instruction": ["b"]}
    datasets.Dataset.from_dict(paths).to_parquet(str(tmp_path / "none.parquet"))
    with pytest.raises(InputError, match=r"no row with a mask; 1 rows hold none"):
        open_collection(tmp_path / "none.parquet")


@pytest.mark.slow
def test_saved_splits_are_kept_and_captions_have_no_masks(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    parts = {"train": [row(n, 1) for n in range(3)], "dev": [row(n, 1) for n in range(3, 5)]}
    saved = datasets.DatasetDict({name: datasets.Dataset.from_list(rows) for name, rows in parts.items()})
    assert has_masks(saved)
    saved.save_to_disk(str(tmp_path / "saved"))
    data = open_collection(tmp_path / "saved")
    assert {name: len(members) for name, members in data.splits.items()} == {"train": 3, "val": 2}
    plain = datasets.Dataset.from_dict({"image": ["a.png"], "caption": ["b"]})
    plain.to_parquet(str(tmp_path / "plain.parquet"))
    with pytest.raises(InputError, match=r"masks were requested, but no column holds any; found: image, caption"):
        open_collection(f"{tmp_path / 'plain.parquet'}#masks")
