"""A run of answers from end to end: trained in seconds, measured, asked, compared, packaged, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import plait
from plait.cli import main
from plait.core.errors import CheckpointError, ConfigError, InputError
from tests.tasks.answer.toys import RECIPE, write_set
from tests.tiny import make_tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("answer") / "data")


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    plait.fit(data, data / "run", recipe=data / "answer.toml")
    return data / "run"


def test_it_learns_to_read_image_and_question(data: Path, run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    metrics, details = record["metrics"], record["answer"]
    assert metrics["accuracy"] > 90
    assert metrics["accuracy"] == metrics["exact"]
    assert metrics["coverage"] == 100
    # "no" is right of three in four questions whether it is red, so of 37.5 % in all
    assert metrics["accuracy_most_common"] == pytest.approx(37.5)
    assert metrics["accuracy_image_shuffled"] < 75
    assert metrics["accuracy_text_shuffled"] < 75
    assert details["answers"] == 6
    assert details["unseen"] == 0
    assert {item["type"]: item["questions"] for item in details["types"]} == {"what colour": 16, "is it": 16}
    assert record["status"] == "ok"
    assert "ignores the image" not in record["flags"]
    assert json.loads((run / "head.json").read_text(encoding="utf-8"))["answers"][0] == "no"


def test_evaluating_again_gives_the_same_and_needs_no_training_split(data: Path, run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    found = plait.evaluate(run, data, split="val")
    for key in ("accuracy", "accuracy_per_type", "accuracy_image_removed"):
        assert found.metrics[key] == pytest.approx(record["metrics"][key])


def test_python_and_the_command_line_answer_alike(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = data / "images" / "p001.png"
    found = plait.answer(photo, "what colour is it ?", run=run)
    assert found.answer == "green"
    assert found == plait.load(run).answer(photo, "what colour is it ?")
    assert len(found.choices) == 5
    assert found.listed == 6
    assert sum(c.probability for c in plait.load(run).answer(photo, "is it red ?", top=99).choices) == pytest.approx(1)
    assert main(["answer", str(photo), "what colour is it ?", "--run", str(run), "--json", "--top", "2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["answer"] == "green"
    assert [c["answer"] for c in said["choices"]] == [c.answer for c in found.choices[:2]]
    assert main(["answer", str(photo), "what colour is the hat ?", "--run", str(run)]) == 0
    assert "read as unknown" in (text := capsys.readouterr().out)
    assert "'hat'" in text


def test_bad_questions_are_refused_in_words(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, photo = plait.load(run), data / "images" / "p001.png"
    with pytest.raises(InputError, match="question 1 of 1 is empty"):
        model.answer(photo, "  ")
    with pytest.raises(ConfigError, match="top"):
        model.answer(photo, "what?", top=0)
    assert main(["answer", str(data / "none.png"), "what?", "--run", str(run)]) == 1
    assert "none.png" in (said := capsys.readouterr().err)
    assert "Traceback" not in said


def test_fusions_are_compared_and_the_control_ignores_the_image(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data / "compared"
    words = ["compare", "--data", str(data), "--recipe", str(data / "answer.toml"), "--fusions", "san,text_only"]
    assert main([*words, "--seeds", "1", "--epochs", "12", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "(per question type)" in said
    assert "6 answers; 0 questions have none of them" in said
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    flags = {row["fusion"]: row["flags"] for row in results["rows"]}
    assert "ignores the image" in flags["text_only"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "people answered: " in page
    assert "Question begins with" in page


def test_a_packaged_run_answers(data: Path, run: Path) -> None:
    assert main(["package", str(run), "--out", str(data / "small")]) == 0
    assert plait.answer(data / "images" / "p002.png", "what colour is it ?", run=data / "small").answer == "blue"
    assert "answers an English question" in (data / "small" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_run_without_its_list_says_so(data: Path, run: Path) -> None:
    assert main(["package", str(run), "--out", str(data / "broken")]) == 0
    (data / "broken" / "head.json").unlink()
    with pytest.raises(CheckpointError, match=r"head.json"):
        plait.answer(data / "images" / "p002.png", "what?", run=data / "broken")


def test_captions_are_no_questions(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needs questions with answers"):
        plait.fit(make_tiny(tmp_path / "other"), tmp_path / "run", recipe=data / "answer.toml")
    assert not (tmp_path / "run").exists()


def test_answers_never_seen_in_training_count_as_wrong(data: Path, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "rare", images=32)
    table = folder / "vqa.csv"
    held_out = json.loads((folder / "splits.json").read_text(encoding="utf-8"))["val"]
    lines = [
        line.rsplit(",", 1)[0] + ",turquoise" if line.split(",")[0] in held_out and "colour" in line else line
        for line in table.read_text(encoding="utf-8").splitlines()
    ]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    record = plait.fit(folder, tmp_path / "run", recipe=folder / "answer.toml", epochs=1).record
    assert record["answer"]["unseen"] == 8
    assert record["metrics"]["coverage"] == pytest.approx(50)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_train(precision: str, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", images=32)
    text = RECIPE.replace('precision = "fp32"', f'precision = "{precision}"').replace("epochs = 30", "epochs = 2")
    (folder / "answer.toml").write_text(text.replace("[train]", '[objective]\nname = "answer_bce"\n\n[train]'))
    record = plait.fit(folder, tmp_path / "run", recipe=folder / "answer.toml").record
    assert 0 <= record["metrics"]["accuracy"] <= 100
    assert all(point["loss"] > 0 for point in record["curve"])
