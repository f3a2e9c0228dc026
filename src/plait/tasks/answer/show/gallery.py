"""What a run shows of its answers: a fixed sample of questions with the most probable answers, and attention maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.core.evaluation import Evaluation
from plait.data.geometry import geometry_of
from plait.data.images import load_rgb
from plait.explain.attention import word_maps
from plait.explain.overlay import grid_box
from plait.metrics.answers import common_answer, soft_accuracy
from plait.tasks.answer.answers import answers_of
from plait.tasks.answer.evaluate import AnswerAnswers
from plait.tasks.answer.learner import AnswerLearner

if TYPE_CHECKING:
    from plait.train.feed import Feed

__all__ = ["merge_answers", "show_answers"]

SHOWN = 12
ATTENDED = 4
CHOICES = 3


def show_answers(learner: AnswerLearner, feed: Feed, evaluation: Evaluation, *, fusion: str) -> dict[str, Any]:
    """Collect a run's gallery: image ids, questions, right answers and the most probable ones.

    The sample depends on the split alone, so that every fusion of a comparison is shown on the same questions, and none
    was picked by its result.
    """
    answers: AnswerAnswers = evaluation.answers
    places = [int(p) for p in np.random.default_rng(0).permutation(len(evaluation.captions))[:SHOWN]]
    asked = []
    for place in places:
        row = evaluation.captions[place]
        caption, given = feed.collection.captions[row], answers_of(feed.collection, row)
        best = zip(answers.best[place][:CHOICES], answers.probabilities[place][:CHOICES], strict=True)
        asked.append(
            {
                "photo": feed.collection.photos[caption.image].id,
                "question": caption.text,
                "right": common_answer(given),
                "choices": [
                    {
                        "answer": learner.answers[column],
                        "percent": round(100 * float(chance), 1),
                        "score": round(100 * soft_accuracy(learner.answers[column], given), 1),
                    }
                    for column, chance in best
                ],
            }
        )
    was_training = learner.training
    learner.eval()
    try:
        shown = [_attention(learner, feed, evaluation.captions[place], fusion) for place in places[:ATTENDED]]
    finally:
        learner.train(was_training)
    return {"asked": asked, "attention": [one for one in shown if one is not None]}


def merge_answers(shown: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the galleries of a comparison, label -> gallery, in the order given.

    Returns: what gallery.json holds: "asked": [{photo, question, right, "results": {label: choices}}],
    "attention" of every label, and "photos": the ids of the images that these show.
    """
    asked: list[dict[str, Any]] = []
    for label, gallery in shown.items():
        for place, item in enumerate(gallery["asked"]):
            if place == len(asked):
                asked.append({**{key: item[key] for key in ("photo", "question", "right")}, "results": {}})
            asked[place]["results"][label] = item["choices"]
    # A run knows its fusion, not its label in a comparison.
    attention = [{**item, "fusion": label} for label, gallery in shown.items() for item in gallery["attention"]]
    ids = [item["photo"] for item in (*asked, *attention)]
    return {"asked": asked, "attention": attention, "photos": list(dict.fromkeys(ids))}


def _attention(learner: AnswerLearner, feed: Feed, row: int, fusion: str) -> dict[str, Any] | None:
    """Give maps from words to cells; None for a fusion that attends to nothing, or images without a grid."""
    caption, model = feed.collection.captions[row], learner.model
    image = feed.collection.photos[caption.image]
    regions = feed.encode_images([caption.image])
    # Cached tokens are those of words, and pieces count the special tokens too: the question is encoded again.
    ids, valid = model.text.text_input([caption.text])
    maps = model.fuse(model.encode_text(ids.to(feed.device), valid.to(feed.device)), regions, maps=True).maps
    if not maps or regions.grid is None:
        return None
    found = word_maps(maps, model.text.text_input.pieces(caption.text), grid=regions.grid)
    height, width = load_rgb(image.source).shape[:2]
    box = grid_box(geometry_of(height, width, model.image.image_spec))
    return {**found.to_json(fusion=fusion, photo=image.id, caption=caption.text), "box": list(box)}
