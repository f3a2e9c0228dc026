"""Results of earlier versions: read as today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.core.made import joined

__all__ = ["current_results", "map_query"]

# How a metric's key ended -> how it ends now.
_ENDINGS = {"_luck": "_random"}
_PARTS = ("rows", "summary", "tests", "power")


def current_results(results: Mapping[str, Any]) -> dict[str, Any]:
    """Give the content of results.json in one tree, with today's keys of metrics."""
    return {key: _current(value) if key in _PARTS else value for key, value in joined(results).items()}


def map_query(entry: Mapping[str, Any]) -> str:
    """Give the side whose tokens attend in a map of the gallery: "text" or "image".

    Galleries of the first versions name it in "what" alone, which began with the direction.
    """
    if "query" in entry:
        return str(entry["query"])
    return "image" if str(entry.get("what", "")).startswith("image->") else "text"


def _current(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _key(own) if key == "metric" else _current(own) for key, own in value.items()}
    return [_current(item) for item in value] if isinstance(value, list) else value


def _key(name: Any) -> Any:
    for old, new in _ENDINGS.items():
        if isinstance(name, str) and name.endswith(old):
            return name.removesuffix(old) + new
    return name
