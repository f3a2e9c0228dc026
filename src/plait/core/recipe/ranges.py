"""The range of every number in a recipe, in one table, and of the numbers that verbs take. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from plait.core.errors import ConfigError, shown

__all__ = ["LARGEST_SEED", "MOST_SEEDS", "RANGES", "Range", "checked_number"]

# Random generators of numpy take seeds of 32 bits.
LARGEST_SEED = 2**32 - 1
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Range:
    """What a number may be.

    Fields:
        low, high: the least and the largest value; infinite where there is no end
        above:     the number must lie above `low`, not on it
        below:     the number must lie below `high`, not on it
        why:       what the range comes from, where a reader would ask
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False
    why: str = ""

    def holds(self, value: float) -> bool:
        """Whether a finite number lies in the range."""
        over = value > self.low if self.above else value >= self.low
        return over and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        """Say it: "at least 1", "above 0", "from 0 to 1"."""
        low = _number(self.low)
        if math.isinf(self.high):
            said = f"above {low}" if self.above else f"at least {low}"
        elif self.above or self.below:
            said = f"{'above' if self.above else 'at least'} {low} and {'below' if self.below else 'at most'} "
            said += _number(self.high)
        else:
            said = f"from {low} to {_number(self.high)}"
        return f"{said} ({self.why})" if self.why else said


# "table.key" of a recipe -> its range. A test walks the settings' fields: a number without an entry fails it.
RANGES: Mapping[str, Range] = {
    "text.max_tokens": Range(3, 8192),
    "text.trainable": Range(-1, 1000, why="-1 = the whole encoder"),
    "text.min_count": Range(1, 1_000_000_000),
    "image.size_px": Range(0, 4096, why="0 = the encoder's own"),
    "image.trainable": Range(-1, 1000, why="-1 = the whole encoder"),
    "fusion.width": Range(1, 16384),
    "fusion.rerank_k": Range(1, 1_000_000),
    "train.epochs": Range(1, 1_000_000),
    "train.batch_size": Range(2, 1_000_000, why="one photo has no negative"),
    "train.captions_per_image": Range(1, 10_000),
    "train.lr": Range(0, 1000, above=True),
    "train.encoder_lr": Range(0, 1000),
    "train.weight_decay": Range(0, 1000),
    "train.warmup_frac": Range(0, 1),
    "train.clip_norm": Range(0, why="0 = never"),
    "train.ema_decay": Range(0, 1, below=True),
    "train.seed": Range(0, LARGEST_SEED),
    "train.checkpoint_s": Range(0, above=True),
    "train.steps": Range(0, 1_000_000_000, why="0 = the epochs"),
}


def checked_number(value: Any, where: str, allowed: Range, *, whole: bool = True) -> Any:
    """Give a number back as int or float if it is one and in its range. Numbers of numpy are numbers.

    Arguments:
        where: what the message begins with, such as "compare, seeds"
        whole: whole numbers only
    Raises:
        ConfigError: a truth value, a text, a broken number, NaN or infinity, or a number out of range; the message
            says what was expected and what came.
    """
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        hint = "; leave out the quotes" if isinstance(value, str) and _reads_as_number(value) else ""
        raise ConfigError(f"{where}: expected {kind} {allowed}, got {shown(value)}{hint}")
    number = int(value) if isinstance(value, Integral) else float(value)
    if number != number or number in (math.inf, -math.inf) or not allowed.holds(number) or not _fits(number, whole):
        raise ConfigError(f"{where}: expected {kind} {allowed}, got {shown(number)}")
    return number if whole else float(number)


def _fits(number: float, whole: bool) -> bool:
    try:
        return whole or math.isfinite(float(number))
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"
