"""What is trained for matching: a model, its towers where it has them, and an objective, under one pairing."""

from __future__ import annotations

from plait.build import check_objective, tokens_seen
from plait.core.config import FusionSettings, Recipe
from plait.core.errors import ConfigError
from plait.core.tables import check_options, load_entry, look_up
from plait.core.types import Batch, Loss
from plait.fusion import FUSIONS
from plait.model import Learner, Side
from plait.objectives import OBJECTIVES
from plait.task import Use
from plait.tasks.match import TASK
from plait.tasks.match.pairings import find_pairing
from plait.tasks.match.pairings.base import Pairing
from plait.tasks.match.parts import objective_name

__all__ = ["MatchLearner", "assemble", "pairing_of", "use_of"]


class MatchLearner(Learner):
    """A matching model and how its texts and images are paired.

    Names of saved weights begin with "model.", "towers." and "objective.".
    """

    def __init__(self, pairing: Pairing) -> None:
        super().__init__(pairing.model, pairing.objective)
        # Parameters come in the order model, towers, objective, which saved optimiser states depend on.
        del self.objective
        self.towers = pairing.towers
        self.objective = pairing.objective
        self.pairing = pairing

    def loss(self, batch: Batch) -> Loss:
        """Give the loss of a batch whose target (B,) int64 holds the number of each caption's image."""
        return self.pairing.loss(batch)


def assemble(recipe: Recipe, text: Side, image: Side) -> MatchLearner:
    """Join the sides with what the recipe names. Weights are drawn for fusion, head, towers, objective.

    Raises:
        ConfigError: an unknown name or option, or parts that do not serve matching.
    """
    use_of(recipe)
    return MatchLearner(find_pairing(pairing_of(recipe.fusion)).build(recipe, text, image))


def pairing_of(settings: FusionSettings) -> str:
    """Give the name of the pairing that a fusion is used with: the requested one, or the fusion's own default.

    Raises:
        UnknownNameError: no such fusion.
        ConfigError: the fusion does not serve matching, or cannot be paired that way.
    """
    entry = look_up("fusion", FUSIONS, settings.name)
    if not TASK.serves("fusion", entry):
        raise _not_serving("fusion", settings.name)
    pairing = settings.pairing or entry.pairings[0]
    if pairing not in entry.pairings:
        raise ConfigError(
            f"fusion {settings.name!r} cannot be paired {pairing!r}; it can be: {', '.join(entry.pairings)}"
        )
    return pairing


def use_of(recipe: Recipe) -> Use:
    """Say how the recipe's fusion is used for matching, before anything is loaded.

    Raises:
        ConfigError: an unknown name, or a fusion, objective or pairing that does not serve matching.
    """
    pairing = pairing_of(recipe.fusion)
    name = objective_name(recipe)
    if name == "match":
        raise ConfigError(
            "objective 'match' is not chosen by name: fusion.pairing = \"itm\" adds it to the contrastive objective, "
            "which is infonce, sigmoid or triplet"
        )
    if not TASK.serves("objective", look_up("objective", OBJECTIVES, name)):
        raise _not_serving("objective", name)
    check_objective(name, recipe.objective.options)
    check_objective("match", recipe.objective.match)
    check_options("fusion", "late", load_entry(look_up("fusion", FUSIONS, "late")), recipe.fusion.towers)
    kind = find_pairing(pairing)
    rerank_k = recipe.fusion.rerank_k if kind.reranks else None
    return Use({"tokens": tokens_seen(recipe.fusion), "pairing": pairing, "rerank_k": rerank_k}, kind.flags)


def _not_serving(kind: str, name: str) -> ConfigError:
    table = FUSIONS if kind == "fusion" else OBJECTIVES
    fitting = ", ".join(other for other, entry in table.items() if TASK.serves(kind, entry))
    return ConfigError(f"{kind} {name!r} does not serve task 'match'; these do: {fitting}")
