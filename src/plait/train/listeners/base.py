"""What listeners of figures share: which figures of an event are logged, under which names, and at which step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType

from plait.train.events import Event

__all__ = ["FigureLog"]

# What an epoch's event holds that is no figure.
_NO_FIGURES = ("epoch", "seconds")


class FigureLog(ABC):
    """A listener that logs the figures of runs: the loss of every step, each epoch's figures, and the results.

    Names are "train/loss" for the loss of a step, "epoch/KEY" for an epoch's means and curve, and "result/KEY" for the
    figures of the finished run. All are counted in optimiser steps. It is a context manager; leaving it closes it.
    """

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        """Log an event's figures, if it has any."""
        if event.kind == "step" and "loss" in event.data:
            self._steps[event.what] = event.done
            self._log(event.what, "train", {"loss": event.data["loss"]})
        elif event.kind == "epoch":
            self._log(event.what, "epoch", {k: v for k, v in event.data.items() if k not in _NO_FIGURES})
        elif event.kind == "evaluate":
            self._log(event.what, "result", event.data)
            self.finish(event.what)

    def __enter__(self) -> FigureLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def write(self, run: str, figures: Mapping[str, float], step: int) -> None:
        """Log name -> figure of a run, such as "cross, seed 1", at a step."""

    @abstractmethod
    def finish(self, run: str) -> None:
        """End a run: nothing more is logged of it."""

    @abstractmethod
    def close(self) -> None:
        """End all runs."""

    def _log(self, run: str, group: str, figures: Mapping[str, object]) -> None:
        numbers = {f"{group}/{key}": float(value) for key, value in figures.items() if isinstance(value, int | float)}
        if numbers:
            self.write(run, numbers, self._steps.get(run, 0))
