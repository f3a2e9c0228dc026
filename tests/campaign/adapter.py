"""Every call of the Python API that the campaign makes: a changed signature is an edit here and nowhere else."""

from __future__ import annotations

from typing import Any

import plait

__all__ = ["audit", "check", "compare", "evaluate", "fit", "load", "open_data", "package"]


def fit(recipe: Any, data: Any, out: Any, **options: Any) -> Any:
    """Train one recipe."""
    return plait.fit(data, out, recipe=recipe, progress=False, **options)


def compare(data: Any, out: Any, *, fusions: Any = ("late",), recipe: Any = None, **options: Any) -> Any:
    """Compare fusions."""
    return plait.compare(data, out, fusions=fusions, recipe=recipe, progress=False, **options)


def evaluate(run: Any, data: Any, **options: Any) -> Any:
    """Score a split with a run."""
    return plait.evaluate(run, data, progress=False, **options)


def audit(*given: Any, **options: Any) -> Any:
    """Audit a run or a fusion."""
    return plait.audit(*given, progress=False, **options)


def package(run: Any, out: Any) -> Any:
    """Package a run."""
    return plait.package(run, out)


def open_data(where: Any, **options: Any) -> Any:
    """Open a data set."""
    return plait.open_data(where, **options)


def check(data: Any, **options: Any) -> Any:
    """Look for what is wrong with a data set."""
    return plait.check(data, progress=False, **options)


def load(run: Any, **options: Any) -> Any:
    """Open a run."""
    return plait.load(run, **options)
