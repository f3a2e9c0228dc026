"""A run of classes in use: images in, the probability of every trained class out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from plait.core.class_result import ClassResult
from plait.core.errors import ConfigError, InputError, nearest
from plait.core.types import Tokens
from plait.data.given import ImageInput, Images, image_list
from plait.explain.subject import Scored, Subject
from plait.heads.classes import ClassHead
from plait.metrics.classes import softmax
from plait.model import FusionModel
from plait.tasks.classify.learner import ClassLearner
from plait.trained import Model, Run

__all__ = ["ClassModel"]


class ClassModel(Model):
    """A run of classes, ready to use; `classify` is its verb."""

    def __init__(self, run: Run, learner: ClassLearner) -> None:
        super().__init__(run)
        self._learner = learner

    @property
    def classes(self) -> tuple[str, ...]:
        """Give the classes that the run was trained on."""
        return self._learner.classes

    @torch.no_grad()
    def classify(
        self,
        images: Images,
        labels: str | Sequence[str] | None = None,
        *,
        templates: str | Sequence[str] | None = None,
        temperature: float = 1.0,
    ) -> ClassResult:
        """Say which of the trained classes each image shows.

        Arguments:
            labels, templates: for runs of task "match", which choose among any labels; refused here
            temperature:       the logits are divided by it
        Raises:
            InputError: no image, or one that cannot be read.
            ConfigError: labels or templates, or a temperature that is not above 0.
        """
        if labels is not None or templates is not None:
            raise ConfigError(
                f"{self.run.folder}: this run was trained on its own classes ({_shown(self.classes)}) and knows no "
                "others; leave labels and templates out, or use a run of task 'match', which takes any"
            )
        if not 0 < temperature < float("inf"):
            raise ConfigError(f"temperature: expected a number above 0, got {temperature}")
        photos = image_list(images)
        with self._precision():
            tokens = self.image_tokens([photo.source for photo in photos])
            logits = self._learner.logits(tokens).values.float().numpy(force=True)
        return ClassResult(
            probabilities=softmax(logits, temperature=temperature).astype(np.float32),
            logits=logits,
            labels=self.classes,
            images=tuple(photo.id for photo in photos),
            temperature=temperature,
            how=f"{len(self.classes)} classes of the training images",
        )

    def subject(self, image: ImageInput, text: str) -> Subject:
        """Give the evidence for one class: the log-odds of it against all others; see `Model.explain`.

        Arguments:
            text: the name of a class
        Raises:
            InputError: the run has no such class.
            ConfigError: the run's head reads the encoder's summary, in which the cells cannot be told apart.
        """
        name = " ".join(text.split())
        if name not in self.classes:
            raise InputError(
                f"class {name!r}: this run has none of that name{nearest(name, self.classes)}; it has: "
                f"{_shown(self.classes)}"
            )
        place = self.classes.index(name)
        head = self._learner.model.head
        if isinstance(head, ClassHead) and head.pool_name == "encoder":
            raise ConfigError(
                f"{self.run.folder}: its head reads the encoder's summary of the image, in which the cells cannot be "
                'told apart; explain a run whose head has pool = "mean"'
            )

        def score(model: FusionModel, blank: Tokens, regions: Tokens, maps: bool) -> Scored:
            logits = model.read(model.fuse(blank, regions, maps=maps)).values.float()
            others = torch.cat([logits[:, :place], logits[:, place + 1 :]], 1)
            return Scored(logits[:, place] - others.logsumexp(1))

        blank, regions = self._float_tokens(image, None)
        return Subject(self._learner.model, score, blank, regions, (), f"log-odds of {name!r}")


def _shown(classes: Sequence[str], most: int = 8) -> str:
    more = f", ... {len(classes)} in all" if len(classes) > most else ""
    return ", ".join(classes[:most]) + more
