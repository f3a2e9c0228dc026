"""The figures of answers, in percent; see `plait.metrics.answers` and `plait.metrics.wups` for formulas."""

from __future__ import annotations

from plait.core.metric import Metric, metric_table

__all__ = ["ABLATED", "BASELINES", "FACTS_REMOVED", "METRICS", "METRIC_OF", "accuracy_key"]

# What is removed or exchanged to see what a model reads, and answers that read nothing of the image.
ABLATED = ("image removed", "image shuffled", "text removed", "text shuffled")
BASELINES = ("most common", "per type")
# Measured of runs that read facts from a file.
FACTS_REMOVED = "facts removed"


def accuracy_key(kind: str) -> str:
    """Give the key of the accuracy under an ablation or of a baseline: "accuracy_image_removed"."""
    return f"accuracy_{kind.replace(' ', '_')}"


METRICS: tuple[Metric, ...] = (
    Metric(
        key="accuracy",
        label="accuracy",
        column="Accuracy",
        meaning=(
            "Mean over questions of how right the answer is: min(people who gave it / 3, 1), over all choices of nine "
            "of ten people; for questions with fewer than four answers, 1 if it is one of them. In percent."
        ),
        headline=True,
        tested=True,
        on_curve=True,
    ),
    Metric(
        key="exact",
        label="exact match",
        column="Exact",
        meaning="Share of questions whose answer is the most common one that people gave.",
        tested=True,
    ),
    Metric(
        key="top5",
        label="accuracy of the best of five",
        column="Best of 5",
        meaning="Accuracy of the best of the five most probable answers.",
    ),
    Metric(
        key="wups_90",
        label="WUPS at 0.9",
        column="WUPS 0.9",
        meaning="Nearness of the answer's words to the right one's in WordNet; far ones count a tenth. Needs WordNet.",
    ),
    Metric(key="wups_00", label="WUPS at 0.0", column="WUPS 0.0"),
    Metric(
        key="coverage",
        label="coverage",
        column="Coverage",
        meaning=(
            "The best accuracy that the list of answers allows: one that no training question has cannot be given."
        ),
    ),
    Metric(
        key=accuracy_key("image removed"),
        label="accuracy without the image",
        column="Accuracy, no image",
        short="no image",
        meaning=(
            "Question only: the trained model with all image tokens set to 0. The fusion text_only is trained without "
            "images."
        ),
    ),
    Metric(
        key=accuracy_key("image shuffled"),
        label="accuracy with another image",
        column="Accuracy, other image",
        short="other image",
        meaning=(
            "Every question with the image of another question. A run whose accuracy does not fall is flagged “ignores "
            "the image”."
        ),
    ),
    Metric(
        key=accuracy_key("text removed"),
        label="accuracy without the question",
        column="Accuracy, no question",
        short="no question",
        meaning="Image only: the trained model with all text tokens set to 0.",
    ),
    Metric(
        key=accuracy_key("text shuffled"),
        label="accuracy with another question",
        column="Accuracy, other question",
        short="other question",
        meaning="Every image with a question about another image; right answers are those of its own question.",
    ),
    Metric(
        key=accuracy_key(FACTS_REMOVED),
        label="accuracy without the facts",
        column="Accuracy, no facts",
        short="no facts",
        meaning="The trained model with its memory of facts switched off.",
    ),
    Metric(
        key=accuracy_key("most common"),
        label="accuracy of the most common answer",
        column="Accuracy, most common answer",
        short="most common answer",
        meaning="The answer that most training questions have, to every question.",
    ),
    Metric(
        key=accuracy_key("per type"),
        label="accuracy of the most common answer per question type",
        column="Accuracy, per question type",
        short="per question type",
        meaning="The most common training answer to questions that begin with the same two words.",
    ),
)
METRIC_OF = metric_table(METRICS)
