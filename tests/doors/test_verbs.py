"""The verbs in Python: what they refuse, each with a fix, and runs made by another version or made small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import plait
from plait import api
from plait.core.errors import CheckpointError, ConfigError, InputError
from plait.train.checkpoint import read_tensors, write_tensors
from tests.doors.conftest import Compared


def test_compare_wants_fusions_and_seeds(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected at least one fusion; `plait list fusions` shows them"):
        plait.compare(compared.data, tmp_path, fusions=[])
    for seeds in (0, [], [3, -1], "3", True, [2**32]):
        with pytest.raises(ConfigError, match=r"seeds.*expected .*(one seed|from 0|from 1|seeds=3)"):
            plait.compare(compared.data, tmp_path, fusions=["late"], seeds=seeds)  # type: ignore[arg-type]
    for epochs in (0, -1, "3", 1.5):
        with pytest.raises(ConfigError, match=r"key 'train\.epochs': expected a whole number from 1"):
            plait.compare(compared.data, tmp_path, fusions="late", epochs=epochs)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"key 'train\.epochs': expected a whole number from 1"):
            plait.fit(compared.data, tmp_path, epochs=epochs)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="jobs: expected a whole number from 1 to 1,000, got 0"):
        plait.compare(compared.data, tmp_path, fusions=["late"], jobs=0)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_version_is_named(compared: Compared, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(compared.out, out)
    path = out / "runs" / "late-s0" / "by_photo.safetensors"
    tensors, metadata = read_tensors(path)
    write_tensors(path, {k: v for k, v in tensors.items() if not k.startswith("t2i_median_rank")}, metadata)
    record = json.loads((path.parent / "run.json").read_text(encoding="utf-8"))
    del record["files"]  # as in runs of earlier versions, which hold no sizes and hashes
    (path.parent / "run.json").write_text(json.dumps(record), encoding="utf-8")
    ask = {"fusions": ["late"], "seeds": 1, "recipe": compared.recipe}
    with pytest.raises(CheckpointError, match=r"holds no 't2i_median_rank', another version of Plait wrote it; delete"):
        plait.compare(compared.data, out, **ask)  # type: ignore[arg-type]
    shutil.rmtree(path.parent)
    assert plait.compare(compared.data, out, **ask).failed == 0  # type: ignore[arg-type]


def test_match_wants_photos_and_sentences(compared: Compared) -> None:
    model = plait.load(compared.out / "runs" / "late-s0")
    photo = np.zeros((20, 30, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="expected at least one photo, got none"):
        model.match([], ["a"])
    with pytest.raises(InputError, match="expected at least one sentence, got none"):
        model.match([photo], [])
    with pytest.raises(InputError, match="sentence 2 of 2 is empty; expected words"):
        model.match([photo], ["a", "\n"])


@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_a_packaged_run_scores_nearly_the_same(compared: Compared, tmp_path: Path, fusion: str) -> None:
    run = compared.out / "runs" / f"{fusion}-s0"
    told = api.package(run, tmp_path / "small")
    assert told["bytes"] < 0.6 * (run / "weights.safetensors").stat().st_size
    photos, texts = sorted((compared.data / "images").iterdir())[:5], ["a red square on green", "white", "blue"]
    whole, small = (plait.load(folder).match(photos, texts) for folder in (run, tmp_path / "small"))
    assert np.abs(whole.scores - small.scores).max() < 0.02
    assert (tmp_path / "small" / "MODEL_CARD.md").read_text().startswith("# Model card")


def test_a_run_beyond_half_precision_is_not_packaged(compared: Compared, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(compared.out / "runs" / "late-s0", run)
    tensors, metadata = read_tensors(run / "weights.safetensors")
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.ndim > 1)
    tensors[name].view(-1)[0] = 1e6
    write_tensors(run / "weights.safetensors", tensors, metadata)
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    del record["files"]  # the hashes of the weights as they were
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"holds values beyond float16's 65,504"):
        api.package(run, tmp_path / "small")
    assert name in load_file(run / "weights.safetensors")
