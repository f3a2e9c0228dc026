"""The words of the report that differ by task: views of the leaderboard, notes, what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plait.report.text import count, escape, number_of

__all__ = ["MASK_WORDS", "MATCH_WORDS", "TaskWords", "times_note"]


@dataclass(frozen=True)
class TaskWords:
    """What the page says of a task.

    Fields:
        views:      (name, label) of the buttons above the leaderboard, the first pressed
        board_note: below the leaderboard; {chance} is filled in
        audit_note: below the audit
        cost_note:  above the charts of cost
        meanings:   (term, meaning) of the figures
    """

    views: tuple[tuple[str, str], ...]
    board_note: str
    audit_note: str
    cost_note: str
    meanings: tuple[tuple[str, str], ...]

    def buttons(self) -> str:
        """Draw the buttons of the views."""
        return "".join(
            f'<button type="button" data-view="{name}" aria-pressed="{str(not place).lower()}">{escape(label)}</button>'
            for place, (name, label) in enumerate(self.views)
        )

    def definitions(self) -> str:
        """Draw the terms and their meanings."""
        return "\n      ".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in self.meanings)


def times_note(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say with what times compare, where runs trained side by side or not all in one way; "" where it needs no word."""
    found = [(number_of(row.get("jobs")), number_of(row.get("threads"))) for row in rows]
    ways = sorted({(int(jobs), int(threads)) for jobs, threads in found if jobs and threads})
    told = [
        f"{count(jobs, 'run')}{' side by side' if jobs > 1 else ' at a time'}, {count(threads, 'thread')} each"
        for jobs, threads in ways
    ]
    if len(ways) > 1:
        return f" Times were taken in several ways ({'; '.join(told)}): those of different ways do not compare."
    if not ways or ways[0][0] == 1:
        return ""
    return f" Times were taken with {told[0]}: they compare with each other, not with those of other comparisons."


MATCH_WORDS = TaskWords(
    views=(("main", "Overview"), ("t2i", "Text → image"), ("i2t", "Image → text"), ("cost", "Cost")),
    board_note=(
        "Dots are means over seeds, bands are 95 % intervals (photos resampled with all their captions; "
        "training noise added where there are two seeds or more). The dashed tick is chance, {chance}. "
        "Overlapping bands do not settle a comparison: the paired tests below do. Select a column's head to "
        "sort."
    ),
    audit_note=(
        "In percent. An honest score finds no more than chance in noise, and falls to chance when captions "
        "or photos are shuffled among the pairs; one that does not has read the answer from the pairing."
    ),
    cost_note=("Text-to-image R@1 with its interval. Up and to the left is better; costs are on a logarithmic axis."),
    meanings=(
        (
            "R@k",
            (
                "Text → image: share of captions whose photo is among the first k photos. Image → text: share of "
                "photos with at least one of their captions among the first k. In percent, higher is better."
            ),
        ),
        (
            "Median rank",
            ("Middle rank of the first right answer; 1 is best."),
        ),
        (
            "mAP",
            ("Mean average precision over all right answers, in percent."),
        ),
        (
            "Binding",
            ("How often a photo scores its true caption above one with a single fact changed. Chance is 50 %."),
        ),
        (
            "Ties",
            ("Equal scores count as their expected value over all orders, so constant scores earn chance."),
        ),
    ),
)
MASK_WORDS = TaskWords(
    views=(("main", "Overview"), ("overlap", "Overlap"), ("reads", "What it reads"), ("cost", "Cost")),
    board_note=(
        "Dots are means over seeds, bands are 95 % intervals (photos resampled with all their masks; "
        "training noise added where there are two seeds or more). The dashed tick is the best mask that "
        "reads neither text nor photo, {chance}. Overlapping bands do not settle a comparison: the paired "
        "tests below do. Select a column's head to sort."
    ),
    audit_note=(
        "mIoU in percent. Without its text, or with the text of another photo, a model that reads falls; "
        "what is left is what the photo alone gives away. The last columns are masks that read nothing: "
        "whoever does not pass them has learned nothing."
    ),
    cost_note=("mIoU with its interval. Up and to the left is better; costs are on a logarithmic axis."),
    meanings=(
        (
            "mIoU",
            (
                "Mean over masks of pixels in both regions over pixels in either, at the photo's own size. In "
                "percent, higher is better. Where truth and prediction are both empty it is 1."
            ),
        ),
        (
            "oIoU",
            ("All masks' common pixels over all masks' pixels in either: large regions decide it."),
        ),
        (
            "P@X",
            ("Share of masks whose IoU is at least X."),
        ),
        (
            "Dice",
            ("Mean of twice the common pixels over the sum of both regions."),
        ),
        (
            "Boundary F",
            ("How well the outlines agree, within 0.8 % of the photo's diagonal."),
        ),
        (
            "Threshold",
            (
                "The probability from which on a pixel counts, chosen for the best mIoU on captions that are not "
                "measured here; the list of runs says on which."
            ),
        ),
        (
            "Other text",
            (
                "Every photo with the text of another photo: what is left was found without reading. A run whose "
                "score does not fall is flagged “ignores the text”."
            ),
        ),
        (
            "No text, no photo",
            ("The trained model with all tokens of that side set to 0."),
        ),
        (
            "Mean mask",
            (
                "The average of the training masks over the frame, at its best threshold: it reads neither text nor "
                "photo."
            ),
        ),
    ),
)
