"""Pairings: which texts meet which images, in training and in evaluation. One file per pairing; see `base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.core.errors import UnknownNameError
from plait.core.tables import load_target

if TYPE_CHECKING:
    from plait.tasks.match.pairings.base import Pairing

__all__ = ["PAIRINGS", "find_pairing"]

# name, as recipes say it -> "module:class"
PAIRINGS: dict[str, str] = {
    "all": "plait.tasks.match.pairings.all_pairs:AllPairs",
    "itm": "plait.tasks.match.pairings.reranked:Reranked",
    "rerank": "plait.tasks.match.pairings.two_stage:TwoStage",
    "matched": "plait.tasks.match.pairings.matched:Matched",
}


def find_pairing(name: str) -> type[Pairing]:
    """Give a pairing's class by its name.

    Raises:
        UnknownNameError: there is none; the message gives the nearest.
    """
    if name not in PAIRINGS:
        raise UnknownNameError("pairing", name, PAIRINGS)
    pairing: type[Pairing] = load_target(PAIRINGS[name])
    return pairing
