"""Classes without training for them: every class becomes sentences, and the best matching one wins.

Source: Radford et al. 2021 (CLIP), section 3.1.4: prompts, and the ensemble of their text vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from plait.core.errors import ConfigError, InputError
from plait.core.types import Tokens
from plait.data.given import label_list
from plait.fusion.base.fusion import TwoTowerFusion
from plait.nn.pairs import unit_vectors
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.score import widened_tokens

if TYPE_CHECKING:
    from plait.tasks.match.predict import MatchModel

__all__ = ["TEMPLATES", "ZeroShot", "template_list"]

# Plain sentences of photo descriptions, for models that were trained on such.
TEMPLATES = ("{}", "a photo of a {}", "a picture of a {}", "a close up of a {}", "there is a {}")
PLACE = "{}"


def template_list(templates: str | Sequence[str] | None) -> tuple[str, ...]:
    """Read templates: one, several, or None for `TEMPLATES`.

    Raises:
        ConfigError: none, or one in which the place of the label, {}, does not stand exactly once.
    """
    given = TEMPLATES if templates is None else (templates,) if isinstance(templates, str) else tuple(templates)
    for template in given:
        if not isinstance(template, str) or template.count(PLACE) != 1:
            raise ConfigError(
                f"template {template!r}: expected a text with {{}} once, for the label, as in 'a photo of a {{}}'"
            )
    if not given:
        raise ConfigError('expected at least one template, such as "a photo of a {}"')
    return tuple(dict.fromkeys(given))


class ZeroShot:
    """A matching run and labels, ready to classify images.

    Where neither side sees the other (fusion "late"), a class is one vector: the mean of its sentences' vectors of
    length 1, brought to length 1 again; its logit is the cosine with the image's vector, times the run's learned scale.
    Otherwise its logit is the mean of its sentences' log-odds of a match.

    Arguments:
        model:     a run of task "match"
        labels:    at least two names; an underscore is read as a space
        templates: sentences with {} where the label goes; None = `TEMPLATES`
    Raises:
        InputError: see `label_list`, or two labels that the run's text encoder cannot tell apart.
        ConfigError: no labels, a template without {}, or a run that scores nothing without knowing the pairs.
    """

    def __init__(self, model: MatchModel, labels: Any, *, templates: str | Sequence[str] | None = None) -> None:
        if labels is None:
            raise ConfigError(
                f"{model.run.folder}: a run of task 'match' has no classes of its own; give labels, as in cat,dog,bird"
            )
        self.model = model
        self.labels = tuple(label_list(labels))
        self.templates = template_list(templates)
        if not isinstance(model.run.learner, MatchLearner):
            raise ConfigError(f"{model.run.folder}: expected a run of task 'match', got {model.recipe.task!r}")
        self.learner = model.run.learner
        fusion = self.learner.model.fusion
        self._tower = fusion if self.learner.towers is None and isinstance(fusion, TwoTowerFusion) else None
        self._check_words()
        self._texts = [model.text_tokens(self.prompts(template)) for template in self.templates]

    @property
    def how(self) -> str:
        """Say how the sentences of a class are joined."""
        if len(self.templates) == 1:
            return f"zero-shot, {self.templates[0]!r}"
        joined = "mean of the sentences' vectors" if self._tower is not None else "mean of the sentences' log-odds"
        return f"zero-shot, {len(self.templates)} templates, {joined}"

    def prompts(self, template: str) -> list[str]:
        """Give the sentence of each label."""
        return [template.replace(PLACE, label.replace("_", " ")) for label in self.labels]

    @torch.no_grad()
    def logits(self, image: Tokens) -> Tensor:
        """Give the logit of every label for encoded images: Tokens (I, P, D) -> (I, K) float32."""
        return self._joined(image, self._texts)

    @torch.no_grad()
    def logits_of(self, image: Tokens, template: int) -> Tensor:
        """Give the logits under one of the templates alone, by its place: (I, K) float32."""
        return self._joined(image, [self._texts[template]])

    def _joined(self, image: Tokens, texts: Sequence[Tokens]) -> Tensor:
        with self.model._precision():
            if self._tower is None:
                return torch.stack([self.learner.pairing.full(text, image).log_odds.float() for text in texts]).mean(0)
            each = [unit_vectors(self._tower.text_vector(widened_tokens(text)).float()) for text in texts]
            classes = unit_vectors(torch.stack(each).mean(0))
            images = unit_vectors(self._tower.image_vector(widened_tokens(image)).float())
        return self.learner.pairing.scale.float() * (images @ classes.T)

    def _check_words(self) -> None:
        """Refuse labels that become the same numbers, as words do that the run's vocabulary lacks."""
        ids, valid = self.learner.model.text.text_input([label.replace("_", " ") for label in self.labels])
        seen: dict[tuple[int, ...], str] = {}
        for label, row, real in zip(self.labels, ids, valid, strict=True):
            first = seen.setdefault(tuple(row[real].tolist()), label)
            if first != label:
                raise InputError(
                    f"labels {first!r} and {label!r} read alike to this run's text encoder: its vocabulary was learned "
                    "from captions that lack these words; use others, or a run with a pretrained text encoder"
                )
