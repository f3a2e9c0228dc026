"""The guides: what they show as code runs."""

from __future__ import annotations

import re

import torch

from plait.core.types import Fused, Tokens
from tests.house.tree import ROOT


def test_the_fusion_in_contributing_runs_and_does_what_it_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(\"\"\".*?)```", text, re.DOTALL)
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)  # our own text, shown to newcomers
    fusion = names["GateFusion"](8, heads=2)  # type: ignore[operator]
    words = Tokens(torch.randn(2, 3, 8), torch.tensor([[True, True, True], [True, False, False]]))
    regions = Tokens(torch.randn(2, 4, 8), torch.ones(2, 4, dtype=torch.bool), grid=(2, 2))
    fused: Fused = fusion(words, regions, maps=True)
    assert fused.text.values.shape == (2, 3, 8)
    assert fused.maps[0].weights.shape == (2, 2, 3, 4)
    # A gate in (0, 1) makes every channel of a word smaller, and never turns its sign.
    share = fused.text.values / words.values
    assert bool(((share > 0) & (share < 1)).all())
    assert fusion(words, regions).maps == ()
