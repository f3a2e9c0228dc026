"""The Python API as its users call it: one shape of fit and compare, typed results, all that is refused before work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import plait
from plait.core.errors import CheckpointError, ConfigError, InputError, MissingPackageError, PlaitError
from plait.core.made import joined
from plait.train.checkpoint import read_tensors, write_tensors
from plait.train.events import Event
from tests.doors.conftest import Compared
from tests.doors.tools import call, environment

NEW_CALL = r"plait\.fit\(data, out, recipe="


@pytest.fixture(scope="module")
def run(compared: Compared, tmp_path_factory: pytest.TempPathFactory) -> plait.Run:
    """One run, fitted in Python with everything that can be given in place of the recipe's."""
    out = tmp_path_factory.mktemp("api") / "run"
    events: list[Event] = []
    found = plait.fit(
        str(compared.data),
        str(out),
        recipe=str(compared.recipe),
        fusion="late",
        epochs=1,
        seed=7,
        limit=8,
        listener=events.append,
    )
    assert {event.kind for event in events} >= {"verify", "step", "epoch", "evaluate"}
    return found


def test_fit_gives_a_run_with_attributes_and_its_record(run: plait.Run) -> None:
    assert (run.fusion, run.seed, run.task, run.split) == ("late", 7, "match", "val")
    assert run.recipe.train.epochs == 1
    assert run.metrics == run.record["metrics"]
    assert run.metrics["t2i_r1"] >= 0
    assert run.record["data"]["photos"] == 8
    assert run.flags == tuple(run.record["flags"])
    assert len(run.curve) == 1
    assert run.params == run.record["params"] > 0
    saved = joined(json.loads((run.folder / "run.json").read_text(encoding="utf-8")))
    assert {key: saved[key] for key in run.record} == json.loads(json.dumps(run.record))


def test_fit_loads_no_weights_until_they_are_used(
    run: plait.Run, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = plait.load_run(run.folder)
    with monkeypatch.context() as patch:
        patch.setattr("plait.runs.open.load_weights", lambda *_: pytest.fail("weights were loaded"))
        assert plait.load_run(run.folder).metrics == run.metrics
    photos = sorted((compared.data / "images").iterdir())[:3]
    scores = opened.model().match(photos, ["red", "blue"]).scores
    np.testing.assert_array_equal(plait.load(opened).match(photos, ["red", "blue"]).scores, scores)
    np.testing.assert_array_equal(plait.load(run.folder).match(photos, ["red", "blue"]).scores, scores)


def test_verbs_take_a_run_as_well_as_its_folder(run: plait.Run, compared: Compared, tmp_path: Path) -> None:
    one, other = (plait.evaluate(given, compared.data, progress=False) for given in (run, run.folder))
    assert one.metrics == other.metrics
    assert plait.audit(run, seeds=2, progress=False).flags == plait.audit(run.folder, seeds=2, progress=False).flags
    assert plait.package(run, tmp_path / "small")["bytes"] > 0
    assert plait.load_run(run) is run


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data, out: plait.fit("photos", data, out),  # type: ignore[call-arg, arg-type, misc]
        lambda data, out: plait.fit(plait.Recipe(), data, out),  # type: ignore[call-arg, arg-type, misc]
        lambda data, out: plait.fit(plait.Recipe(), data),  # type: ignore[arg-type]
        lambda data, out: plait.fit(plait.Recipe(), out=out, data=data),  # type: ignore[arg-type, misc]
        lambda data, out: plait.fit(data, out, recipe_or_name="photos"),  # type: ignore[call-arg]
    ],
)
def test_calls_of_earlier_versions_are_shown_the_new_one(wrong: Any, compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(PlaitError, match=NEW_CALL):
        wrong(compared.data, tmp_path / "run")
    with pytest.raises(PlaitError, match=r"recipe now: plait\.compare\(data, out, fusions="):
        plait.compare(compared.data, tmp_path, fusions="late", recipe_or_name="photos")  # type: ignore[call-arg]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["", " ", None, 3])
def test_an_empty_output_folder_is_refused_by_every_verb(
    out: Any, compared: Compared, run: plait.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = [
        lambda: plait.fit(compared.data, out),
        lambda: plait.compare(compared.data, out, fusions="late"),
        lambda: plait.package(run, out),
        *([lambda: plait.check(compared.data, out=out), lambda: plait.check(compared.data, fix=out)] if out else []),
    ]
    for verb in calls:
        with pytest.raises(ConfigError, match="--out: expected a path"):
            verb()
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_refuses_an_empty_output_folder_too(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ["fit", "--data", compared.data],
        ["compare", "--data", compared.data, "--fusions", "late"],
        ["package", compared.out / "runs" / "late-s0"],
        ["data", "check", compared.data],
    ):
        answer = call(capsys, *words, "--out", "")
        assert (answer.code, "an empty one" in answer.err) == (1, True), answer
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_an_output_folder_is_said_before_any_work(compared: Compared, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="this is a file"):
        plait.fit(compared.data, file)
    with pytest.raises(ConfigError, match=r"file is a file; expected a folder"):
        plait.compare(compared.data, file / "below" / "it", fusions="late")
    with pytest.raises(ConfigError, match="use a shorter path"):
        plait.fit(compared.data, tmp_path / ("x" * 300))


def test_one_fusion_is_fitted_by_name_or_label(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"fit trains one fusion, and these are 2: late, cross"):
        plait.fit(compared.data, tmp_path / "a", fusion="late,cross")
    with pytest.raises(ConfigError, match=r"unknown fusion 'lat'; did you mean 'late'"):
        plait.fit(compared.data, tmp_path / "a", fusion="lat")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"), [(None, "data: expected a path"), ("", "an empty one"), (3, "got 3"), ("nosuch", "nosuch")]
)
def test_data_that_is_none_is_refused(data: Any, message: str, tmp_path: Path) -> None:
    for verb in (lambda: plait.fit(data, tmp_path / "a"), lambda: plait.check(data), lambda: plait.open_data(data)):
        with pytest.raises(PlaitError, match=message):
            verb()


def test_a_comparison_has_attributes_and_opens_its_runs(compared: Compared) -> None:
    found = plait.load_comparison(str(compared.out))
    assert found.record == found.results == compared.results
    assert (found.task, found.seeds, found.failed) == ("match", (0,), 0)
    assert set(found.fusions) == {"late", "cross"}
    assert found.fusions == tuple(entry["fusion"] for entry in compared.results["summary"])
    assert found.verdict == compared.results["verdict"]
    assert [row["run"] for row in found.rows] == [row["run"] for row in compared.results["rows"]]
    assert found.report.is_file()
    late = found.run("late")
    assert late.metrics == next(row["metrics"] for row in found.rows if row["fusion"] == "late")
    with pytest.raises(ConfigError, match=r"no run of 'lat'; did you mean 'late'\?; it has: late \(seed 0\)"):
        found.run("lat")
    with pytest.raises(ConfigError, match="no run of 'late' under seed 3"):
        found.run("late", 3)


def test_a_check_has_attributes_and_its_record(compared: Compared, tmp_path: Path) -> None:
    found = plait.check(str(compared.data), out=str(tmp_path / "page"), progress=False)
    assert found.record == {**json.loads((tmp_path / "page" / "check.json").read_text()), "page": str(found.page)}
    assert found.page is not None
    assert found.page.is_file()
    assert found.counts == found.record["counts"]
    assert [one.code for one in found.findings] == [row["code"] for row in found.record["findings"]]
    assert len(found.errors) == found.counts["error"]
    assert found.fixed is None


def test_short_reprs_and_html(run: plait.Run, compared: Compared) -> None:
    data = plait.open_data(compared.data)
    model = plait.load(run)
    photos = sorted((compared.data / "images").iterdir())[:3]
    shown = [
        data,
        run,
        plait.load_comparison(compared.out),
        plait.evaluate(run, data, progress=False),
        model,
        model.match(photos, "a <b>dog</b>"),
        model.match(photos, ["a <b>dog</b>", "red"]),
        plait.check(compared.data, progress=False),
        plait.Recipe(),
    ]
    for value in shown:
        assert len(repr(value)) < 300, repr(value)
        assert "\n" not in repr(value)
        assert repr(value).startswith(type(value).__name__)
        if isinstance(value, plait.Model | plait.Recipe):
            continue
        html = value._repr_html_()  # type: ignore[attr-defined]
        assert html.startswith("<div>")
        assert html.endswith("</div>")
        assert len(html) < 20_000
        assert "<b>" not in html
        assert "<script" not in html
    assert "&lt;b&gt;" in shown[5]._repr_html_()  # type: ignore[attr-defined]
    assert "8 images" not in repr(data)
    assert f"{len(data.photos)} images" in repr(data)


def test_frames(run: plait.Run, compared: Compared) -> None:
    pytest.importorskip("pandas")
    data = plait.open_data(compared.data)
    frame = data.to_frame()
    assert len(frame) == len(data.captions)
    assert set(frame["split"]) == {"train", "val"}
    comparison = plait.load_comparison(compared.out)
    frame = comparison.to_frame()
    assert list(frame["fusion"]) == [row["fusion"] for row in comparison.rows]
    assert list(frame["t2i_r1"]) == [row["metrics"]["t2i_r1"] for row in comparison.rows]
    evaluation = plait.evaluate(run, data, progress=False)
    frame = evaluation.to_frame()
    part = frame[frame["metric"] == "t2i_r1"]
    mean = (part["value"] * part["weight"]).sum() / part["weight"].sum()
    assert mean == pytest.approx(evaluation.metrics["t2i_r1"])
    assert set(part["image"]) == set(evaluation.images)
    median = frame[frame["metric"] == "t2i_median_rank"]["value"].median()
    assert median == pytest.approx(evaluation.metrics["t2i_median_rank"])
    matched = plait.load(run).match(sorted((compared.data / "images").iterdir())[:4], ["red", "blue"])
    frame = matched.to_frame()
    assert len(frame) == 8
    assert frame[frame["text"] == "red"]["score"].is_monotonic_decreasing
    assert "probability" in frame
    assert set(plait.check(compared.data, progress=False).to_frame()) >= {"severity", "code", "fix"}


def test_frames_without_pandas_say_what_to_install(
    run: plait.Run, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pip install pandas"):
        plait.load_comparison(compared.out).to_frame()
    with pytest.raises(PlaitError, match="pip install pandas"):
        plait.open_data(compared.data).to_frame()


def test_every_way_to_give_an_image_scores_the_same(run: plait.Run, compared: Compared) -> None:
    path = sorted((compared.data / "images").iterdir())[0]
    pixels = np.array(Image.open(path).convert("RGB"))
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    ways = [path, str(path), path.read_bytes(), Image.open(path), pixels, tensor, tensor / 255]
    model = plait.load(run)
    wanted = model.match(path, "a red square").scores
    assert wanted.shape == (1, 1)
    for way in ways:
        np.testing.assert_allclose(model.match(way, "a red square").scores, wanted, atol=1e-3)
    found = model.match(ways, ("a red square", "blue"))
    assert found.scores.shape == (7, 2)
    assert found.images[0] == str(path)
    with pytest.raises(InputError, match=r"image 2 of 2: expected a path.*got None"):
        model.match([path, None], "red")  # type: ignore[list-item]
    with pytest.raises(InputError, match="sentence 2 of 2: expected a string, got None"):
        model.match(path, ["red", None])  # type: ignore[list-item]
    with pytest.raises(InputError, match="no such file"):
        model.match("a.jpg", "red")


def test_one_text_ranks_images_by_score_and_claims_no_percentage(
    run: plait.Run, compared: Compared, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = sorted((compared.data / "images").iterdir())[:5]
    found = plait.load(run).match(photos, "a red square")
    ranked = found.ranked()
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert [found.images[one.index] for one in ranked] == [one.image for one in ranked]
    assert found.ranked("a red square") == ranked
    with pytest.raises(InputError, match="expected one of 1 texts"):
        found.ranked(1)
    answer = call(capsys, "match", "--run", run.folder, "--images", *photos, "--texts", "a red square")
    lines = answer.out.splitlines()
    assert lines[0] == "a red square"
    assert [line.split()[-1] for line in lines[1:6]] == [one.image for one in ranked]
    assert [float(line.split()[0]) for line in lines[1:6]] == [pytest.approx(score, abs=6e-4) for score in scores]
    assert "score: cosine, from -1 to 1" in lines[6]
    assert "100.0 %" not in answer.out
    several = call(capsys, "match", "--run", run.folder, "--images", *photos, "--texts", "red", "blue").out
    assert "probability over the sentences given" in several


def test_vectors_are_unit_rows_whose_products_are_the_scores(run: plait.Run, compared: Compared) -> None:
    photos, texts = sorted((compared.data / "images").iterdir())[:4], ["a red square", "blue in front of yellow"]
    model = plait.load(run)
    images, sentences = model.encode_images(photos), model.encode_texts(texts)
    assert images.dtype == sentences.dtype == np.float32
    assert (len(images), len(sentences)) == (4, 2)
    assert images.shape[1] == sentences.shape[1]
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(images @ sentences.T, model.match(photos, texts).scores, atol=1e-4)
    towers = plait.load(compared.out / "runs" / "cross-s0")
    assert towers.encode_texts("red").shape[0] == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(run: plait.Run, tmp_path: Path, bad: float) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    path = folder / "weights.safetensors"
    tensors, metadata = read_tensors(path)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.ndim > 1)
    tensors[name].view(-1)[1] = bad
    write_tensors(path, tensors, metadata)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["files"]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"'{name}' holds 1 of .* NaN or infinite.*fit the run again"):
        plait.load(folder)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda found: found["rows"][0]["metrics"].update(t2i_r1=9999), r"rows\[0\]\.metrics\.t2i_r1"),
        (lambda found: found["rows"][0]["metrics"].update(t2i_r1="many"), r"rows\[0\]\.metrics\.t2i_r1"),
        (lambda found: found["rows"][0]["metrics"].update(t2i_median_rank=0), r"metrics\.t2i_median_rank"),
        (lambda found: found["summary"][1]["t2i_r5"].update(high=-3), r"summary\[1\]\.t2i_r5\.high"),
        (lambda found: found["rows"].insert(0, {"metrics": [1]}), r"rows\[0\]"),
    ],
)
def test_a_report_refuses_figures_that_cannot_be(compared: Compared, tmp_path: Path, change: Any, key: str) -> None:
    results = json.loads(json.dumps(compared.results))
    change(results)
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"results\.json, .*{key}"):
        plait.report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_public_name_works_in_any_order_of_use() -> None:
    code = """
import itertools, pkgutil, sys
import plait
for room in [m.name for m in pkgutil.iter_modules(plait.__path__)]:
    if room not in ("__main__",):
        __import__("plait." + room)
names = [n for n in (*plait.__all__, "match", "mask", "probe") if n[0].islower()]
rooms = {m.name for m in pkgutil.iter_modules(plait.__path__)}
assert {"audit", "report", "compare"} <= rooms & set(names)
assert not rooms & {"match", "mask", "probe", "check", "package", "load", "fit"}
for order in (names, names[::-1]):
    for name in order:
        try:
            getattr(plait, name)(nothing_of_this_name=1)
        except TypeError as error:
            assert "nothing_of_this_name" in str(error) or "missing" in str(error), (name, error)
            assert "not callable" not in str(error), (name, error)
            continue
        except plait.PlaitError:
            continue
        raise AssertionError(name)
import plait.report, plait.audit, plait.compare
from plait import audit, compare, report
try:
    report("nosuch-folder")
except plait.PlaitError as error:
    assert "results.json" in str(error)
try:
    audit()
except plait.PlaitError as error:
    assert "one of the two" in str(error)
try:
    compare("nosuch", "out", fusions="")
except plait.PlaitError as error:
    assert "at least one fusion" in str(error)
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
