"""The ladder's benchmarks: both steps run and are measured, and tables show what results hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ladder_tables import PRINTED, Found, probes, recalls, training
from benchmarks.ladder_tables import main as print_tables
from benchmarks.printed_step import Sizes, measure
from plait.fusion import FUSIONS


def test_both_steps_train_and_are_timed() -> None:
    pytest.importorskip("transformers")
    small = Sizes(
        text_layers=1, text_width=24, image_width=32, image_depths=(1, 1, 1, 1), side_px=32, words=8, batch=3, photos=4
    )
    found = measure("ladder/v3", steps=1, sizes=small)
    assert found["ratio"] == pytest.approx(found["cached_pairs_s"] / found["printed_pairs_s"])
    assert found["printed_pairs_s"] == pytest.approx(3 / found["printed_step_s"])
    assert found["printed_ladder_h"] > 0
    assert found["cached_ladder_h"] > 0


def test_tables_set_the_printed_beside_the_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [f"ladder/{version}" for version in PRINTED] == [name for name in FUSIONS if name.startswith("ladder/")]
    figure = {"mean": 21.04, "low": 19.5, "high": 22.51}
    entry: dict[str, Any] = {
        "fusion": "ladder/v3",
        "t2i_r1": figure,
        "i2t_r1": figure,
        "seeds": 3,
        "train_s": 61.2,
        "params": 1234567,
    }
    entry["t2i_r1_fused"] = figure
    row = {"fusion": "ladder/v3", "audit": {"noise_accuracy": 100.0}}
    (tmp_path / "results.json").write_text(json.dumps({"summary": [entry], "rows": [row]}))
    asked: dict[str, Any] = dict.fromkeys(("loss", "accuracy", "separation", "five_accuracy", "five_margin"), figure)
    asked |= {"fusion": "ladder/v3", "train_loss": 1.5, "rank": 4}
    (tmp_path / "probe.json").write_text(json.dumps({"rows": [asked]}))
    found, none = Found(tmp_path), Found(None)
    assert recalls(found, none, found).splitlines()[-1] == (
        "| `ladder/v3` | failure | 1.00 | 100.0 %" + 4 * " | 21.0 [19.5, 22.5]" + " |"
    )
    assert "| 3 | 1.50 | 21.04 [19.50, 22.51] |" in training(found)
    assert probes(found, none, none).endswith("| no | 21.0 [19.5, 22.5] | 21.04 [19.50, 22.51] | 4 |")
    assert print_tables(["--tokens", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("`ladder/v3`") == 3
