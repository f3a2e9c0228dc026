"""What a results file says in two parts: figures, which are the same every time, and how they were made.

One command run twice on one machine gives the same figures to the byte. Times, memory, the command line and the host
differ; they lie under the key "made", at the end, in the same tree: the time of a row is in `made["rows"]` at the row's
place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MADE", "figures_of", "joined", "parted"]

MADE = "made"
# Wherever these keys stand, they say how a figure was made.
_VARYING = frozenset(
    {
        "command",
        "device",
        "eval_s",
        "first_stage_s",
        "jobs",
        "measured_s",
        "peak_mb",
        "plait",
        "seconds",
        "step_ms",
        "threads",
        "timed_step_ms",
        "torch",
        "train_s",
        "versions",
    }
)
# Settings and answers are never taken apart: a key in them is someone's own word.
_WHOLE = frozenset({"audit", "data", "encoders", "files", "metrics", "recipe", "settings"})


def parted(results: Mapping[str, Any]) -> dict[str, Any]:
    """Give results as they are written: the figures, and last, under "made", what differs from time to time."""
    plain = joined(results)
    figures, made = _parts(plain)
    return {**figures, MADE: made}


def joined(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give results as they are used, in one tree; those of earlier versions, which have no "made", as they are."""
    made = found.get(MADE)
    figures = {key: value for key, value in found.items() if key != MADE}
    if not isinstance(made, Mapping):
        return figures
    whole: dict[str, Any] = _join(figures, made)
    return whole


def figures_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give the part that is the same every time, of results in either form."""
    return {key: value for key, value in parted(found).items() if key != MADE}


def _parts(value: Any) -> tuple[Any, Any]:
    """Give a value without what varies, and what varies in it; None where nothing does."""
    if isinstance(value, Mapping):
        figures: dict[str, Any] = {}
        made: dict[str, Any] = {}
        for key, own in value.items():
            if key in _VARYING:
                made[key] = own
            elif key in _WHOLE:
                figures[key] = own
            else:
                figures[key], varying = _parts(own)
                if varying:
                    made[key] = varying
        return figures, made or None
    if isinstance(value, list):
        pairs = [_parts(item) for item in value]
        varying = [own or {} for _, own in pairs]
        return [own for own, _ in pairs], varying if any(varying) else None
    return value, None


def _join(figures: Any, made: Any) -> Any:
    if isinstance(figures, Mapping) and isinstance(made, Mapping):
        return {
            **{key: _join(own, made[key]) if key in made else own for key, own in figures.items()},
            **{key: own for key, own in made.items() if key not in figures},
        }
    # A file that someone shortened by hand has fewer of one: what has no counterpart stays as it is.
    if isinstance(figures, list) and isinstance(made, list) and len(figures) == len(made):
        return [_join(own, varying) for own, varying in zip(figures, made, strict=True)]
    return figures
