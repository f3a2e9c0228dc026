"""The training loop: it learns, it stops at nonsense, and killed it goes on as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plait.core.config import TrainSettings
from plait.core.errors import CheckpointError, TrainingError
from plait.train.events import Event, silent
from plait.train.features import prepare
from plait.train.feed import Feed
from plait.train.fit import Trainer
from tests.train.toys import toy_collection, toy_model

SETTINGS = TrainSettings(epochs=3, batch_size=8, lr=3e-2, precision="fp32", checkpoint_s=0.0, ema_decay=0.9)


def trainer(folder: Path, cache: Path, fusion: str, settings: TrainSettings = SETTINGS) -> Trainer:
    model, objective = toy_model(fusion)
    collection = toy_collection()
    features = prepare(model, collection, views=("full", "flip"), precision="fp32", root=cache)
    feed = Feed(collection, model, features, views=("full", "flip"))
    return Trainer(model, objective, feed=feed, settings=settings, folder=folder)


class Killed(BaseException):
    """What a test throws to stop a run between two steps."""


@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_a_stopped_fit_ends_with_the_same_weights_bit_for_bit(tmp_path: Path, fusion: str) -> None:
    whole = trainer(tmp_path / "a", tmp_path / "cache", fusion)
    whole.run(what="whole", listener=silent, check=dict)

    def kill_at_11(event: Event) -> None:
        if event.kind == "step" and event.done == 11:
            raise Killed

    first = trainer(tmp_path / "b", tmp_path / "cache", fusion)
    with pytest.raises(Killed):
        first.run(what="first", listener=kill_at_11, check=dict)
    second = trainer(tmp_path / "b", tmp_path / "cache", fusion)
    seen: list[int] = []
    result = second.run(what="second", listener=lambda e: seen.append(e.done) if e.kind == "step" else None, check=dict)
    assert seen[0] in (11, 12), "it began anew, or skipped a step"
    assert result.steps == whole.progress.step == 24
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert [e["loss"] for e in whole.progress.curve] == [e["loss"] for e in second.progress.curve]


@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_the_loss_falls(tmp_path: Path, fusion: str) -> None:
    one = trainer(tmp_path / "a", tmp_path / "cache", fusion)
    curve = one.run(what="fit", listener=silent, check=dict).curve
    assert len(curve) == 3
    assert curve[-1]["loss"] < 0.9 * curve[0]["loss"]


def test_a_loss_that_is_no_number_is_an_error_with_a_cure(tmp_path: Path) -> None:
    one = trainer(tmp_path / "a", tmp_path / "cache", "late")
    with torch.no_grad():
        next(one.model.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"late, seed 0: the loss became nan at step 1 of 24 .* lower train\.lr"):
        one.run(what="late, seed 0", listener=silent, check=dict)


def test_the_check_changes_nothing_that_is_trained_next(tmp_path: Path) -> None:
    def noisy() -> dict[str, float]:
        torch.rand(100)
        return {"t2i_r1": 1.0}

    quiet, loud = (trainer(tmp_path / name, tmp_path / "cache", "cross") for name in "ab")
    quiet.run(what="quiet", listener=silent, check=dict)
    loud.run(what="loud", listener=silent, check=noisy)
    for name, tensor in quiet.model.state_dict().items():
        assert torch.equal(tensor, loud.model.state_dict()[name]), name


def test_the_state_of_another_model_is_refused(tmp_path: Path) -> None:
    late = trainer(tmp_path / "a", tmp_path / "cache", "late")
    late.run(what="late", listener=silent, check=dict)
    cross = trainer(tmp_path / "a", tmp_path / "cache", "cross")
    with pytest.raises(CheckpointError, match="of another model"):
        cross.run(what="cross", listener=silent, check=dict)


def test_captions_of_one_photo_do_not_oppose_each_other(tmp_path: Path) -> None:
    one = trainer(tmp_path / "a", tmp_path / "cache", "late")
    batch = one.feed.batch(one.feed.order(0, 0, 2)[0], seed=0, epoch=0)
    same = type(batch)(**{**vars(batch), "target": torch.zeros_like(batch.target)})
    assert one.model.judge_batch(one.objective, same).total.item() == 0.0


def test_a_number_of_steps_cuts_the_last_epoch_short_and_is_resumed_the_same(tmp_path: Path) -> None:
    def make(folder: str) -> Trainer:
        one = trainer(tmp_path / folder, tmp_path / "cache", "late")
        model, objective, feed = one.model, one.objective, one.feed
        return Trainer(model, objective, feed=feed, settings=SETTINGS, folder=tmp_path / folder, steps=11)

    whole = make("a")
    result = whole.run(what="whole", listener=silent, check=dict)
    assert result.steps == 11  # 8 an epoch
    assert [entry["epoch"] for entry in result.curve] == [1, 2]

    def kill_at_the_end(event: Event) -> None:
        if event.kind == "epoch" and event.done == 2:
            raise Killed

    with pytest.raises(Killed):
        make("b").run(what="first", listener=kill_at_the_end, check=dict)
    again = make("b")
    assert again.run(what="second", listener=silent, check=dict).steps == 11
    assert [entry["loss"] for entry in again.progress.curve] == [entry["loss"] for entry in result.curve]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


def test_steps_are_timed_without_counting_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer(tmp_path / "a", tmp_path / "cache", "late")
    clock = iter([0, 9, 10, 19, 20, 21, 30, 33, 40, 42])  # steps of 9, 9, then 1, 3, 2 seconds
    monkeypatch.setattr("plait.train.fit.time.perf_counter", lambda: next(clock))
    assert one.time_steps(count=3, warmup=2) == 2
