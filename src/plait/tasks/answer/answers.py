"""The list of answers and the answers that need no model: both from the training questions alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.core.config import Recipe
from plait.core.errors import ConfigError, InputError
from plait.data.collection import Collection
from plait.metrics.answers import common_answer, normalised_answer, question_type
from plait.tasks.answer.facts import read_facts

__all__ = ["FACT_OPTIONS", "LIST_OPTIONS", "Priors", "answers_of", "check_answers", "head_data", "list_options"]

# Options of the head in a recipe that say how the list is made, with their defaults.
LIST_OPTIONS = {"top": 1000, "min_count": 1}
# Those that say which facts every question may read: a text file, and how often they are read.
FACT_OPTIONS = ("facts", "hops")
# A question type has an answer of its own from so many training questions on.
LEAST_PER_TYPE = 3


def check_answers(collection: Collection) -> None:
    """Refuse data without answers.

    Raises:
        InputError: a caption has no answer, or there is no caption; the message names the first such caption.
    """
    without = next((caption for caption in collection.captions if not caption.answers), None)
    if without is not None or not collection.captions:
        found = "there is none" if without is None else f"{without.id!r} ({without.text[:60]!r}) has none"
        raise InputError(
            f"data {collection.name!r}: task 'answer' needs questions with answers, and {found}; give rows of image, "
            "question and answer, or try the generated set: --data scenes-questions"
        )


def list_options(head: Mapping[str, Any]) -> dict[str, int]:
    """Give how the list is made: at most `top` answers, each given `min_count` times or more.

    Raises:
        ConfigError: a value that is no positive integer.
    """
    found = {name: head.get(name, default) for name, default in LIST_OPTIONS.items()}
    least = {"top": 2, "min_count": 1}
    for name, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least[name]:
            raise ConfigError(f"fusion.head.{name}: expected a whole number of at least {least[name]}, got {value!r}")
    return found


def head_data(recipe: Recipe, collection: Collection) -> dict[str, Any]:
    """Give the list of answers, the most common of the training questions, one vote each; and the facts of a file.

    Raises:
        ConfigError: as `list_options`, or `facts` names no file.
        InputError: fewer than two different answers, or a file of facts that cannot be read.
    """
    options = list_options(recipe.fusion.head)
    counts = Counter(common_answer(answers_of(collection, row)) for row in collection.captions_of("train"))
    kept = [answer for answer, count in counts.items() if count >= options["min_count"]]
    kept.sort(key=lambda answer: (-counts[answer], answer))
    if len(kept) < 2:
        raise InputError(
            f"data {collection.name!r}: the training questions have {len(kept)} different answer(s) that are given "
            f"{options['min_count']} times or more; expected at least 2 to choose from"
        )
    found: dict[str, Any] = {"answers": kept[: options["top"]]}
    if "facts" in recipe.fusion.head:
        path = recipe.fusion.head["facts"]
        if not isinstance(path, str) or not path.strip():
            raise ConfigError(f"fusion.head.facts: expected the path of a text file, got {path!r}")
        found["facts"] = read_facts(Path(path))
    return found


def answers_of(collection: Collection, row: int) -> tuple[str, ...]:
    """Give the answers of a question as they are compared; see `normalised_answer`."""
    return tuple(normalised_answer(answer) for answer in collection.captions[row].answers)


@dataclass(frozen=True)
class Priors:
    """Answers that are given without a model.

    Fields:
        common:  the most common training answer
        by_type: the first two words of a question -> the most common training answer to such questions
    """

    common: str
    by_type: Mapping[str, str]

    @classmethod
    def of(cls, collection: Collection, rows: Sequence[int]) -> Priors:
        """Count the answers of these questions. Raises InputError where there are none."""
        if not rows:
            raise InputError(f"data {collection.name!r}: no training question to take the most common answer from")
        per_type: dict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            per_type[question_type(collection.captions[row].text)][common_answer(answers_of(collection, row))] += 1
        whole: Counter[str] = sum(per_type.values(), Counter())
        by_type = {
            kind: counts.most_common(1)[0][0]
            for kind, counts in sorted(per_type.items())
            if counts.total() >= LEAST_PER_TYPE
        }
        return cls(whole.most_common(1)[0][0], by_type)

    @classmethod
    def known(cls, details: Mapping[str, Any]) -> Priors:
        """Give those that a run's own evaluation recorded."""
        found = details["priors"]
        return cls(str(found["common"]), dict(found["by_type"]))

    def answer(self, question: str) -> str:
        """Give the answer to questions of this type, or the most common one where the type is rare."""
        return self.by_type.get(question_type(question), self.common)

    def to_json(self) -> dict[str, Any]:
        """Give what `known` reads."""
        return {"common": self.common, "by_type": dict(self.by_type)}
