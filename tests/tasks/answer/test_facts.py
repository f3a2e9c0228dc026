"""Facts from a file: what is read, the memory's formula, its effect in results, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import plait
from plait.core.errors import ConfigError, InputError
from plait.core.types import Fused, Tokens
from plait.tasks.answer.facts import FactMemory, read_facts
from tests.tasks.answer.toys import RECIPE, write_set


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_are_lines_of_key_and_value(tmp_path: Path) -> None:
    path = write(
        tmp_path / "facts.txt", "# of fruit\nbanana: yellow when ripe\n\nkiwi\tgreen: inside\nplums are blue\n"
    )
    assert read_facts(path) == [
        ["banana", "yellow when ripe"],
        ["kiwi", "green: inside"],
        ["plums are blue", "plums are blue"],
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "got 0"), ("# nothing\n", "got 0"), ("a: b\n: c\n", "row 2.*key: value"), ("a\n" * 2001, "got 2,001")],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"facts.txt.*{words}"):
        read_facts(write(tmp_path / "facts.txt", text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt"):
        read_facts(tmp_path / "none.txt")


def test_the_memory_worked_by_hand() -> None:
    memory = FactMemory(2)
    memory.norm = nn.Identity()  # type: ignore[assignment]
    for part in (memory.query, memory.key, memory.value):
        nn.init.eye_(part.weight)
    nn.init.zeros_(memory.query.bias)
    question = math.log(3.0) * math.sqrt(2.0)
    text = Tokens(torch.tensor([[[question, 0.0], [question, 0.0], [9.0, 9.0]]]), torch.tensor([[True, True, False]]))
    image = Tokens(torch.zeros(1, 1, 2), torch.ones(1, 1).bool())
    keys, values = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[4.0, 0.0], [0.0, 8.0]])
    fused, weights = memory(Fused(text, image), keys, values)
    torch.testing.assert_close(weights.float(), torch.tensor([[0.75, 0.25]]), atol=0.01, rtol=0)
    expected = torch.tensor([[[question + 3.0, 2.0]] * 2])
    torch.testing.assert_close(fused.text.values[:, :2].float(), expected, atol=0.05, rtol=0.01)
    assert fused.image is image


@pytest.mark.parametrize("hops", [0, True, 1.5])
def test_hops_are_checked(hops: object) -> None:
    with pytest.raises(ConfigError, match="hops"):
        FactMemory(4, hops=hops)  # type: ignore[arg-type]


def test_a_run_reads_its_facts_says_so_and_measures_them(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", images=32)
    facts = write(tmp_path / "facts.txt", "red: the colour of a poppy\ngreen: the colour of a leaf\n")
    recipe = RECIPE.replace('name = "san"', f'name = "san"\nhead = {{ facts = "{facts}", hops = 2 }}')
    write(folder / "facts.toml", recipe.replace("epochs = 30", "epochs = 6"))
    record = plait.fit(folder, tmp_path / "run", recipe=folder / "facts.toml").record
    facts.unlink()  # kept with the run
    assert json.loads((tmp_path / "run" / "head.json").read_text(encoding="utf-8"))["facts"][0][0] == "red"
    assert 0 <= record["metrics"]["accuracy_facts_removed"] <= 100
    found = plait.answer(folder / "images" / "p000.png", "what colour is it ?", run=tmp_path / "run")
    assert any("fact read most: " in note for note in found.notes)
    model = plait.load(tmp_path / "run")
    model.run.learner.reads_facts = False
    other = model.answer(folder / "images" / "p000.png", "what colour is it ?")
    assert [c.probability for c in other.choices] != [c.probability for c in found.choices]
