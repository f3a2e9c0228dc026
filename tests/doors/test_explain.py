"""Explanations through the doors: a comparison's runs and the shipped model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import plait
from plait.core.errors import ConfigError
from tests.doors.conftest import Compared
from tests.doors.tools import call

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def cross(compared: Compared) -> tuple[Path, Path]:
    """Give the folder of a run with cross-attention, and one of its photos."""
    return compared.out / "runs" / "cross-s0", sorted((compared.data / "images").glob("*.png"))[0]


def test_the_command_and_the_verb_say_the_same(cross: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    run, photo = cross
    text = "a red square on green"
    found = plait.explain(photo, text, run=run, method="gradient_attention")
    code, said, _ = call(
        capsys, "explain", run, photo, text, "--method", "gradient_attention", "--out", tmp_path / "why", "--json"
    )
    assert code == 0
    plain = json.loads(said)
    np.testing.assert_allclose(plain["image"], found.image, atol=1e-9)
    assert plain["words"] == list(found.words) == text.split()
    assert plain["faithful"]["sentences"] == found.faithful.sentences()  # type: ignore[union-attr]
    assert {path.name for path in (tmp_path / "why").iterdir()} == {
        *("explanation.npz", "explanation.json", "explanation.html", "overlay.png")
    }
    code, said, _ = call(capsys, "explain", run, photo, text, "--no-measure")
    assert code == 0
    assert "worth of each word: a " in said
    assert "was not measured" in said


def test_a_split_is_measured(cross: tuple[Path, Path], compared: Compared, capsys: Capture) -> None:
    run, _ = cross
    words = ["faithfulness", run, "--data", compared.data, "--images", "4", "--method", "attention"]
    code, said, _ = call(capsys, *words, "--json")
    assert code == 0
    plain = json.loads(said)
    assert (plain["images"], plain["pointing"]) == (4, None)
    assert plain["deletion_gain"]["low"] <= plain["deletion_gain"]["mean"] <= plain["deletion_gain"]["high"]
    code, said, _ = call(capsys, *words)
    assert "random orders" in said
    again = plait.faithfulness(run, compared.data, images=4, method="attention", progress=False)
    assert again["deletion_gain"] == pytest.approx(plain["deletion_gain"])


def test_masks_play_the_pointing_game(tmp_path: Path) -> None:
    recipe = tmp_path / "masks.toml"
    recipe.write_text(
        'task = "mask"\n[text]\nencoder = "words"\nmin_count = 1\n[image]\nencoder = "cnn_small"\nsize_px = 32\n'
        '[fusion]\nname = "pixel_word"\nwidth = 16\noptions = { heads = 2 }\nhead = { channels = 16 }\n'
        "[train]\nsteps = 4\nbatch_size = 8\n"
    )
    run = plait.fit("scenes-masks:40", tmp_path / "run", recipe=recipe, progress=False)
    found = plait.faithfulness(run, "scenes-masks:40", images=3, progress=False)
    assert found["what"] == "mean log-odds of the marked region"
    assert 0 < found["pointing_chance"] < 100
    assert set(found["pointing"]) == {"mean", "low", "high"}


def test_what_is_refused(cross: tuple[Path, Path], compared: Compared, capsys: Capture) -> None:
    run, photo = cross
    code, _, said = call(capsys, "explain", run, photo, "a", "--method", "attentions")
    assert (code, "did you mean 'attention'" in said) == (1, True)
    code, _, said = call(capsys, "explain", "default", photo, "a red square")
    assert (code, "one summary per image" in said) == (1, True)
    with pytest.raises(ConfigError, match="no split 'tests'"):
        plait.faithfulness(run, compared.data, split="tests")
    with pytest.raises(ConfigError, match="images"):
        plait.faithfulness(run, compared.data, images=1)
    code, said, _ = call(capsys, "list", "methods")
    assert (code, "integrated_gradients" in said) == (0, True)
