"""What a task is: everything that depends on what is asked of a pair, behind one object. Imports no torch.

`train`, `runs`, `compare`, `report`, `predict`, `api` and `cli` know this file and no task; see `plait.tasks` for the
table. A task is a folder with a light `TASK` in its `__init__` (names, metrics, defaults) and heavier parts that are
imported when they are used: `Work` computes, `Page` and `Terminal` show, a `Command` is a word of the command line.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from plait.core.metric import Metric
from plait.core.tables import Entry, load_target

if TYPE_CHECKING:
    from plait.audit.record import Audit
    from plait.core.config import Recipe
    from plait.core.evaluation import Evaluation
    from plait.core.types import Targets
    from plait.data.collection import Collection
    from plait.model import Learner, Side
    from plait.report.page import Page
    from plait.train.feed import Feed
    from plait.trained import Model, Run

__all__ = ["Answer", "Card", "Command", "Progress", "Task", "Terminal", "Use", "Work"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Use:
    """How a recipe's fusion is used for the task.

    Fields:
        columns: what every row of results says of it: {"tokens": ..., "pairing": ..., "rerank_k": ...}
        flags:   what is known of it before training, such as "leaky"
    """

    columns: dict[str, Any]
    flags: tuple[str, ...] = ()


class Work(Protocol):
    """The part of a task that computes."""

    def check_data(self, collection: Collection) -> None:
        """Refuse data that the task cannot learn from or be measured on. Raises InputError naming what is missing."""
        ...

    def fill_in(self, recipe: Recipe, collection: Collection) -> Recipe:
        """Give the recipe with what it leaves open and the training split decides, such as a list of classes.

        It is called before anything is assembled, and its result is the recipe that the run keeps: so a run that is
        opened needs no data. A task whose parts depend on no data gives the recipe back.

        Raises:
            ConfigError, InputError: what the recipe says and what the data holds do not fit.
        """
        ...

    def use(self, recipe: Recipe) -> Use:
        """Say how the recipe's fusion is used, before anything is loaded.

        Raises:
            ConfigError: an unknown name, or a fusion, objective or way of pairing that does not serve the task.
        """
        ...

    def assemble(self, recipe: Recipe, text: Side, image: Side) -> Learner:
        """Join the sides with fusion, head and objective. The order of drawing weights is fusion, head, the rest."""
        ...

    def first_stage(self, recipe: Recipe) -> Recipe | None:
        """Give the recipe of the run that must be trained before this one and that it begins from, or None."""
        ...

    def begin_from(self, learner: Learner, first: Learner) -> None:
        """Take over the weights of the first stage's learner. Called only where `first_stage` gives a recipe."""
        ...

    def targets(self, learner: Learner, feed: Feed) -> Targets:
        """Give what `Batch.target` holds for the captions of a collection, made once per feed."""
        ...

    def evaluate(
        self,
        learner: Learner,
        feed: Feed,
        recipe: Recipe,
        *,
        split: str,
        limit: int | None = None,
        known: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Evaluation:
        """Measure a split.

        Arguments:
            limit: only its first images and the metrics that are `on_curve`: for curves, which select nothing
            known: the `details` of the run's own evaluation: what was chosen there (a threshold) is not chosen again
        Raises:
            InputError: the split holds too little.
        """
        ...

    def learned(self, record: Mapping[str, Any]) -> bool:
        """Say whether a run's figures are better than what reads nothing; `record` is what run.json holds."""
        ...

    def gallery(self, learner: Learner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
        """Collect what a run shows of itself, as plain data, for a sample that depends on the split alone."""
        ...

    def merge_galleries(self, shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Join the galleries of a comparison's fusions, label -> gallery; "photos": [ids] names the images wanted."""
        ...

    def audit_recipe(self, recipe: Recipe, *, seeds: int) -> Audit | None:
        """Audit the recipe's fusion with random weights on noise; None where the task has no such test."""
        ...

    def audit_split(
        self, before: Audit | None, learner: Learner, feed: Feed, recipe: Recipe, *, split: str, thorough: bool
    ) -> Audit | None:
        """Add what the trained model does on a split with a side shuffled or removed; `thorough` takes more images."""
        ...

    def predictor(self, run: Run) -> Model:
        """Give a finished run ready for use, with the task's verbs."""
        ...


@dataclass(frozen=True)
class Terminal:
    """How a task's figures look in a terminal; made by `plait.report.terminal`.

    Fields:
        items: what one thing asked about is called: "captions", "masks"
        run:   metrics of a finished run -> lines
        board: results of a comparison -> the leaderboard's lines, baselines and notes included
    """

    items: str
    run: Callable[[Mapping[str, float]], Sequence[str]]
    board: Callable[[Mapping[str, Any]], Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """What a command gives: plain data for `--json`, text for people, and the exit code."""

    data: Any
    text: str
    code: int = 0


class Command(Protocol):
    """A word of the command line that belongs to a task, such as `plait mask`. Its module imports no torch."""

    name: str
    help: str

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes; --json and --quiet are there already."""
        ...

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Call verbs of `api` (the module `plait.api`, handed down so that tasks need not import it)."""
        ...


@dataclass(frozen=True)
class Card:
    """What a model card says that depends on the task.

    Fields:
        does:    one sentence
        scores:  run's record -> what its numbers are
        limits:  what follows "a subject that was" never in its training images
        metrics: keys of the figures in its table
    """

    does: str
    scores: Callable[[Mapping[str, Any]], str]
    limits: str
    metrics: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """What a task is called and brings. Strings are "module:attribute", imported when they are used.

    Fields:
        name:       as recipes say it: `task = "match"`
        summary:    one line for lists
        metrics:    every figure of its evaluations; the order is that of tables
        objective:  the objective of a recipe that names none
        serves:     (kind, entry) -> whether an entry of FUSIONS ("fusion"), HEADS ("head") or OBJECTIVES ("objective")
                    is for this task, by what the entry takes and gives
        recipe_for: collection -> the name of the recipe that suits it, or None where the data asks another question
        verb:       the method of its predictor that answers, and the function of `plait` with the same name
        work, page, terminal, card: see `Work`, `plait.report.page.Page`, `Terminal`, `Card`
        commands:   words of the command line; see `Command`
        head_data:  (recipe, collection) -> options of the head, as plain data, that only the training captions give,
                    such as the list of answers; kept with the run. "" = there are none
        functions:  further public functions of `plait`, name -> target; each is called with the module `plait.api`
                    before its own arguments, and with a `listener`
    """

    name: str
    summary: str
    metrics: tuple[Metric, ...]
    objective: str
    serves: Callable[[str, Entry], bool]
    recipe_for: Callable[[Collection], str | None]
    verb: str
    work: str
    page: str
    terminal: str
    card: str
    commands: tuple[str, ...] = field(default=())
    head_data: str = ""
    functions: Mapping[str, str] = field(default_factory=dict)

    def load_work(self) -> Work:
        """Import and give the part that computes; brings torch."""
        work: Work = load_target(self.work)
        return work

    def load_page(self) -> Page:
        """Import and give the task's part of the report."""
        page: Page = load_target(self.page)
        return page

    def load_terminal(self) -> Terminal:
        """Import and give the task's tables for terminals."""
        terminal: Terminal = load_target(self.terminal)
        return terminal

    def load_card(self) -> Card:
        """Import and give the task's part of model cards."""
        card: Card = load_target(self.card)
        return card

    def read_head_data(self, recipe: Recipe, collection: Collection) -> dict[str, Any]:
        """Give the options of the head that the collection's training captions give; empty where there are none."""
        if not self.head_data:
            return {}
        found: dict[str, Any] = load_target(self.head_data)(recipe, collection)
        return found

    def load_commands(self) -> list[Command]:
        """Import and give the task's commands; brings neither torch nor numpy."""
        return [load_target(target) for target in self.commands]

    def headline(self, present: Sequence[str]) -> Metric:
        """Give the metric of verdicts: the first headline one among the keys that are present."""
        wanted = [metric for metric in self.metrics if metric.headline]
        return next((metric for metric in wanted if metric.key in present), wanted[0])
