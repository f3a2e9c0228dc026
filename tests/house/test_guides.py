"""The guides: the code that they show runs."""

from __future__ import annotations

import re

import torch

from plait.core.tables import Entry
from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.pairs import fuse_in_chunks
from plait.fusion.gated import GATED
from tests.house.tree import ROOT


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
