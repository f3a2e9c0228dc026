"""The training loop: it learns, it stops at nonsense, and a stopped run continues as if nothing had happened."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from plait.core.config import TrainSettings
from plait.core.errors import CheckpointError, StorageError, TrainingError
from plait.nn.precision import Precision
from plait.train.checkpoint import current_names, read_tensors, write_tensors
from plait.train.events import Event, Listener, silent
from plait.train.fit import FitResult, Trainer
from plait.train.hardware import choose_hardware
from tests.train.toys import toy_feed, toy_learner

SETTINGS = TrainSettings(epochs=3, batch_size=8, lr=3e-2, precision="fp32", checkpoint_s=0.0, ema_decay=0.9)
Make = Callable[..., Trainer]


@pytest.fixture
def make(tmp_path: Path, precision: Precision) -> Make:
    """Make trainers in folders of one name or another, at the test's precision."""

    def trainer(folder: str = "a", fusion: str = "late", *, steps: int | None = None) -> Trainer:
        learner = toy_learner(fusion)
        feed = toy_feed(learner, tmp_path / "cache", precision=precision)
        settings = replace(SETTINGS, precision=precision)
        return Trainer(learner, feed=feed, settings=settings, folder=tmp_path / folder, steps=steps)

    return trainer


def run(trainer: Trainer, listener: Listener = silent) -> FitResult:
    return trainer.run(what="toys", listener=listener, check=dict)


def assert_same_end(one: Trainer, other: Trainer) -> None:
    """Hold weights and curve as equal, bit for bit."""
    state = other.learner.state_dict()
    for name, tensor in one.learner.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    losses = [[(entry["epoch"], entry["loss"]) for entry in trainer.progress.curve] for trainer in (one, other)]
    assert losses[0] == losses[1]


class Killed(BaseException):
    """What a test throws to stop a run between two steps."""


def kill_at_step(step: int) -> Listener:
    def listen(event: Event) -> None:
        if event.kind == "step" and event.done == step:
            raise Killed

    return listen


def kill() -> dict[str, float]:
    raise Killed


@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_a_stopped_fit_ends_with_the_same_weights_bit_for_bit(make: Make, fusion: str) -> None:
    whole = make("a", fusion)
    run(whole)
    with pytest.raises(Killed):
        run(make("b", fusion), kill_at_step(11))
    second = make("b", fusion)
    seen: list[int] = []
    result = run(second, lambda e: seen.append(e.done) if e.kind == "step" else None)
    assert seen[0] in (11, 12), "it started again, or skipped a step"
    assert result.steps == whole.progress.step == 24
    assert_same_end(whole, second)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_fit_stopped_after_an_epochs_last_step_keeps_the_epochs_entry(make: Make, epoch: int) -> None:
    """A timed checkpoint fell on the last step of an epoch, and the process was killed before the epoch's entry."""
    whole = make("a")
    run(whole)
    first = make("b")
    with pytest.raises(Killed):
        first.run(what="b", listener=silent, check=lambda: kill() if len(first.progress.curve) == epoch - 1 else {})
    second = make("b")
    run(second)
    assert_same_end(whole, second)


@pytest.mark.parametrize("later", [0, 3])
def test_a_state_of_an_earlier_version_without_an_epochs_entry_is_completed(
    make: Make, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    """Such a state holds the epoch's losses, and those of the steps that followed."""
    whole = make("a")
    run(whole)
    first = make("b")
    with monkeypatch.context() as patch:
        patch.setattr(first, "_close_epoch", lambda *_, **__: None if later else (first._save(), kill()))
        with pytest.raises(Killed):
            run(first, kill_at_step(8 + later + 1))
    assert first.progress.curve == []
    second = make("b")
    run(second)
    assert_same_end(whole, second)


@pytest.mark.parametrize("fusion", ["late", "cross"])
def test_a_state_of_the_earlier_layout_is_resumed(make: Make, tmp_path: Path, fusion: str) -> None:
    whole = make("a", fusion)
    run(whole)
    first = make("b", fusion)
    with pytest.raises(Killed):
        run(first, kill_at_step(11))
    tensors, metadata = read_tensors(first.state_path)
    began = {
        "learner.towers.": "model.towers.",
        "learner.": "",
        "average.model.": "average.",
    }
    old = {}
    for name, tensor in tensors.items():
        new = next((new for new in began if name.startswith(new)), "")
        renamed = name.removeprefix(new).replace("input_norm.", "entrance.").replace("feed_forward", "feed")
        old[began.get(new, "") + renamed] = tensor
    assert any("entrance." in name for name in old) == any("feed." in name for name in old) == (fusion == "cross")
    assert current_names(old).keys() == tensors.keys() == current_names(tensors).keys()
    assert any(name.startswith("average.text.trained.") for name in old)
    write_tensors(first.state_path, old, metadata)
    second = make("b", fusion)
    run(second)
    assert_same_end(whole, second)


@pytest.mark.parametrize(("write", "after"), [(1, "its first step"), (2, "the last checkpoint")])
def test_a_full_disk_says_where_training_continues(
    make: Make, monkeypatch: pytest.MonkeyPatch, write: int, after: str
) -> None:
    whole = make("a")
    run(whole)
    replace_file, written = os.replace, []

    def full(temporary: Path, path: Path) -> None:
        written.append(path)
        if len(written) == write:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(temporary, path)

    with monkeypatch.context() as patch:
        patch.setattr("plait.core.files.os.replace", full)
        first, words = make("b"), f"free some space .* same command again; .* continues from {after}"
        with pytest.raises(StorageError, match=words), first.resumable():
            run(first)
    assert {path.name for path in written} == {"state.safetensors"}
    second = make("b")
    run(second)
    assert_same_end(whole, second)


@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_the_loss_falls(make: Make, fusion: str) -> None:
    curve = run(make("a", fusion)).curve
    assert len(curve) == 3
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]


def test_weights_that_an_epochs_last_step_broke_are_an_error_with_advice(make: Make) -> None:
    one = make()

    def overflow(event: Event) -> None:
        if event.kind == "step" and event.done == one.steps_per_epoch:
            with torch.no_grad():
                next(one.learner.parameters()).fill_(float("inf"))

    with pytest.raises(TrainingError, match=r"1 weights .* are not finite after step 8 of 24; lower train\.lr"):
        run(one, overflow)
    assert one.progress.curve == [], "no epoch is closed with them"


def test_a_loss_that_is_not_a_number_is_an_error_with_advice(make: Make) -> None:
    one = make()
    with torch.no_grad():
        next(one.learner.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"toys: the loss became nan at step 1 of 24 .* lower train\.lr"):
        run(one)


def test_the_check_changes_nothing_that_is_trained_next(make: Make) -> None:
    def noisy() -> dict[str, float]:
        torch.rand(100)
        return {"t2i_r1": 1.0}

    quiet, loud = make("a", "cross"), make("b", "cross")
    run(quiet)
    loud.run(what="loud", listener=silent, check=noisy)
    assert_same_end(quiet, loud)


def test_the_check_sees_the_averaged_weights_in_eval_mode(make: Make) -> None:
    one = make()
    name, weight = next(iter(one.learner.named_parameters()))
    seen: list[torch.Tensor] = []

    def check() -> dict[str, float]:
        assert not one.learner.model.training
        seen.append(weight.detach().clone())
        return {}

    one.run(what="a", listener=silent, check=check)
    assert torch.equal(seen[-1], weight), "the weights at the end are the averaged ones"
    assert not torch.equal(seen[-1], one.average.state()[name])


def test_the_average_leaves_the_objective_out(make: Make) -> None:
    one = make("a", "cross")
    averaged = set(one.average.state())
    assert averaged == {name for name, _ in one.learner.named_parameters() if not name.startswith("objective.")}
    assert any(name.startswith("model.") for name in averaged)
    assert any(name.startswith("objective.") for name, _ in one.learner.named_parameters())


def test_the_state_of_another_model_is_refused(make: Make) -> None:
    run(make("a", "late"))
    with pytest.raises(CheckpointError, match="of another model"):
        run(make("a", "cross"))


def test_captions_of_one_image_do_not_oppose_each_other(make: Make) -> None:
    one = make()
    batch = one.feed.batch(one.feed.order(0, 0, 2)[0], seed=0, epoch=0)
    same = replace(batch, target=torch.zeros_like(batch.target))
    assert one.learner.loss(same).total.item() == 0.0


def test_a_number_of_steps_cuts_the_last_epoch_short_and_is_resumed_the_same(make: Make) -> None:
    whole = make("a", steps=11)
    result = run(whole)
    assert result.steps == 11  # 8 per epoch
    assert [entry["epoch"] for entry in result.curve] == [1, 2]

    def kill_at_the_end(event: Event) -> None:
        if event.kind == "epoch" and event.done == 2:
            raise Killed

    with pytest.raises(Killed):
        run(make("b", steps=11), kill_at_the_end)
    again = make("b", steps=11)
    assert run(again).steps == 11
    assert_same_end(whole, again)


def test_steps_are_timed_without_counting_the_first(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 9, 10, 19, 20, 21, 30, 33, 40, 42])  # steps of 9, 9, then 1, 3, 2 seconds
    monkeypatch.setattr("plait.train.fit.time.perf_counter", lambda: next(clock))
    assert make().time_steps(count=3, warmup=2) == 2


def test_the_hardware_and_the_settings_choose_device_and_precision(tmp_path: Path, precision: Precision) -> None:
    learner = toy_learner()
    settings = replace(SETTINGS, precision=precision)
    hardware = choose_hardware("cpu")
    one = Trainer(learner, feed=toy_feed(learner, tmp_path), settings=settings, folder=tmp_path, hardware=hardware)
    assert one.hardware is hardware
    assert one.precision == precision
