"""The guides: the code that they show runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.errors import InputError
from plait.core.evaluation import Evaluation, Measured
from plait.core.metric import Metric
from plait.core.tables import Entry
from plait.core.types import Fused, Tokens
from plait.data.collection import Collection
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.pairs import fuse_in_chunks
from plait.fusion.gated import GATED
from plait.metrics.intervals import intervals
from plait.tasks.mask.metrics import METRICS
from tests.house.tree import ROOT
from tests.tiny import make_tiny


def test_the_fusion_in_contributing_runs_and_does_what_it_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(\"\"\".*?)```", text, re.DOTALL)
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)  # our own text, shown to newcomers
    fusion = names["GateFusion"](8, heads=2)  # type: ignore[operator]
    assert isinstance(fusion, Fusion)
    words = Tokens(torch.randn(2, 3, 8), torch.tensor([[True, True, True], [True, False, False]]))
    regions = Tokens(torch.randn(2, 4, 8), torch.ones(2, 4, dtype=torch.bool), grid=(2, 2))
    fused: Fused = fusion(words, regions, maps=True)
    assert fused.text.values.shape == (2, 3, 8)
    assert fused.maps[0].weights.shape == (2, 2, 3, 4)
    # A gate in (0, 1) makes every channel of a word smaller and keeps its sign.
    share = fused.text.values / words.values
    assert bool(((share > 0) & (share < 1)).all())
    assert fusion(words, regions).maps == ()
    row = torch.tensor([1, 0, 1])
    places = [chunk for chunk, _ in fuse_in_chunks(fusion, words, regions, text_row=row, image_row=row)]
    assert torch.cat(places).sort().values.tolist() == [0, 1, 2]


def test_the_entry_in_contributing_is_a_line_of_the_table_it_names() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(    \"gate\": Entry.*?)```", text, re.DOTALL)
    entries = eval("{" + code + "}", {"Entry": Entry})  # our own text, shown to newcomers
    assert entries["gate"].target == "plait.fusion.gated.gate:GateFusion"
    assert "`GATED` of `src/plait/fusion/gated/__init__.py`" in text
    assert GATED


def test_the_metric_in_contributing_is_measured_and_has_an_interval() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(P95 = .*?)```", text, re.DOTALL)
    names: dict[str, object] = {"Metric": Metric}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)  # our own text, shown to newcomers
    metric = names["P95"]
    assert isinstance(metric, Metric)
    assert metric.key not in {known.key for known in METRICS}
    items, weights = np.array([0.0, 100.0, 50.0, 100.0]), np.array([1, 1, 2, 1])
    measured = Measured(metric, float(np.average(items, weights=weights)), items, weights=weights)
    found = intervals(Evaluation("val", (0, 1, 2, 3), (0, 1, 2, 3, 4), (measured,), "probability"))
    assert found["p95"]["mean"] == pytest.approx(60.0)
    assert 0 <= found["p95"]["low"] <= 60.0 <= found["p95"]["high"] <= 100


def test_the_data_format_in_contributing_reads_and_refuses(tmp_path: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from pathlib.*?)```", text, re.DOTALL)
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)  # our own text, shown to newcomers
    folder = make_tiny(tmp_path / "data", photos=8)
    lines = [f"p{i:03d}.png => square number {i}" for i in range(8)]
    path = folder / "captions.arrows"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = names["open_arrows"](path)  # type: ignore[operator]
    assert isinstance(found, Collection)
    assert [caption.text for caption in found.captions] == [f"square number {i}" for i in range(8)]
    assert set(found.splits) >= {"train", "val"}
    path.write_text("p000.png: no arrow", encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        names["open_arrows"](path)  # type: ignore[operator]
