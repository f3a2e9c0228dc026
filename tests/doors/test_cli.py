"""The command line from end to end: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from plait.core.made import joined
from plait.data.verify import check_photo
from plait.report.words import verdict_of
from tests.conftest import TinyFolder
from tests.doors.conftest import Compared
from tests.doors.tools import call, give_splits, spawn, write_recipe

Capture = pytest.CaptureFixture[str]
RECALLS = {f"{way}_r{k}" for way in ("t2i", "i2t") for k in (1, 5, 10)}


def test_compare_keeps_the_contract_for_other_programs(compared: Compared) -> None:
    results = compared.results
    assert json.loads(compared.printed) == results
    assert results["task"] == "match"
    assert results["data"]["splits"] == {
        "train": {"photos": 24, "captions": 48},
        "val": {"photos": 8, "captions": 16},
    }
    assert [(row["fusion"], row["tokens"], row["pairing"], row["seed"]) for row in results["rows"]] == [
        ("late", "pooled", "all", 0),
        ("cross", "tokens", "itm", 0),
    ]
    for row in results["rows"]:
        assert set(row["metrics"]) >= RECALLS
        assert all(0 <= row["metrics"][name] <= 100 for name in RECALLS)
        assert row["params"] > 1000
        assert row["step_ms"] > 0
        assert row["train_s"] > 0
        assert (compared.out / row["run"] / "weights.safetensors").is_file()
    assert {entry["fusion"] for entry in results["summary"]} == {"late", "cross"}
    for entry in results["summary"]:
        for name in (*RECALLS, "t2i_median_rank", "i2t_median_rank", "t2i_map"):
            figure = entry[name]
            assert set(figure) == {"mean", "low", "high"}, name
            assert figure["low"] <= figure["mean"] <= figure["high"], name
    assert "late" in results["verdict"]


def test_results_say_what_made_them(compared: Compared) -> None:
    assert set(compared.results["versions"]) == {"plait", "torch", "numpy", "python", "system", "processor"}
    assert all(compared.results["versions"].values())
    assert compared.results["settings"]["text"]["encoder"] == "words"


def test_maps_lie_on_their_photos(compared: Compared) -> None:
    shown = json.loads((compared.out / "gallery.json").read_text(encoding="utf-8"))["attention"]
    assert {entry["fusion"] for entry in shown} == {"cross"}
    for entry in shown:
        assert entry["box"] == [0.0, 0.0, 1.0, 1.0]  # a square photo fills the encoder's square
        assert len(entry["weights"]) == len(entry["words"])


def test_compare_tells_people_the_same(compared: Compared, capsys: Capture) -> None:
    words = ["--data", compared.data, "--fusions", "late,cross", "--seeds", 1, "--recipe", compared.recipe]
    answer = call(capsys, "compare", *words, "--out", compared.out)
    assert answer.code == 0
    best = compared.results["summary"][0]
    assert re.search(rf"^{best['fusion']} .* {best['t2i_r1']['mean']:.1f} ", answer.out, re.M)
    finding, rest, warnings = verdict_of(compared.results)
    assert finding
    assert warnings
    assert all(sentence in answer.out for sentence in (finding, *rest, *warnings))
    assert f"report: {compared.out / 'report.html'}" in answer.out
    assert "epoch" not in answer.err, "a finished run was trained again"


def test_report_is_written_again(compared: Compared, capsys: Capture) -> None:
    path = compared.out / "report.html"
    before = path.read_text(encoding="utf-8")
    path.unlink()
    answer = call(capsys, "report", compared.out, "--json")
    assert answer.code == 0
    assert answer.data == {"report": str(path)}
    assert path.read_text(encoding="utf-8") == before


def test_evaluate(compared: Compared, capsys: Capture) -> None:
    run = compared.out / "runs" / "cross-s0"
    answer = call(capsys, "evaluate", run, "--data", compared.data, "--json", "--quiet")
    assert answer.code == 0
    assert answer.data["metrics"] == compared.results["rows"][1]["metrics"]
    assert answer.data["photos"] == 8
    assert set(answer.data["intervals"]) == set(answer.data["metrics"])
    told = call(capsys, "evaluate", run, "--data", compared.data, "--quiet").out
    assert f"split val: 8 photos, 16 captions\nscores: {answer.data['score_kind']}" in told
    assert call(capsys, "evaluate", run, "--data", compared.data, "--split", "train", "--json").data["photos"] == 24


@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_match(compared: Compared, capsys: Capture, fusion: str) -> None:
    photos = sorted((compared.data / "images").iterdir())[:3]
    texts = ["a red square on green", "a blue square on yellow"]
    words = ["match", "--run", compared.out / "runs" / f"{fusion}-s0", "--images", *photos, "--texts", *texts]
    answer = call(capsys, *words, "--json")
    assert answer.code == 0
    assert answer.data["texts"] == texts
    assert [len(row) for row in answer.data["scores"]] == [2, 2, 2]
    for row in answer.data["prob_text"]:
        assert sum(row) == pytest.approx(1, abs=1e-5)
    for column in zip(*answer.data["prob_image"], strict=True):
        assert sum(column) == pytest.approx(1, abs=1e-5)
    best = max(zip(answer.data["prob_text"][0], texts, strict=True))[1]
    told = call(capsys, *words).out.splitlines()
    assert told[0] == str(photos[0])
    assert told[1].endswith(best)


def test_fit_then_again(tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture) -> None:
    data = give_splits(tiny_folder(photos=16), 6)
    words = ["fit", "--data", data, "--recipe", write_recipe(tmp_path), "--epochs", 1, "--seed", 3]
    answer = call(capsys, *words, "--out", tmp_path / "run", "--json")
    assert answer.code == 0
    assert "late, seed 3: epoch 1/1" in answer.err
    assert answer.data["recipe"]["train"]["seed"] == 3
    assert set(answer.data["metrics"]) >= RECALLS
    saved = joined(json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8")))
    assert answer.data == {key: saved[key] for key in answer.data}
    again = call(capsys, *words, "--out", tmp_path / "run", "--quiet")
    assert again.code == 0
    assert again.err == ""
    assert f"saved in {tmp_path / 'run'}" in again.out


def test_list(capsys: Capture) -> None:
    rows = call(capsys, "list", "fusions", "--json").data
    assert {row["name"] for row in rows} >= {"late", "product", "concat", "cross", "max_sim", "scan_t2i", "scan"}
    for row in rows:
        assert set(row) >= {"name", "family", "paper"}
        assert all(row[key] for key in ("name", "family", "paper"))
    for kind in ("encoders", "adapters", "heads", "objectives", "sources", "recipes", "tasks"):
        named = call(capsys, "list", kind, "--json").data
        assert named
        told = call(capsys, "list", kind).out
        assert all(row["name"] in told for row in named)


def test_data(tiny_folder: TinyFolder, capsys: Capture) -> None:
    folder = give_splits(tiny_folder(photos=9, captions=3), 4)
    with (folder / "captions.csv").open("a", encoding="utf-8") as file:
        file.write('p000.png,""\nlost.png,a photo nobody has\n')
    answer = call(capsys, "data", folder, "--json")
    assert answer.code == 0
    assert answer.data["splits"] == {
        "train": {"photos": 5, "captions": 15},
        "val": {"photos": 4, "captions": 12},
    }
    assert answer.data["captions_per_image"] == {"fewest": 3, "most": 3}
    assert len(answer.data["skipped"]) == 2
    told = call(capsys, "data", folder, "--verify").out
    assert "skipped: 2" in told
    assert "the caption of p000.png is empty" in told


def test_cache(tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    assert call(capsys, "cache", "--json").data == {"root": str(tmp_path / "cache"), "entries": []}
    assert call(capsys, "cache").out == f"{tmp_path / 'cache'}: empty\n"
    recipe = write_recipe(tmp_path).read_text().replace('encoder = "words"\nmin_count = 1', 'encoder = "minilm"')
    data = give_splits(tiny_folder(photos=12), 4)
    words = ["--data", data, "--recipe", write_recipe(tmp_path, recipe), "--epochs", 1, "--out", tmp_path / "run"]
    assert call(capsys, "fit", *words, "--quiet").code == 0
    (entry,) = call(capsys, "cache", "show", "--json").data["entries"]
    assert (entry["what"], entry["items"], entry["complete"]) == ("text", 24, True)
    assert entry["bytes"] > 24 * 384
    assert "text" in call(capsys, "cache").out
    cleared = call(capsys, "cache", "clear", "--name", entry["name"], "--json").data
    assert cleared["entries"] == 1
    assert cleared["bytes"] >= entry["bytes"]
    assert call(capsys, "cache", "--json").data["entries"] == []


def test_photos_are_checked_once(
    tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def counted(source: object) -> str | None:
        seen.append(source)
        return check_photo(source)  # type: ignore[arg-type]

    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("plait.data.verify.check_photo", counted)
    words = ["--data", give_splits(tiny_folder(photos=12), 4), "--recipe", write_recipe(tmp_path), "--epochs", 1]
    for fusions in ("late", "late,product"):
        answer = call(
            capsys, "compare", *words, "--fusions", fusions, "--seeds", 1, "--out", tmp_path / "out", "--quiet"
        )
        assert answer.code == 0
    assert len(seen) == 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no command"),
        (["fiddle"], "invalid choice: 'fiddle'"),
        (["compare", "--data", "x", "--out", "y"], "--fusions"),
        (["compare", "--data", "x", "--out", "y", "--fusions", ","], "expected at least one name"),
        (["compare", "--data", "x", "--out", "y", "--fusions", "late", "--seeds", "many"], "of at least 1, got 'many'"),
        (["compare", "--data", "x", "--out", "y", "--fusions", "late", "--seeds", "0,-1"], "of at least 0, got '-1'"),
        (["compare", "--data", "x", "--out", "y", "--fusions", "late", "--seeds", "5000"], "at most 1,000 seeds"),
        (["compare", "--data", "x", "--out", "y", "--fusions", "late", "--epochs", "0"], "of at least 1, got '0'"),
        (["fit", "--data", "x", "--out", "y", "--seed", str(2**32)], "below 2**32"),
        (["fit", "--data", "x", "--out", "y", "--seed", "9" * 5000], "below 2**32"),
        (["fit", "--data", "x", "--out", "y", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["export", "run", "--out", "y"], "plait package"),
        (["compare", "--data", "x", "--out", "y", "--fusions", "late", "--jobs", "0"], "of at least 1, got '0'"),
        (["fit", "--data", "x"], "--out"),
        (["list", "fusion"], "invalid choice: 'fusion'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_2(capsys: Capture, words: list[str], said: str) -> None:
    answer = call(capsys, *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "--data", "DATA", "--fusions", "crossed", "--out", "OUT"], "did you mean 'cross'?"),
        (["compare", "--data", "nowhere", "--fusions", "late", "--out", "OUT"], "no data at 'nowhere'"),
        (["compare", "--data", "DATA", "--fusions", "late", "--limit", "1", "--out", "OUT"], "expected at least 2"),
        (["compare", "--data", "DATA", "--fusions", "late", "--out", "FILE"], "expected a folder"),
        (["fit", "--data", "DATA", "--recipe", "phots", "--out", "OUT"], "did you mean 'photos'?"),
        (["fit", "--data", "DATA", "--recipe", "gone.toml", "--out", "OUT"], "recipe gone.toml: no such file"),
        (["fit", "--data", "DATA", "--recipe", "WRONG", "--out", "OUT"], "unknown key 'epoch'; did you mean 'epochs'?"),
        (["evaluate", "nowhere", "--data", "DATA"], "nowhere: no such folder"),
        (["evaluate", "DATA", "--data", "DATA"], "holds no finished run"),
        (["evaluate", "RUN", "--data", "DATA", "--split", "tests"], "no split 'tests'"),
        (["match", "--run", "RUN", "--images", "gone.png", "--texts", "a dog"], "gone.png: no such file"),
        (["match", "--run", "RUN", "--images", "PHOTO", "--texts", " "], "sentence 1 of 1 is empty"),
        (["report", "DATA"], "results.json: no such file"),
        (["data", "nowhere"], "no data at 'nowhere'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_can_fix_is_1_and_one_line(
    compared: Compared, tmp_path: Path, capsys: Capture, words: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("")
    names = {
        "DATA": compared.data,
        "RUN": compared.out / "runs" / "late-s0",
        "PHOTO": compared.data / "images" / "p000.png",
        "OUT": tmp_path / "out",
        "FILE": tmp_path / "file",
        "WRONG": write_recipe(tmp_path, "[train]\nepoch = 3\n", "wrong"),
    }
    answer = call(capsys, *(names.get(word, word) for word in words), *(["--quiet"] if words[0] != "list" else []))
    assert answer.code == 1
    assert answer.err.startswith("plait: ")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert answer.out == ""


def test_in_a_process_of_its_own(compared: Compared, tmp_path: Path) -> None:
    run = compared.out / "runs" / "late-s0"
    answer = spawn("evaluate", run, "--data", compared.data, "--json", "--quiet", cache=tmp_path / "cache")
    assert (answer.code, answer.err) == (0, "")
    assert answer.data["metrics"] == compared.results["rows"][0]["metrics"]


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    answer = spawn("fit", "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert answer.err.startswith(f"plait: no data at '{tmp_path / 'none'}'")
    assert spawn("--version").out.startswith("plait 0.")
    assert spawn().code == 2
