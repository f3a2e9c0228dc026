"""Folders of runs and of packaged models with one file damaged, for every verb that opens one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected
from tests.campaign.damage import DAMAGES, EDITS

__all__ = ["cases"]

FILES = ("run.json", "plan.json", "weights.safetensors", "vocabulary.json", "gallery.json", "by_photo.safetensors")
LOG = "events.jsonl"
# What no verb but `fit` reads.
UNREAD = ("plan.json", LOG)
# What reads as nothing; other damage of a plan leaves a run that is whole without it.
NO_JSON = ("empty", "truncated", "noise", "brackets")
MASKED = ("empty", "truncated", "brackets", "folder", "absent", "nan", "version")


def cases() -> Iterator[Case]:
    """Give every damage of every file for every verb."""
    for name in (*FILES, LOG):
        for how in DAMAGES:
            yield from _matching(name, how, DAMAGES[how])
    for how, edit in EDITS.items():
        yield from _matching("run.json", how, edit)
    for name in FILES:
        for how in MASKED:
            yield from _masks(name, how)
    for name in ("run.json", "weights.safetensors", "vocabulary.json", "MODEL_CARD.md"):
        for how in DAMAGES:
            yield from _packaged(name, how)
    for name in (*FILES, LOG):
        yield from _forbidden(name)


def _matching(name: str, how: str, spoil: Callable[..., None]) -> Iterator[Case]:
    def damaged(bench: Bench) -> Any:
        run = bench.run()
        spoil(run / name)
        return run

    read = name not in UNREAD
    expect: Expected = "refused" if read else "works"
    says = ("run",) if read else ()
    start = f"runs/match/{name}/{how}"
    planless = name == "plan.json" and how in NO_JSON  # which says how many steps were trained
    yield Case(
        f"{start}/match",
        lambda b: Command(["match", "--run", damaged(b), "--images", b.shared.photo, "--texts", "red", "blue"]),
        expect,
        says=says,
    )
    yield Case(
        f"{start}/evaluate",
        lambda b: Command(["evaluate", damaged(b), "--data", b.shared.data, "--quiet"]),
        expect,
        says=says,
    )
    yield Case(
        f"{start}/package",
        lambda b: Command(["package", damaged(b), "--out", b.out]),
        "refused" if planless else expect,
        says=("plan.json",) if planless else says,
    )
    yield Case(
        f"{start}/fit_again",
        lambda b: Command(
            ["fit", "--data", b.shared.data, "--recipe", b.shared.recipe, "--out", damaged(b), "--quiet"]
        ),
        *_again(name, how),
        check=_is_whole,
    )


def _again(name: str, how: str) -> tuple[Expected, tuple[str, ...], tuple[str, ...]]:
    """The same command makes a run whole, unless a folder stands where a file belongs, or the plan is another's."""
    if how == "folder":
        return "refused", (name,), ("run",)
    if name == "plan.json" and how in ("nan", "version"):
        return "refused", ("run",), ()
    return "works", (), ("run",)


def _is_whole(bench: Bench, printed: str) -> str:
    """Say what is wrong with the run after it was fitted again."""
    from plait.runs.record import damage, finished_record

    record = finished_record(bench.folder / "run")
    if record is None:
        return "there is no run"
    if broken := damage(bench.folder / "run", record):
        return broken
    shown = [record["metrics"][key] for key in ("t2i_r1", "i2t_r1")]
    return "" if all(0 <= value <= 100 for value in shown) and "nan" not in printed else f"shows {shown}: {printed}"


def _masks(name: str, how: str) -> Iterator[Case]:
    def damaged(bench: Bench) -> Any:
        run = bench.run(bench.shared.mask_run)
        DAMAGES[how](run / name)
        return run

    unread = name in UNREAD
    yield Case(
        f"runs/mask/{name}/{how}/mask",
        lambda b: Command(
            ["mask", b.shared.masks / "images" / "p0.png", "dog", "--run", damaged(b), "--out", b.out, "--quiet"]
        ),
        "works" if unread else "refused",
        says=() if unread else ("run",),
    )


def _packaged(name: str, how: str) -> Iterator[Case]:
    def damaged(bench: Bench) -> Any:
        run = bench.run(bench.shared.packaged)
        DAMAGES[how](run / name)
        return run

    unread = name == "MODEL_CARD.md"
    yield Case(
        f"runs/packaged/{name}/{how}/match",
        lambda b: Command(["match", "--run", damaged(b), "--images", b.shared.photo, "--texts", "red", "blue"]),
        "works" if unread else "refused",
        says=() if unread else ("run",),
    )


def _forbidden(name: str) -> Iterator[Case]:
    """A file that this user may not read, and a folder that this user may not write to."""

    def unreadable(bench: Bench) -> Any:
        run = bench.run()
        bench.without_rights(run / name)
        return run

    def sealed(bench: Bench) -> Any:
        run = bench.run()
        (run / name).unlink()
        bench.without_rights(run, mode=0o555)
        return run

    read = name not in UNREAD
    yield Case(
        f"runs/match/{name}/unreadable/match",
        lambda b: Command(["match", "--run", unreadable(b), "--images", b.shared.photo, "--texts", "red", "blue"]),
        "refused" if read else "works",
        says=(name,) if read else (),
    )
    yield Case(
        f"runs/match/{name}/unreadable/package",
        lambda b: Command(["package", unreadable(b), "--out", b.out]),
        "works" if name == LOG else "refused",
        says=() if name == LOG else (name,),
    )
    if name != LOG:
        yield Case(
            f"runs/match/{name}/sealed/fit_again",
            lambda b: Command(
                ["fit", "--data", b.shared.data, "--recipe", b.shared.recipe, "--out", sealed(b), "--quiet"]
            ),
            says=("run", "ermission"),
        )
