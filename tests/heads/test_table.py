"""The table of heads: every head is one, and gives what the table says."""

from __future__ import annotations

import pytest

from plait.core.tables import load_entry
from plait.heads import HEADS
from plait.heads.base import AllPairsHead, AnswersHead, Head, MaskHead, MatchHead
from plait.heads.caption.base import CaptionDecoder
from plait.heads.classes import ClassHead

KINDS: dict[str, type[Head]] = {
    "MatchScores": MatchHead,
    "MaskLogits": MaskHead,
    "CaptionLogits": CaptionDecoder,
    "AnswerLogits": AnswersHead,
    "ClassLogits": ClassHead,
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_gives_what_the_table_says(name: str) -> None:
    entry = HEADS[name]
    head = load_entry(entry)
    assert isinstance(head, type)
    assert issubclass(head, KINDS[entry.gives])


def test_one_head_reads_the_similarities_of_all_pairs() -> None:
    found = [name for name, entry in HEADS.items() if issubclass(load_entry(entry), AllPairsHead)]  # type: ignore[arg-type]
    assert found == ["similarity"]


def test_an_unfinished_head_says_what_it_lacks() -> None:
    with pytest.raises(TypeError, match="forward"):
        MatchHead()  # type: ignore[abstract]
