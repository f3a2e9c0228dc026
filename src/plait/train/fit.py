"""The one training loop: batches, loss, backward, optimiser, schedule, checkpoints, events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.config import TrainSettings
from plait.core.errors import StorageError, TrainingError
from plait.core.types import Batch
from plait.model import Learner
from plait.nn.devices import device_of
from plait.train.checkpoint import current_names, load_into, read_tensors, write_tensors
from plait.train.events import Event, Listener
from plait.train.feed import Feed
from plait.train.hardware import Hardware
from plait.train.memory import PeakMemory
from plait.train.optimiser import MovingAverage, is_of_objective, make_optimiser, rate_at, set_rates

__all__ = ["FitResult", "Trainer"]

STATE_FILE = "state.safetensors"
_STEADIER = "lower train.lr, raise train.warmup_frac, or set train.precision to fp32"


@dataclass
class Progress:
    """How far a fit has come; saved with every checkpoint.

    Fields:
        step:    optimiser steps done
        seconds: spent in steps, over all starts
        peak_mb: largest memory of the process seen during a step
        losses:  those of the present epoch's steps
        curve:   one entry per epoch
    """

    step: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0
    losses: list[float] = field(default_factory=list)
    curve: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class FitResult:
    """What a finished fit cost and how it went.

    Fields:
        steps:   optimiser steps
        train_s: seconds spent in steps, over all starts
        step_ms: mean time of a step
        peak_mb: largest memory of the process seen during a step, in MiB
        curve:   one entry per epoch: epoch, loss (mean over its steps), seconds, and what the epoch's check returned
    """

    steps: int
    train_s: float
    step_ms: float
    peak_mb: float
    curve: list[dict[str, Any]]


class Trainer:
    """Trains one learner on one feed, and resumes.

    Args:
        learner:  what is trained: `learner.loss(batch)` is minimised
        feed:     where batches come from; its order depends only on the seed and the epoch
        settings: epochs, rates, precision
        folder:   where the resumable state lies while training
        hardware: where to train; the learner is moved there. None = the device that the learner is on
        steps:    number of steps, in place of those of the settings; the last epoch may then be cut short

    Killed at any moment and started again, it continues from the last checkpoint and ends with the same weights, bit
    for bit on one machine: the position in the data, the weights, the optimiser, the averages and the random state are
    all in the checkpoint.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        feed: Feed,
        settings: TrainSettings,
        folder: Path,
        hardware: Hardware | None = None,
        steps: int | None = None,
    ) -> None:
        self.learner = learner
        self.hardware = hardware or Hardware(device_of(learner))
        self.precision = self.hardware.precision(settings.precision)
        self.feed = feed
        self.settings = settings
        self.state_path = folder / STATE_FILE
        self.hardware.place(learner)
        self.optimiser = make_optimiser(learner, settings)
        self.average = self._make_average()
        self.progress = Progress()
        self.steps_per_epoch = len(self._order(0))
        self.total_steps = (settings.steps or self.steps_per_epoch * settings.epochs) if steps is None else steps
        self.epochs = -(-self.total_steps // self.steps_per_epoch)

    def run(self, *, what: str, listener: Listener, check: Callable[[], dict[str, Any]]) -> FitResult:
        """Train to the end. `check` is called after each epoch, in eval mode; its figures are added to the curve.

        Raises:
            TrainingError: a loss that is not finite. The state of the last checkpoint is kept.
            StorageError: a checkpoint could not be written. The one before it is kept.
        """
        torch.manual_seed(self.settings.seed)
        if self.state_path.exists():
            self._resume()
            listener(Event("note", what, data={"resumed_at_step": self.progress.step}))
        memory = PeakMemory(self.progress.peak_mb)
        for epoch in range(self._closed_epochs(), self.epochs):
            self._epoch(epoch, memory, what=what, listener=listener)
            self._close_epoch(epoch, what=what, listener=listener, check=check)
        if self.average is not None:
            self.average.swap()
        state = self.progress
        return FitResult(
            steps=state.step,
            train_s=state.seconds,
            step_ms=1000 * state.seconds / max(1, state.step),
            peak_mb=state.peak_mb,
            curve=state.curve,
        )

    def time_steps(self, *, count: int, warmup: int) -> float:
        """Give the median seconds of `count` steps, after `warmup` steps that do not count. The weights change."""
        torch.manual_seed(self.settings.seed)
        self.learner.train()
        order, seconds = self._order(0), []
        for number in range(warmup + count):
            began = time.perf_counter()
            self._step(
                self.feed.batch(order[number % len(order)], seed=self.settings.seed, epoch=0), what="timing steps"
            )
            self.hardware.wait()
            seconds.append(time.perf_counter() - began)
        return float(np.median(seconds[warmup:]))

    def forget(self) -> None:
        """Delete the resumable state, once the finished weights are safely written elsewhere."""
        self.state_path.unlink(missing_ok=True)

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Add to the message of a StorageError where training continues when the same command is run again."""
        try:
            yield
        except StorageError as error:
            start = "the last checkpoint" if self.state_path.exists() else "its first step"
            raise StorageError(f"{error}; training continues from {start}") from error.__cause__

    def _epoch(self, epoch: int, memory: PeakMemory, *, what: str, listener: Listener) -> None:
        before = epoch * self.steps_per_epoch
        last = min(before + self.steps_per_epoch, self.total_steps)
        self.learner.train()
        saved_at = time.monotonic()
        for rows in self._order(epoch)[self.progress.step - before : last - before]:
            began = time.perf_counter()
            value = self._step(self.feed.batch(rows, seed=self.settings.seed, epoch=epoch), what=what)
            self.progress.seconds += time.perf_counter() - began
            self.progress.losses.append(value)
            self.progress.peak_mb = memory.sample()
            self.progress.step += 1
            listener(Event("step", what, self.progress.step, self.total_steps, {"loss": value, "epoch": epoch + 1}))
            # After the last step the epoch's entry is written with the state: it must not be saved without.
            if self.progress.step < last and time.monotonic() - saved_at > self.settings.checkpoint_s:
                self._save()
                saved_at = time.monotonic()

    def _closed_epochs(self) -> int:
        """Give how many epochs are in the curve: the next one is run, or closed if all its steps are done."""
        return int(self.progress.curve[-1]["epoch"]) if self.progress.curve else 0

    def _order(self, epoch: int) -> list[np.ndarray]:
        settings = self.settings
        per_image = settings.captions_per_image
        return self.feed.order(settings.seed, epoch, settings.batch_size, captions_per_image=per_image)

    def _step(self, batch: Batch, *, what: str) -> float:
        settings = self.settings
        set_rates(self.optimiser, rate_at(self.progress.step, self.total_steps, settings.warmup_frac))
        with self.hardware.autocast(self.precision):
            loss = self.learner.loss(batch)
        value = float(loss.total.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"{what}: the loss became {value} at step {self.progress.step + 1} of {self.total_steps} "
                f"(parts: { {k: float(v) for k, v in loss.parts.items()} }); {_STEADIER}. "
                "The last checkpoint is kept"
            )
        self.optimiser.zero_grad(set_to_none=True)
        self.hardware.take_gradients(loss.total)
        if settings.clip_norm > 0:
            parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.progress.step)
        return value

    def _close_epoch(self, epoch: int, *, what: str, listener: Listener, check: Callable[[], dict[str, Any]]) -> None:
        # All there are, unless an earlier version saved its state between an epoch's last step and its entry.
        count = min(self.steps_per_epoch, self.total_steps - epoch * self.steps_per_epoch)
        losses, later = self.progress.losses[:count], self.progress.losses[count:]
        entry: dict[str, Any] = {"epoch": epoch + 1, "loss": sum(losses) / max(1, len(losses))}
        entry["seconds"] = round(self.progress.seconds, 3)
        self._refuse_broken_weights(what)
        random_state = self.hardware.random_state()  # a check must not change what is trained next
        if self.average is not None:
            self.average.swap()
        self.learner.eval()
        entry |= check()
        if self.average is not None:
            self.average.swap()
        self.hardware.restore_random_state(random_state)
        self.progress.curve.append(entry)
        self.progress.losses = later
        self._save()
        listener(Event("epoch", what, epoch + 1, self.epochs, entry))

    def _refuse_broken_weights(self, what: str) -> None:
        """Refuse weights that an epoch's last steps broke, which no loss has seen yet."""
        broken = [name for name, tensor in self.learner.named_parameters() if not bool(tensor.isfinite().all())]
        if broken:
            raise TrainingError(
                f"{what}: {len(broken)} weights (first: {broken[0]}) are not finite after step {self.progress.step} of "
                f"{self.total_steps}; {_STEADIER}. The last checkpoint is kept"
            )

    def _make_average(self) -> MovingAverage | None:
        if self.settings.ema_decay == 0:
            return None
        named = [(name, p) for name, p in self.learner.named_parameters() if not is_of_objective(name)]
        return MovingAverage(named, self.settings.ema_decay)

    def _save(self) -> None:
        if not self.hardware.is_main:
            return
        tensors = {f"learner.{k}": v for k, v in self.learner.state_dict().items()}
        for index, slots in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{slot}": value for slot, value in slots.items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state().items()}
        tensors |= self.hardware.random_state()
        write_tensors(self.state_path, tensors, vars(self.progress))

    def _resume(self) -> None:
        saved, metadata = read_tensors(self.state_path)
        tensors = current_names(saved)
        where = str(self.state_path)

        def under(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        load_into(self.learner, under("learner."), where=where)
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in under("optimiser.").items():
            index, slot = name.split(".", 1)
            slots.setdefault(int(index), {})[slot] = tensor
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": slots})
        if self.average is not None:
            self.average.load(under("average."))
        self.hardware.restore_random_state(tensors)
        self.progress = Progress(**metadata)
