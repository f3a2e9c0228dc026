"""An answer to a question: the most probable ones of the list, and what a reader should know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plait.core.show import html_table, shortened

__all__ = ["AnswerResult", "Choice"]


@dataclass(frozen=True)
class Choice:
    """One answer.

    Fields:
        answer:      as it is in the run's list
        probability: in [0, 1]; the run's whole list sums to 1
    """

    answer: str
    probability: float


@dataclass(frozen=True, repr=False)
class AnswerResult:
    """What a run answers to a question about an image.

    Fields:
        image:    path of the image file, or "array"
        question: as asked
        run:      folder of the run that answered
        choices:  the most probable answers, best first
        listed:   how many answers the run can give
        notes:    sentences about this question: words that the run does not know
    """

    image: str
    question: str
    run: str
    choices: tuple[Choice, ...]
    listed: int
    notes: tuple[str, ...] = field(default=())

    @property
    def answer(self) -> str:
        """The most probable answer."""
        return self.choices[0].answer

    @property
    def probability(self) -> float:
        """Its probability, in [0, 1]."""
        return self.choices[0].probability

    def __repr__(self) -> str:
        """Say in one line what was answered."""
        return (
            f"AnswerResult({shortened(self.question, 50)!r} about {shortened(self.image)}: {self.answer!r}, "
            f"probability {self.probability:.2f}, of {self.listed:,} answers)"
        )

    def _repr_html_(self) -> str:
        rows = [(one.answer, round(one.probability, 3)) for one in self.choices]
        title = f"{self.question} ({self.image})"
        return html_table(title, rows, header=["answer", "probability"], note="; ".join(self.notes))

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
        return {
            "photo": self.image,
            "question": self.question,
            "run": self.run,
            "answer": self.answer,
            "choices": [{"answer": one.answer, "probability": one.probability} for one in self.choices],
            "listed": self.listed,
            "notes": list(self.notes),
        }
