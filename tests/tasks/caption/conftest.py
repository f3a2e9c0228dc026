"""What the tests of captions share: one run per precision, fitted on coloured squares in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

import plait
from plait.trained import Run
from tests.tiny import make_tiny

RECIPE = """
task = "caption"

[text]
encoder = "word_table"
max_tokens = 16
min_count = 1
options = {{ width = 32 }}

[image]
encoder = "cnn_small"
size_px = 32
options = {{ width = 64 }}

[fusion]
name = "unfused"
width = 32
head = {{ name = "show_attend_tell", beam = 3 }}

[variants.transformer]
name = "unfused"
head = {{ name = "transformer", layers = 1, heads = 4 }}

[variants.show_and_tell]
name = "unfused"
head = {{ name = "show_and_tell" }}

[objective]
options = {{ doubly_stochastic = 0.1, sampled = 0.1 }}

[train]
epochs = 24
batch_size = 8
lr = 1e-2
encoder_lr = 5e-3
precision = "{precision}"
"""


class Fitted(NamedTuple):
    """A run of captions with its data and recipe."""

    data: Path
    recipe: Path
    run: Run

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def photos(self) -> list[Path]:
        return sorted((self.data / "images").glob("*.png"))


@pytest.fixture(scope="session", params=["fp32", "bf16"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Fit in each precision, whatever this machine's own choice is."""
    folder = tmp_path_factory.mktemp("caption")
    data = make_tiny(folder / "data", photos=56, captions=2)
    names = sorted(path.name for path in (data / "images").iterdir())
    splits = {"train": names[:40], "val": names[40:]}
    (data / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    recipe = folder / "caption.toml"
    recipe.write_text(RECIPE.format(precision=request.param), encoding="utf-8")
    run = plait.fit(data, folder / "run", recipe=recipe, cache=folder / "cache", progress=False)
    return Fitted(data, recipe, run)
