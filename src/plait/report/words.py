"""Sentences of the report about times and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.core.metric import FEW_IMAGES
from plait.report.text import count, number_of

__all__ = ["few_images_sentence", "power_sentence", "times_note", "verdict_of"]


def power_sentence(row: Mapping[str, Any]) -> str:
    """Put a row of `plait.metrics.effects.power_of_tests` into a sentence.

    Example:
        >>> row = {"photos": 1000, "seeds": 3, "tests": 1, "detectable": 1.44, "seeds_counted": True}
        >>> power_sentence(row)
        'With 3 seeds and 1,000 photos, a true difference under 1.4 points would be missed more than one time in five.'
    """
    if row["detectable"] == 0 and row["photos"] >= FEW_IMAGES:
        return "They scored alike on every photo, so how small a difference could have been seen is unknown."
    if row["photos"] < FEW_IMAGES:
        return few_images_sentence(row["photos"])
    start = f"With {row['seeds']} seed{'' if row['seeds'] == 1 else 's'} and {row['photos']:,} photos"
    unit = " points" if row.get("unit", "%") == "%" else ""
    many = f" after correction for {row['tests']} tests" if row["tests"] > 1 else ""
    only = "" if row["seeds_counted"] else "; training noise, unknown with one seed, comes on top"
    limit = row.get("limit")
    if limit is not None and row["detectable"] >= limit:
        return (
            f"{start}, nothing but a difference of nearly {limit:g}{unit}, the whole scale, could have been seen"
            f"{many}{only}."
        )
    return (
        f"{start}, a true difference under {_size(row['detectable'])}{unit} would be missed more than one time in "
        f"five{many}{only}."
    )


def few_images_sentence(images: int) -> str:
    """Warn of a test on few images, in place of how small a difference it could have seen: that too is a guess there.

    Example:
        >>> few_images_sentence(1).partition(":")[0]
        'Only 1 photo was measured'
    """
    return (
        f"Only {images} {'photo was' if images == 1 else 'photos were'} measured: with fewer than {FEW_IMAGES}, "
        "intervals and tests are rough, and other photos may order the fusions differently."
    )


def verdict_of(results: Mapping[str, Any]) -> tuple[str, list[str], list[str]]:
    """Give the finding of a comparison, the sentences that follow it, and the warnings.

    Results of the first versions have one text and no parts: it is all in the second, and the finding is "".
    """
    parts = results.get("verdict_parts")
    if isinstance(parts, Mapping) and parts.get("finding"):
        rest, warnings = ([str(part) for part in parts.get(key) or ()] for key in ("rest", "warnings"))
        return f"{str(parts['finding']).rstrip('.')}.", rest, warnings
    text = str(results.get("verdict") or "")
    return "", [text] if text else [], []


def times_note(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which times compare where runs trained side by side or not all in one way; "" where all compare."""
    found = [(number_of(row.get("jobs")), number_of(row.get("threads"))) for row in rows]
    ways = sorted({(int(jobs), int(threads)) for jobs, threads in found if jobs and threads})
    named = [
        f"{count(jobs, 'run')}{' side by side' if jobs > 1 else ' at a time'}, {count(threads, 'thread')} each"
        for jobs, threads in ways
    ]
    if len(ways) > 1:
        return f" Times were taken in several ways ({'; '.join(named)}): those of different ways do not compare."
    if not ways or ways[0][0] == 1:
        return ""
    return f" Times were taken with {named[0]}: they compare with each other, not with those of other comparisons."


def _size(value: float) -> str:
    """Show a size of at least 0.05 with one decimal, a smaller one with one digit: never as 0.0."""
    return f"{value:.1f}" if value >= 0.05 else f"{value:.1g}"
