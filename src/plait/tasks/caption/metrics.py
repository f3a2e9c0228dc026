"""The figures of captions; see `plait.metrics.caption` for formulas and empty cases."""

from __future__ import annotations

from plait.core.metric import Metric, metric_table

__all__ = ["BASELINES", "METRICS", "METRIC_OF", "baseline_key"]

# Captions that do not say what is in the image that they are scored with: (key's end, in words, on its own).
BASELINES = {
    "most_common": "the most common training caption",
    "nearest": "the nearest training image's caption",
    "other_image": "another image's caption",
    "no_image": "the caption of a blank image",
}
_CIDER_BOUNDS = (0.0, 1000.0)


def baseline_key(metric: str, kind: str) -> str:
    """Give the key of a figure of captions that do not read the image: "cider_d_most_common"."""
    return f"{metric}_{kind}"


def _baseline(metric: str, label: str, kind: str, meaning: str) -> Metric:
    is_cider = metric == "cider_d"
    return Metric(
        key=baseline_key(metric, kind),
        label=f"{label} of {BASELINES[kind]}",
        column=f"{label}, {kind.replace('_', ' ')}",
        short=kind.replace("_", " ") if is_cider else "",
        meaning=meaning,
        unit="" if is_cider else "%",
        bounds=_CIDER_BOUNDS if is_cider else (0.0, 100.0),
    )


METRICS: tuple[Metric, ...] = (
    Metric(
        key="cider_d",
        label="CIDEr-D",
        column="CIDEr-D",
        meaning=(
            "Agreement with the references in n-grams that are rare among them, times 100 as papers print it (48 is "
            "the published 0.48). Captions are written freely, never from the true words. "
            "Higher is better; at most 1000."
        ),
        unit="",
        bounds=_CIDER_BOUNDS,
        headline=True,
        tested=True,
        on_curve=True,
    ),
    Metric(
        key="bleu_4",
        label="BLEU-4",
        column="BLEU-4",
        meaning=(
            "Runs of one to four words that a reference has too, over all captions together, with the closest "
            "reference length. Its intervals and tests are of its linear parts by image; a single part is no score."
        ),
        tested=True,
        on_curve=True,
    ),
    Metric(
        key="bleu_1", label="BLEU-1", column="BLEU-1", meaning="The same of single words; BLEU-2 and BLEU-3 likewise."
    ),
    Metric(key="bleu_2", label="BLEU-2", column="BLEU-2"),
    Metric(key="bleu_3", label="BLEU-3", column="BLEU-3"),
    Metric(
        key="rouge_l",
        label="ROUGE-L",
        column="ROUGE-L",
        meaning="The longest common subsequence of words with a reference, as a mean over images.",
    ),
    Metric(
        key="distinct",
        label="share of distinct captions",
        column="Distinct captions",
        meaning="Number of different captions over the number of images. A model that says the same of all has few.",
    ),
    Metric(
        key="same",
        label="share of the most common caption",
        column="Most common caption's share",
        short="same caption",
        meaning="Share of images that got the caption which most images got.",
        higher_is_better=False,
    ),
    Metric(
        key="words",
        label="words per caption",
        column="Words per caption",
        meaning="Mean number of words; more is not better.",
        unit="",
        bounds=(0.0, float("inf")),
    ),
    _baseline("cider_d", "CIDEr-D", "most_common", "One training caption for every image: it reads nothing."),
    _baseline("bleu_4", "BLEU-4", "most_common", ""),
    _baseline(
        "cider_d",
        "CIDEr-D",
        "nearest",
        "The caption of the training image whose vector, from the image encoder alone, is closest: no writing.",
    ),
    _baseline("bleu_4", "BLEU-4", "nearest", ""),
    _baseline(
        "cider_d",
        "CIDEr-D",
        "other_image",
        "Each image with the caption written for another one: what is left was found without looking.",
    ),
    _baseline("cider_d", "CIDEr-D", "no_image", "The caption that is written where all image tokens are 0."),
)
METRIC_OF = metric_table(METRICS)
