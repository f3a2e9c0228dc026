"""The report's attention maps: which can be drawn, and which are so even that they say little."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.older import map_query
from plait.report.text import empty, number_of

__all__ = ["NEARLY_EVEN", "attention_maps", "attention_section", "evenness"]

# Mean entropy of the weights over that of even weights, from which on a map says next to nothing.
NEARLY_EVEN = 0.97


def attention_maps(gallery: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the entries of the gallery's "attention" whose numbers fit their grid, with "by_cell" and "even" added.

    An entry that does not fit would be drawn in the wrong place. `by_cell` is True where cells attend to words, so
    that the weights of a cell sum to 1 over the words; else the weights of a word sum to 1 over the cells.
    """
    shown = []
    for entry in gallery.get("attention") or ():
        if _fits(entry):
            by_cell = map_query(entry) == "image"
            even = evenness(entry["weights"], by_cell=by_cell)
            shown.append({**entry, "by_cell": by_cell, "even": even is not None and even > NEARLY_EVEN})
    return shown


def evenness(weights: Sequence[Sequence[float]], *, by_cell: bool) -> float | None:
    """Give how even attention weights are, from 0 (all on one choice) to 1 (the same on every choice).

    Formula: the mean over queries of H(p) / log n, H the entropy of the query's weights p over its n choices. A query
    that attends to nothing does not count.

    Shapes:
        weights: (words, cells) >= 0; `by_cell`: cells are the queries and words the choices, else the reverse
    Undefined when: there is one choice, or no query attends to anything; then None.
    """
    queries = list(zip(*weights, strict=True)) if by_cell else list(weights)
    choices = len(queries[0]) if queries else 0
    if choices < 2:
        return None
    found = []
    for query in queries:
        total = sum(query)
        if total > 0:
            parts = [weight / total for weight in query if weight > 0]
            found.append(-sum(part * math.log(part) for part in parts) / math.log(choices))
    return sum(found) / len(found) if found else None


def attention_section(maps: Sequence[Mapping[str, Any]]) -> str:
    """Draw the place that JavaScript fills with the maps."""
    if not maps:
        return empty("There are no attention maps: none of these fusions attends, or none were made.")
    return (
        '<div id="attention"></div><noscript><p class="empty">The maps need JavaScript.</p></noscript>'
        '<p class="note">Point at a word to see its weights. Each cell is one image token, so a map is no finer than '
        "its grid. Attention weights are what the fusion computed with; they do not prove that the score depends on "
        "a place: plait faithfulness RUN --data DATA --method attention measures whether it does.</p>"
    )


def _fits(entry: Mapping[str, Any]) -> bool:
    grid, words, weights = (list(entry.get(key) or ()) for key in ("grid", "words", "weights"))
    if len(grid) != 2 or not 0 < len(words) == len(weights):
        return False
    return all(len(row) == grid[0] * grid[1] and all(number_of(w) is not None for w in row) for row in weights)
