"""A trained matching model in use: images and texts in, scores or one vector per side out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from plait.core.class_result import ClassResult
from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.data.given import ImageInput, Images, Texts, image_list, text_list
from plait.explain.subject import Scored, Subject
from plait.fusion.base.fusion import SimilarityFusion, TwoTowerFusion
from plait.metrics.classes import softmax
from plait.model import FusionModel
from plait.nn.pairs import unit_vectors
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.result import MatchResult
from plait.tasks.match.score import has_algebra, widened_tokens
from plait.tasks.match.zero_shot.classes import ZeroShot
from plait.trained import Model, Run

__all__ = ["MatchModel", "MatchResult", "learner_of"]


class MatchModel(Model):
    """A run of task "match", ready to use: `match` scores images with texts, `attention` shows one pair's maps.

    Where neither side sees the other (fusion "late", or the towers of pairing "itm"), `encode_texts` and
    `encode_images` give one vector per text and image, to be kept in an index.
    """

    @torch.no_grad()
    def match(self, images: Images, texts: Texts) -> MatchResult:
        """Score every image with every text by the whole score; one image or one text may be given as it is.

        The result holds scores and probabilities in the order given. With one text, show `result.ranked()`: the images
        from best to worst with their scores (what these are, `score_kind` says: a cosine from -1 to 1, or log-odds). A
        probability over texts means something from two texts on.

        Raises:
            InputError: no image or no text, an empty text, an image that cannot be read.
            ConfigError: the run's pairing scores nothing without knowing which belong together.
        """
        photos, sentences = image_list(images), text_list(texts)
        with self._precision():
            image = self.image_tokens([photo.source for photo in photos])
            found = learner_of(self.run).pairing.full(self.text_tokens(sentences), image)
        return MatchResult(
            scores=found.values.numpy(force=True),
            prob_text=found.log_odds.softmax(1).numpy(force=True),
            prob_image=found.log_odds.softmax(0).numpy(force=True),
            score_kind=found.kind,
            images=tuple(photo.id for photo in photos),
            texts=tuple(sentences),
        )

    @torch.no_grad()
    def classify(
        self,
        images: Images,
        labels: str | Sequence[str] | None = None,
        *,
        templates: str | Sequence[str] | None = None,
        temperature: float = 1.0,
    ) -> ClassResult:
        """Say which of some labels each image shows, without training for them; see `ZeroShot`.

        Arguments:
            labels:      at least two, as a list or with commas between them
            templates:   sentences with {} where the label goes; None = a few plain ones, whose vectors are averaged
            temperature: the logits are divided by it; `plait.zero_shot` gives the one that suits labelled images
        Raises:
            InputError: an image that cannot be read; labels that are fewer than two, empty, twice or unknown words.
            ConfigError: no labels, a template without {}, a temperature that is not above 0.
        """
        if not 0 < temperature < float("inf"):
            raise ConfigError(f"temperature: expected a number above 0, got {temperature}")
        classes = ZeroShot(self, labels, templates=templates)
        photos = image_list(images)
        logits = classes.logits(self.image_tokens([photo.source for photo in photos])).numpy(force=True)
        return ClassResult(
            probabilities=softmax(logits, temperature=temperature).astype(np.float32),
            logits=logits,
            labels=classes.labels,
            images=tuple(photo.id for photo in photos),
            temperature=temperature,
            how=classes.how,
        )

    def subject(self, image: ImageInput, text: str) -> Subject:
        """Give the match of an image and a text: what the head reads of the fused pair; see `Model.explain`.

        With pairing "itm" that is the log-odds of the fused head alone, without the towers.

        Raises:
            ConfigError: the run reads the encoders' summaries alone, so no cell matters.
        """
        learner = learner_of(self.run)
        fusion = learner.model.fusion
        if isinstance(fusion, SimilarityFusion) and fusion.reads_summaries:
            raise ConfigError(
                f"{self.run.folder}: fusion {self.run.fusion!r} reads one summary per image here, in which the cells "
                "cannot be told apart; explain a run whose fusion reads tokens, such as cross or scan"
            )
        words, regions = self._float_tokens(image, text)
        what = "cosine of the match" if has_algebra(learner.model) else "log-odds of the match"
        pieces = tuple(learner.model.text.text_input.pieces(text)) if learner.model.pool is None else ()
        return Subject(learner.model, _match_score, words, regions, pieces, what)

    @torch.no_grad()
    def encode_texts(self, texts: Texts) -> np.ndarray:
        """Give one vector per text; its product with an image's vector is their cosine.

        With fusion "late" that is the score of `match`; with pairing "itm" it is the score of the first stage, the
        towers, which finds the candidates that the fusion re-ranks.

        Shapes: returns (N, D) float32, rows of length 1.
        Raises:
            InputError: no text, or one that is no string or has no words.
            ConfigError: the run's fusion reads text and image together.
        """
        tower = self._towers()
        return _unit_rows(tower.text_vector(widened_tokens(self.text_tokens(texts))))

    @torch.no_grad()
    def encode_images(self, images: Images) -> np.ndarray:
        """Give one vector per image; see `encode_texts`.

        Shapes: returns (N, D) float32, rows of length 1.
        Raises:
            InputError: no image, or one that cannot be read.
            ConfigError: the run's fusion reads text and image together.
        """
        tower = self._towers()
        return _unit_rows(tower.image_vector(widened_tokens(self.image_tokens(images))))

    def _towers(self) -> TwoTowerFusion:
        learner = learner_of(self.run)
        fusion = learner.model.fusion if learner.towers is None else learner.towers.fusion
        if not isinstance(fusion, TwoTowerFusion):
            raise self._no_vectors()
        return fusion


def _match_score(model: FusionModel, text: Tokens, image: Tokens, maps: bool) -> Scored:
    """Score aligned pairs through fusion and head; see `plait.explain.subject.Score`."""
    fused = model.fuse(text, image, maps=maps)
    return Scored(model.read(fused).values, fused.maps)


def learner_of(run: Run) -> MatchLearner:
    """Give the matching learner of a run.

    Raises:
        ConfigError: it is a run of another task.
    """
    if not isinstance(run.learner, MatchLearner):
        raise ConfigError(f"{run.folder}: a run of task {run.recipe.task!r}; expected one of task 'match'")
    return run.learner


def _unit_rows(vectors: Tensor) -> np.ndarray:
    """Give (N, D) as float32 rows of length 1, in main memory."""
    rows: np.ndarray = unit_vectors(vectors.float()).numpy(force=True)
    return rows
