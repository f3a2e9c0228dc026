"""Results of earlier versions: read as today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["current_results"]

# How a metric's key ended -> how it ends now.
_ENDINGS = {"_luck": "_random"}
_PARTS = ("rows", "summary", "tests", "power")


def current_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """Give the content of results.json with today's keys of metrics."""
    return {key: _current(value) if key in _PARTS else value for key, value in results.items()}


def _current(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _key(own) if key == "metric" else _current(own) for key, own in value.items()}
    return [_current(item) for item in value] if isinstance(value, list) else value


def _key(name: Any) -> Any:
    for old, new in _ENDINGS.items():
        if isinstance(name, str) and name.endswith(old):
            return name.removesuffix(old) + new
    return name
