"""The audit's doors: by name, of a run, before and after a fit, and the leaky pairing wherever its numbers go."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plait import api
from plait.core.errors import ConfigError
from tests.conftest import TinyFolder
from tests.doors.conftest import Compared
from tests.doors.tools import call, give_splits, write_recipe

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory, plait_cache: Path, compared: Compared) -> dict[str, Any]:
    """Compare fusions by the printed protocol: pooled vectors, pairs fused first."""
    out = tmp_path_factory.mktemp("matched") / "out"
    found = api.compare(
        compared.data,
        out,
        fusions=["ladder/v3", "ladder/v4"],
        seeds=1,
        recipe=compared.recipe,
        tokens="pooled",
        pairing="matched",
    )
    return {"out": out, "results": found.results}


def test_by_name_keeps_the_contract_for_other_programs(capsys: Capture) -> None:
    words = ["audit", "--fusion", "ladder/v3", "--tokens", "pooled", "--pairing", "matched"]
    answer = call(capsys, *words, "--json")
    assert answer.code == 0
    found = answer.data
    assert found["noise_accuracy"] >= 95
    assert found["chance"] == pytest.approx(100 / 24)
    assert found["leaky"] is True
    assert found["single_key"] is True
    assert set(found["influence"]) == {"image_out", "text_out", "score"}
    assert isinstance(found["dead_parameters"], list)
    assert found["verdict"].startswith("Leaky: ")
    told = call(capsys, *words, "--strict")
    assert told.code == 1
    assert "flags: leaky, single-key" in told.out
    assert found["verdict"] in told.out
    assert found == api.audit(fusion="ladder/v3", tokens="pooled", pairing="matched").to_json()


def test_strict_is_content_with_an_honest_fusion(capsys: Capture) -> None:
    answer = call(capsys, "audit", "--fusion", "late", "--seeds", 3, "--strict")
    assert answer.code == 0
    assert "flags: none" in answer.out
    assert "Sound: " in answer.out


def test_of_a_run(compared: Compared, capsys: Capture) -> None:
    run = compared.out / "runs" / "cross-s0"
    answer = call(capsys, "audit", run, "--data", compared.data, "--seeds", 2, "--json", "--quiet")
    assert answer.code == 0
    data = answer.data["data"]
    assert (data["split"], data["photos"]) == ("val", 8)
    assert set(data["ablations"]) == {"text shuffled", "text removed", "image shuffled", "image removed"}
    assert data["baselines"]["chance"] == {"t2i_r1": 12.5, "i2t_r1": 12.5}
    assert data["metric"]["passed"] is True
    assert (data["overlap"]["train"], data["overlap"]["exact"]) == ("train", [])
    told = call(capsys, "audit", run, "--data", compared.data, "--seeds", 2, "--quiet").out
    assert "8 photos of val, one caption each: chance 12.5 %, a random score stays below" in told
    assert re.search(r"^image removed +\d", told, re.M)
    bare = call(capsys, "audit", run, "--seeds", 2, "--json").data
    assert "data" not in bare
    assert (bare["fusion"], bare["pairing"]) == ("cross", "itm")


def test_every_row_was_audited(compared: Compared) -> None:
    for row in compared.results["rows"]:
        assert "leaky" not in row["flags"]
        audit = row["audit"]
        assert audit["noise_accuracy"] <= audit["bound"]
        assert set(audit["ablations"]) == {"whole", "text shuffled", "image shuffled"}
        record = json.loads((compared.out / row["run"] / "run.json").read_text(encoding="utf-8"))
        assert record["audit"]["verdict"] == audit["verdict"]
        assert record["audit"]["data"]["photos"] == audit["photos"] == 8
    page = (compared.out / "report.html").read_text(encoding="utf-8")
    assert 'id="audit"' in page


def test_leaky_wherever_its_numbers_go(reproduced: dict[str, Any], compared: Compared, capsys: Capture) -> None:
    results, out = reproduced["results"], reproduced["out"]
    for row in results["rows"]:
        assert (row["tokens"], row["pairing"], row["rerank_k"]) == ("pooled", "matched", None)
        assert row["flags"][0] == "leaky"
        assert "single-key" in row["flags"]
    assert {row["fusion"]: row["audit"]["leaky"] for row in results["rows"]}["ladder/v3"] is True
    assert all("leaky" in entry["flags"] for entry in results["summary"])
    assert results["tests"] == []
    assert results["verdict"].startswith("No fusion gave a result that can be ranked. ladder/v3 and ladder/v4: leaky")
    assert "not how well the task is solved" in results["verdict"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count(">leaky</span>") >= 4  # leaderboard, legend, audit
    run = out / "runs" / "ladder.v3-s0"
    told = call(capsys, "evaluate", run, "--data", compared.data, "--json", "--quiet").data
    assert told["flags"] == ["leaky"]
    assert told["metrics"] == next(row["metrics"] for row in results["rows"] if row["fusion"] == "ladder/v3")
    assert "flags: leaky" in call(capsys, "evaluate", run, "--data", compared.data, "--quiet").out


def test_a_leaky_run_is_packaged_as_such_and_matches_nothing(
    reproduced: dict[str, Any], compared: Compared, tmp_path: Path, capsys: Capture
) -> None:
    api.package(reproduced["out"] / "runs" / "ladder.v3-s0", tmp_path / "small")
    assert "**Leaky.** The score has read the answer" in (tmp_path / "small" / "MODEL_CARD.md").read_text()
    photo = next(iter((compared.data / "images").iterdir()))
    answer = call(capsys, "match", "--run", tmp_path / "small", "--images", photo, "--texts", "a red square")
    assert answer.code == 1
    assert "without knowing which belong together it scores nothing" in answer.err


def test_overrides_belong_to_the_folder(reproduced: dict[str, Any], compared: Compared, capsys: Capture) -> None:
    words = ["compare", "--data", compared.data, "--recipe", compared.recipe, "--seeds", 1, "--fusions", "ladder/v3"]
    again = call(capsys, *words, "--out", reproduced["out"], "--quiet")
    assert again.code == 1
    assert "holds a comparison of another budget or recipe" in again.err
    same = call(
        capsys, *words, "--out", reproduced["out"], "--tokens", "pooled", "--pairing", "matched", "--quiet", "--json"
    )
    assert same.code == 0
    assert len(same.data["rows"]) == 2
    assert "--tokens pooled --pairing matched" in reproduced["results"]["command"]


def test_a_pairing_that_a_fusion_lacks_is_refused(compared: Compared, tmp_path: Path, capsys: Capture) -> None:
    words = ["--data", compared.data, "--recipe", compared.recipe, "--out", tmp_path / "out", "--quiet"]
    answer = call(capsys, "compare", "--fusions", "cross,late", "--pairing", "matched", *words)
    assert answer.code == 1
    assert "fusion 'late' cannot be paired 'matched'; it can be: all" in answer.err
    assert not (tmp_path / "out").exists()
    assert "fusion 'late' cannot be paired 'itm'" in call(capsys, "fit", "--pairing", "itm", *words).err


def test_fit_says_its_flags(tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture) -> None:
    recipe = write_recipe(
        tmp_path,
        '[text]\nencoder = "words"\nmin_count = 1\n[image]\nencoder = "cnn_small"\nsize_px = 32\n'
        '[fusion]\nname = "cross"\nwidth = 32\noptions = { layers = 1, heads = 2 }\n'
        "[train]\nepochs = 1\nbatch_size = 4\n",
    )
    data = give_splits(tiny_folder(photos=16), 6)
    words = [
        "fit",
        "--data",
        data,
        "--recipe",
        recipe,
        "--tokens",
        "pooled",
        "--pairing",
        "all",
        "--out",
        tmp_path / "r",
    ]
    answer = call(capsys, *words, "--json", "--quiet")
    assert answer.code == 0
    assert (answer.data["pairing"], answer.data["tokens"]) == ("all", "pooled")
    assert "single-key" in answer.data["flags"]
    assert "flag: single-key: some attention has a single key" in call(capsys, *words, "--quiet").out


def test_photos_in_two_splits_are_flagged(tiny_folder: TinyFolder, tmp_path: Path, capsys: Capture) -> None:
    data = give_splits(tiny_folder(photos=16), 6)
    images = data / "images"
    (images / "p015.png").write_bytes((images / "p000.png").read_bytes())
    words = ["compare", "--data", data, "--recipe", write_recipe(tmp_path), "--epochs", 1, "--seeds", 1]
    answer = call(capsys, *words, "--fusions", "late", "--out", tmp_path / "out", "--json", "--quiet")
    assert "shared photos" in answer.data["rows"][0]["flags"]
    assert "shared photos" in answer.data["summary"][0]["flags"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "expected a run's folder or a fusion's name, one of the two"),
        ({"run": "x", "fusion": "late"}, "one of the two"),
        ({"fusion": "late", "data": "scenes"}, "data belongs to a trained run"),
        ({"run": "default", "tokens": "pooled"}, "a run has its own tokens and pairing"),
        ({"fusion": "ladder/v33"}, "did you mean 'ladder/v3'"),
        ({"fusion": "late", "seeds": 0}, "seeds: expected a whole number from 1 to 1,000, got 0"),
    ],
)
def test_what_an_audit_refuses(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        api.audit(**words)


def test_a_split_that_is_not_there(compared: Compared) -> None:
    with pytest.raises(ConfigError, match="has no split 'tests'"):
        api.audit(compared.out / "runs" / "late-s0", data=compared.data, split="tests")
