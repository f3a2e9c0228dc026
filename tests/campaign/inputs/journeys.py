"""What users met on the way: outputs of another kind, the same command after a refusal, names used in any order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import plait
from tests.campaign import adapter
from tests.campaign.bench import Bench, changed_json
from tests.campaign.case import Case, Command, Expected, Python

__all__ = ["cases"]

# kind of folder -> its copy on the bench
KINDS: dict[str, Callable[[Bench], Any]] = {
    "run": lambda b: b.run(name="out"),
    "mask_run": lambda b: b.run(b.shared.mask_run, "out"),
    "packaged": lambda b: b.run(b.shared.packaged, "out"),
    "comparison": lambda b: b.run(b.shared.comparison, "out"),
    "data": lambda b: b.data().rename(b.out),
    "file": lambda b: b.file("out", "x"),
}
WRITERS: dict[str, Callable[[Bench, Any], list[Any]]] = {
    "fit": lambda b, out: ["fit", "--data", b.shared.data, "--recipe", b.shared.recipe, "--out", out, "--quiet"],
    "compare": lambda b, out: (
        [
            "compare",
            "--data",
            b.shared.data,
            "--fusions",
            "late",
            "--seeds",
            1,
            "--epochs",
            1,
            "--quiet",
            "--recipe",
            b.shared.recipe,
            "--out",
            out,
        ]
    ),
    "package": lambda b, out: ["package", b.shared.run, "--out", out],
    "package_mask": lambda b, out: ["package", b.shared.mask_run, "--out", out],
    "check_out": lambda b, out: ["data", "check", b.shared.data, "--out", out, "--quiet"],
    "check_fix": lambda b, out: ["data", "check", b.shared.data, "--fix", out, "--quiet"],
    "mask_out": lambda b, out: (
        ["mask", b.shared.masks / "images" / "p0.png", "dog", "--run", b.shared.mask_run, "--out", out]
    ),
}
# (writer, kind) that go together: the very run again, a packaged run packaged again, pages beside other files.
TOGETHER = {
    ("fit", "run"),
    ("package", "packaged"),  # of the same run
    *((writer, "data") for writer in WRITERS if writer not in ("check_fix",)),
    *(("mask_out", kind) for kind in KINDS if kind != "file"),
    *(("check_out", kind) for kind in KINDS if kind != "file"),
}
OUTPUTS: dict[str, str] = {
    "empty": "",
    "dot": ".",
    "below_a_file": "/dev/null/out",
    "proc": "/proc/plait-out",
    "nul": "a\x00b",
    "long_name": "x" * 300,
    "long_path": "x/" * 3000,
}


def cases() -> Iterator[Case]:
    """Give outputs into every kind of folder, outputs that cannot be, then what needs more than one command."""
    for writer, words in WRITERS.items():
        for kind, copy in KINDS.items():
            expect: Expected = "works" if (writer, kind) in TOGETHER else "refused"
            yield Case(
                f"commands/into/{writer}/{kind}",
                lambda b, words=words, copy=copy: Command(words(b, copy(b))),
                expect,
                says=("out",) if expect == "refused" else (),
            )
        for name, out in OUTPUTS.items():
            yield Case(
                f"commands/output/{writer}/{name}",
                lambda b, words=words, out=out: _with_file(b, words(b, out)),
                # A page, a picture or a table may lie beside other files; a run has a folder of its own.
                "works" if name == "dot" and writer in ("check_out", "check_fix", "mask_out") else "refused",
                says=("out",) if name in ("empty", "dot") and writer in ("fit", "compare") else (),
                writes=("here",),
            )
        yield Case(
            f"commands/output/{writer}/sealed",
            lambda b, words=words: Command(words(b, _sealed(b) / "new")),
            says=("ermission",),
        )
    yield from _again()
    yield from _edited_records()
    yield from _python()


def _with_file(bench: Bench, words: Sequence[Any]) -> Command:
    """The current folder holds something, as it does."""
    (bench.here / "notes.txt").write_text("mine", encoding="utf-8")
    return Command(words)


def _sealed(bench: Bench) -> Any:
    folder = bench.folder / "sealed"
    folder.mkdir()
    bench.without_rights(folder, mode=0o555)
    return folder


def _again() -> Iterator[Case]:
    def itself(bench: Bench) -> Command:
        run = bench.run(name="out")
        return Command(["package", run, "--out", run])

    def linked(bench: Bench) -> Command:
        run = bench.run(name="out")
        (bench.folder / "link").symlink_to(run)
        return Command(["package", run, "--out", bench.folder / "link"])

    def other_recipe(bench: Bench) -> Command:
        words = ["fit", "--data", bench.shared.data, "--recipe", bench.shared.recipe, "--epochs", 3, "--quiet"]
        return Command([*words, "--out", bench.run(name="out")])

    def after_bad_splits(bench: Bench) -> Command:
        data = bench.data()
        whole = (data / "splits.json").read_text(encoding="utf-8")
        (data / "splits.json").write_text('{"train": ["p000.png"], "val": 3}', encoding="utf-8")
        words = ["fit", "--data", data, "--recipe", bench.shared.recipe, "--out", bench.out, "--quiet"]
        from tests.doors.tools import call_quietly

        assert call_quietly(*words) == 1
        (data / "splits.json").write_text(whole, encoding="utf-8")
        return Command(words)

    def other_comparison(bench: Bench) -> Command:
        words = ["compare", "--data", bench.shared.data, "--fusions", "late", "--seeds", 1, "--epochs", 7, "--quiet"]
        return Command([*words, "--recipe", bench.shared.recipe, "--out", bench.run(bench.shared.comparison, "out")])

    def comparison_as_run(bench: Bench) -> Command:
        return Command(
            ["match", "--run", bench.shared.comparison, "--images", bench.shared.photo, "--texts", "red", "blue"]
        )

    def other_after_damage(bench: Bench) -> Command:
        run = bench.run(name="out")
        (run / "plan.json").write_text("", encoding="utf-8")
        words = ["fit", "--data", bench.shared.data, "--recipe", bench.shared.recipe, "--epochs", 3, "--quiet"]
        return Command([*words, "--out", run])

    yield Case("commands/again/fit_other_recipe_over_a_damaged_plan", other_after_damage, says=("out", "epochs"))
    yield Case(
        "commands/again/package_another_run",
        lambda b: Command(["package", b.shared.scenes_run, "--out", b.run(b.shared.packaged, "out")]),
        says=("out", "another run"),
    )
    yield Case("commands/again/package_itself", itself, says=("out",))
    yield Case("commands/again/package_itself_by_link", linked, says=("link",))
    yield Case("commands/again/fit_other_recipe", other_recipe, says=("out", "epochs"))
    yield Case("commands/again/fit_after_bad_splits", after_bad_splits, "works")
    yield Case("commands/again/compare_other_budget", other_comparison, says=("out",))
    yield Case("commands/again/comparison_as_run", comparison_as_run, says=("comparison", "runs"), leaves=())
    for name, kind in {"match": "run", "probe": "mask_run"}.items():
        words = {
            "match": lambda b: ["match", "--run", b.shared.mask_run, "--images", b.shared.photo, "--texts", "red"],
            "probe": lambda b: ["probe", b.shared.mask_run, "--data", b.shared.data],
        }[name]
        yield Case(f"commands/again/{name}_of_a_{kind}", lambda b, words=words: Command(words(b)))
    for name, words in {
        "mask_with_match_run": lambda b: ["mask", b.shared.photo, "red", "--run", b.shared.run],
        "evaluate_masks_by_match_run": lambda b: ["evaluate", b.shared.mask_run, "--data", b.shared.data],
        "evaluate_no_split": lambda b: ["evaluate", b.shared.run, "--data", b.shared.data, "--split", "test"],
        "fit_masks_on_captions": lambda b: (
            ["fit", "--data", b.shared.data, "--recipe", b.shared.mask_recipe, "--out", b.out]
        ),
        "report_of_a_run": lambda b: ["report", b.shared.run],
        "probe_of_a_run": lambda b: ["probe", b.shared.run, "--data", b.shared.data],
    }.items():
        yield Case(f"commands/again/{name}", lambda b, words=words: Command(words(b)))


def _edited_records() -> Iterator[Case]:
    """Records of runs that someone changed, and one text alone."""
    one = lambda b: ["match", "--run", b.shared.run, "--images", b.shared.photo, "--texts", "red", "--json"]  # noqa: E731
    yield Case(
        "commands/again/match_one_text",
        lambda b: Command(one(b)),
        "works",
        check=lambda b, out: "" if json.loads(out)["scores"] else "no scores",
    )
    yield Case(
        "runs/edited/encoders",
        lambda b: _edited(b, {"encoders": {"text": "another", "image": "another"}}),
        says=("run",),
    )
    yield Case("runs/edited/task", lambda b: _edited(b, {"recipe": {"task": "count"}}), says=("run.json", "count"))
    yield Case("runs/edited/files", lambda b: _edited(b, {"files": {"../../../etc/passwd": 3}}), says=("run.json",))
    yield Case("runs/edited/files_list", lambda b: _edited(b, {"files": [1]}), says=("run.json",))
    yield Case("runs/edited/files_text", lambda b: _edited(b, {"files": "all"}), says=("run.json",))
    yield Case("runs/edited/metrics_text", lambda b: _edited(b, {"metrics": "good"}, "package"), says=("run.json",))
    yield Case("runs/edited/data_null", lambda b: _edited(b, {"data": None}, "package"), says=("run.json",))
    yield Case("runs/edited/recipe_list", lambda b: _edited(b, {"recipe": [1]}), says=("run.json",))
    yield Case("runs/edited/encoders_null", lambda b: _edited(b, {"encoders": None}), says=("run.json",))


def _edited(bench: Bench, changes: dict[str, Any], verb: str = "match") -> Command:
    run = bench.run()
    changed_json(run / "run.json", changes)
    if verb == "package":
        return Command(["package", run, "--out", bench.out])
    return Command(["match", "--run", run, "--images", bench.shared.photo, "--texts", "red", "blue"])


def _python() -> Iterator[Case]:
    names = sorted(name for name in plait.__all__ if name not in ("__version__",))
    for name in names:
        for before in ("report", "compare"):
            yield Case(
                f"python/order/{before}_then_{name}",
                lambda b, name=name, before=before: Python(lambda: (getattr(plait, before), getattr(plait, name))),
                "works",
                check=lambda b, found: "" if all(map(callable, found)) else "not callable",
            )
    yield Case(
        "python/order/report_after_compare",
        lambda b: Python(lambda: (_compared(b), plait.report(b.out))[1]),
        "works",
        check=lambda b, path: "" if path.is_file() else "no page",
    )
    yield Case("python/compare/epochs_zero", lambda b: Python(lambda: _compared(b, epochs=0)), says=("epochs",))
    yield Case("python/compare/epochs_minus", lambda b: Python(lambda: _compared(b, epochs=-1)), says=("epochs",))
    yield Case("python/compare/seeds_text", lambda b: Python(lambda: _compared(b, seeds="3")), says=("seeds",))
    yield Case("python/compare/seeds_array", lambda b: Python(lambda: _compared(b, seeds=np.arange(1))), "works")
    yield Case("python/compare/seeds_doubled", lambda b: Python(lambda: _compared(b, seeds=[0, 0])), "works")
    yield Case("python/compare/fusions_text", lambda b: Python(lambda: _compared(b, fusions="late")), "works")
    yield Case(
        "python/compare/fusions_set", lambda b: Python(lambda: _compared(b, fusions={"late"})), says=("fusions",)
    )
    yield Case(
        "python/match/image_as_text",
        lambda b: Python(lambda: adapter.load(b.shared.run).match(str(b.shared.photo), ["red", "blue"])),
        "works",
    )
    yield Case(
        "python/match/text_as_text",
        lambda b: Python(lambda: adapter.load(b.shared.run).match([b.shared.photo], "red")),
        "works",
    )
    yield Case(
        "python/match/bytes_of_a_file",
        lambda b: Python(lambda: adapter.load(b.shared.run).match([b.shared.photo.read_bytes()], ["red", "blue"])),
        "works",
    )
    yield Case(
        "python/load/nan_weights",
        _spoiled_weights,
        says=("NaN",),
    )


def _compared(bench: Bench, **options: Any) -> Any:
    given: dict[str, Any] = {"fusions": ["late"], "seeds": 1, "epochs": 1, "recipe": bench.shared.recipe, **options}
    return adapter.compare(bench.shared.data, bench.out, **given)


def _spoiled_weights(bench: Bench) -> Python:
    """Weights of NaN in a run whose record vouches for them, as a diverged training of an earlier version left them."""
    from plait.runs.record import finished_record, write_record
    from tests.campaign.damage import DAMAGES

    run = bench.run(name="out")
    DAMAGES["nan"](run / "weights.safetensors")
    record = finished_record(run)
    assert record is not None
    write_record(run, record, tuple(record["files"]))
    return Python(lambda: adapter.load(run).match([bench.shared.photo], ["red", "blue"]))
