"""Flags of runs: what must be said with their figures, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.text import badge, escape

__all__ = ["FLAG_WORDS", "flag_badges", "flag_sentences", "flags_of_runs", "legend", "warnings_of"]

# flag -> (kind of badge, what it means)
FLAG_WORDS = {
    "leaky": ("bad", "the score has read the answer: it is not comparable and is left out of the ranking"),
    "single-key": ("warn", "some attention has a single key: its softmax is 1 and chooses nothing"),
    "ignores the text": ("warn", "the figures do not fall when every photo gets another photo's text"),
    "ignores the image": ("warn", "the figures do not fall when every text gets another text's photo"),
    "shared photos": ("bad", "photos of the evaluated split are in the training split too"),
    "broken metric": ("bad", "the metrics do not give a perfect model 100 %"),
    "budget off": ("warn", "its number of parameters differs from the reference's by more than 5 %"),
    "did not train": ("bad", "no better than a model that reads nothing, or its loss was not finite"),
    "failed": ("bad", "the run stopped with an error"),
}


def flags_of_runs(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the flags of a fusion: those of its summary row and of its runs, and how runs ended, each once."""
    flags = [str(flag) for run in (row, *runs) for flag in run.get("flags") or ()]
    flags += [str(run["status"]) for run in runs if run.get("status") in ("did not train", "failed")]
    return list(dict.fromkeys(flags))


def flag_sentences(record: Mapping[str, Any]) -> list[str]:
    """Give what a run's record says against it, one sentence per flag: to be repeated wherever the run answers.

    Example:
        >>> flag_sentences({"flags": ["ignores the text"]})
        ["ignores the text: the figures do not fall when every photo gets another photo's text"]
    """
    return [": ".join(filter(None, (flag, FLAG_WORDS.get(flag, ("", ""))[1]))) for flag in flags_of_runs(record, ())]


def warnings_of(record: Mapping[str, Any]) -> list[str]:
    """Give the lines with which an answer repeats what its run's record says against it."""
    return [f"warning: this run has the flag {sentence}" for sentence in flag_sentences(record)]


def flag_badges(row: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    """Draw the flags of a fusion; a status that only some of its runs have says how many."""
    marks = []
    for flag in flags_of_runs(row, runs):
        kind, hint = FLAG_WORDS.get(flag, ("warn", ""))
        times = sum(1 for run in runs if run.get("status") == flag)
        text = f"{flag}: {times} of {len(runs)}" if 0 < times < len(runs) else flag
        marks.append(badge(text, kind, title=hint))
    return "".join(marks)


def legend(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say in one paragraph what each flag that occurs means; nothing where none does."""
    flags = [flag for flag in flags_of_runs({}, rows) if flag in FLAG_WORDS]
    if not flags:
        return ""
    told = "; ".join(f"{badge(flag, FLAG_WORDS[flag][0])} {escape(FLAG_WORDS[flag][1])}" for flag in flags)
    return f'<p class="note">{told}.</p>'
