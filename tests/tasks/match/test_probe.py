"""Small tests of a comparison's runs, and the two commands of matching."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plait.core.config import Recipe, TrainSettings
from plait.core.errors import ConfigError, InputError
from plait.data.collection import Collection
from plait.explain.overlay import save_png
from plait.nn.precision import Precision
from plait.task import Answer, Command
from plait.tasks.match.command import MATCH, PROBE, matches_text
from plait.tasks.match.predict import MatchModel
from plait.tasks.match.probe import probe, probe_comparison, probe_photo
from plait.train.events import silent
from plait.trained import Model, Run
from tests.tasks.match.toys import ToyFeed, toy_learner
from tests.toys import toy_collection

WAYS = {"late": ("late", ""), "cross": ("cross", "itm"), "leaky": ("cross", "matched")}


class ToyApi:
    """The part of `plait.api` that the commands use, over learners that were never trained."""

    def __init__(self, results: dict[str, Any], precision: Precision = "fp32") -> None:
        self.results = results
        self.recipe = Recipe(train=TrainSettings(precision=precision))
        self.verified = 0

    def load_run(self, folder: Path) -> Run:
        fusion, pairing = WAYS[folder.name]
        learner = toy_learner(fusion, pairing=pairing)
        learner.eval()
        return Run(folder, {}, self.recipe, learner)

    def load(self, run: Path | str) -> Model:
        return MatchModel(self.load_run(Path(run)))

    def open_feed(
        self, run: Run, collection: Collection, *, views: Sequence[str] = ("full",), listener: Any = silent
    ) -> Any:
        assert tuple(views) == ("full",)
        return ToyFeed(collection, run.learner)

    def probe(self, out: Any, **options: Any) -> Any:
        return probe(self, out, **options)  # type: ignore[arg-type]

    def open_data(self, where: Any, *, limit: int | None = None) -> Collection:
        return toy_collection() if where == "toys" else toy_collection(12)

    def verify(self, collection: Collection, *, listener: Any = silent) -> Collection:
        self.verified += 1
        return collection

    def read_results(self, folder: Path) -> dict[str, Any]:
        return self.results


def row(label: str, **changes: Any) -> dict[str, Any]:
    made = {"fusion": label, "tokens": "tokens", "pairing": WAYS[label][1] or "all", "seed": 0, "run": label}
    made |= {"flags": ["leaky"] if label == "leaky" else [], "status": "ok", "train_s": 2.0, "curve": [{"loss": 1.5}]}
    return {**made, **changes}


def results(*labels: str) -> dict[str, Any]:
    return {"task": "match", "rows": [row(label) for label in labels]}


def run(command: Command, api: ToyApi, *words: Any) -> Answer:
    parser = ArgumentParser()
    command.arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]), api, silent)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_run_scores_the_same_pairs(tmp_path: Path, precision: Precision) -> None:
    given = results("late", "cross", "leaky")
    api = ToyApi(given, precision)
    found = probe_comparison(tmp_path, given, toy_collection(), runs=api, split="train")  # type: ignore[arg-type]
    assert (found["photos"], found["batch"], found["choices"]) == (24, 24, 5)
    assert found["chance"]["five_accuracy"] == 20
    assert {entry["fusion"] for entry in found["rows"]} == set(WAYS)
    for entry in found["rows"]:
        for name in ("accuracy", "loss", "separation", "five_accuracy", "five_margin"):
            assert entry[name]["low"] <= entry[name]["mean"] <= entry[name]["high"], name
        assert entry["five_accuracy"]["mean"] >= entry["accuracy"]["mean"]  # five are easier than twenty-four
        assert entry["trained_well"] == (entry["five_accuracy"]["low"] > 20)
        assert (entry["train_loss"], entry["train_s"], entry["seeds"]) == (1.5, 2.0, 1)
        assert entry["flags"] == (["leaky"] if entry["fusion"] == "leaky" else [])
    assert [entry["rank"] for entry in found["rows"]] == [1, 2, 3]
    again = probe_comparison(tmp_path, given, toy_collection(), runs=api, split="train")  # type: ignore[arg-type]
    assert again == found


def test_one_photo_gives_the_scores_of_use(tmp_path: Path) -> None:
    given = results("late", "cross", "leaky")
    given["rows"].append(row("late", status="failed"))
    api = ToyApi(given)
    photo = save_png(np.asarray(toy_collection().photos[0].source), tmp_path / "photo.png")
    captions = ["red left of blue", "green left of white", "white and then blue"]
    rows = probe_photo(tmp_path, given, photo, captions, runs=api, right=1)  # type: ignore[arg-type]
    assert [entry["fusion"] for entry in rows] == ["late", "cross", "leaky"]
    for entry in rows[:2]:
        model = api.load(entry["fusion"])
        assert isinstance(model, MatchModel)
        share = model.match([photo], captions).prob_text[0]
        assert entry["best"] == int(share.argmax())
        logits = np.array(entry["similarities"])
        np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), share, rtol=1e-4)
        assert entry["trained_well"] == (entry["best"] == 1)


def test_what_cannot_be_probed(tmp_path: Path) -> None:
    given = results("late")
    api: Any = ToyApi(given)
    with pytest.raises(
        InputError, match=r"split 'val' holds 16 photo\(s\) with captions; the probe takes batches of 24"
    ):
        probe_comparison(tmp_path, given, toy_collection(), runs=api, split="val")
    failed = {"rows": [row("late", status="failed")]}
    with pytest.raises(InputError, match="no run is finished"):
        probe_comparison(tmp_path, failed, toy_collection(), runs=api, split="train")
    with pytest.raises(ConfigError, match="a comparison of task 'mask'"):
        probe_comparison(tmp_path, {**given, "task": "mask"}, toy_collection(), runs=api, split="train")
    for captions, right in ((["one"], 0), (["one", "two"], 2)):
        with pytest.raises(InputError, match="two captions or more"):
            probe_photo(tmp_path, given, tmp_path / "photo.png", captions, runs=api, right=right)


def test_the_command_probe_writes_what_it_shows(tmp_path: Path) -> None:
    api = ToyApi(results("late", "cross"))
    answer = run(PROBE, api, tmp_path, "--data", "toys", "--split", "train")
    assert answer.code == 0
    assert answer.data == json.loads((tmp_path / "probe.json").read_text(encoding="utf-8"))
    assert api.verified == 1
    assert "chance: loss 3.18, accuracy 4.2 %, own caption of 5 20 %" in answer.text
    assert "late" in answer.text
    assert "cross" in answer.text


def test_the_command_probe_takes_one_photo(tmp_path: Path) -> None:
    photo = save_png(np.asarray(toy_collection().photos[0].source), tmp_path / "photo.png")
    api = ToyApi(results("late"))
    answer = run(PROBE, api, tmp_path, "--photo", photo, "--captions", "red left of blue", "blue left of red")
    assert len(answer.data[0]["similarities"]) == 2
    assert "one photo is no measure of a model" in answer.text
    assert not (tmp_path / "probe.json").exists()


@pytest.mark.parametrize(
    "words",
    [[], ["--data", "toys", "--photo", "x.png", "--captions", "a", "b"], ["--photo", "x.png"], ["--captions", "a"]],
)
def test_the_command_probe_wants_data_or_a_photo(tmp_path: Path, words: list[str]) -> None:
    answer = run(PROBE, ToyApi(results("late")), tmp_path, *words)
    assert (answer.code, "either --data, or --photo with --captions" in answer.text) == (2, True)


def test_the_command_match_shows_the_best_texts(tmp_path: Path) -> None:
    photo = save_png(np.asarray(toy_collection().photos[0].source), tmp_path / "photo.png")
    texts = ["red left of blue", "blue left of red"]
    answer = run(MATCH, ToyApi(results()), "--images", photo, "--texts", *texts, "--run", "cross")
    assert answer.data["images"] == [str(photo)]
    assert answer.data["score_kind"] == "log-odds"
    assert np.array(answer.data["scores"]).shape == (1, 2)
    assert json.loads(json.dumps(answer.data)) == answer.data
    best = texts[int(np.argmax(answer.data["scores"][0]))]
    assert best in answer.text.splitlines()[1]
    assert matches_text(answer.data, most=1).count(" %  ") == 1


def test_one_text_lists_images_by_score_and_no_percentage(tmp_path: Path) -> None:
    photos = [save_png(np.asarray(toy_collection().photos[n].source), tmp_path / f"photo{n}.png") for n in range(3)]
    answer = run(MATCH, ToyApi(results()), "--images", *photos, "--texts", "red left of blue", "--run", "late")
    lines = answer.text.splitlines()
    scores = [row[0] for row in answer.data["scores"]]
    order = sorted(range(3), key=lambda n: -scores[n])
    assert lines[0] == "red left of blue"
    assert [line.split()[1] for line in lines[1:4]] == [str(photos[n]) for n in order]
    assert lines[4].startswith("(score: cosine, from -1 to 1, higher fits better")
    assert "%" not in answer.text


def test_another_seed_counts_as_the_same_fusion(tmp_path: Path) -> None:
    given = {"rows": [row("late"), row("late", seed=1)]}
    api: Any = ToyApi(given)
    (entry,) = probe_comparison(tmp_path, given, toy_collection(), runs=api, split="train")["rows"]
    assert entry["seeds"] == 2
