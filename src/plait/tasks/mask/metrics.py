"""The figures of masks, in percent; see `plait.metrics.mask` for formulas and empty cases."""

from __future__ import annotations

from plait.core.metric import Metric, metric_table

__all__ = ["ABLATED", "ABSENT", "CONSTANT", "METRICS", "METRIC_OF", "miou_key"]

# What is removed or exchanged to see what a model reads, and masks that read nothing; each gives a mIoU of its own.
ABLATED = ("text shuffled", "text removed", "image removed")
CONSTANT = ("all foreground", "all background", "mean mask")
# What is measured of phrases that are not in the image, in the order of tables.
ABSENT = (
    *("presence_auroc", "presence_auroc_mask", "miou_answered", "present_refused", "absent_area", "absent_marked"),
    *("absent_area_mask", "absent_marked_mask", "absent_area_mean_mask"),
)


def miou_key(kind: str) -> str:
    """Give the key of the mIoU under an ablation or of a constant mask: "miou_text_shuffled"."""
    return f"miou_{kind.replace(' ', '_')}"


METRICS: tuple[Metric, ...] = (
    Metric(
        key="miou",
        label="mIoU",
        column="mIoU",
        meaning=(
            "Mean over masks of pixels in both regions over pixels in either, at the image's own size. In percent, "
            "higher is better. Where truth and prediction are both empty it is 1."
        ),
        headline=True,
        tested=True,
        on_curve=True,
    ),
    Metric(
        key="oiou",
        label="oIoU",
        column="oIoU",
        meaning="All masks' common pixels over all masks' pixels in either: large regions decide it.",
        tested=True,
    ),
    Metric(
        key="p50",
        label="precision at IoU 0.5",
        column="P@0.5",
        meaning="Share of masks whose IoU is at least 0.5; P@0.7 and P@0.9 likewise.",
    ),
    Metric(key="p70", label="precision at IoU 0.7", column="P@0.7"),
    Metric(key="p90", label="precision at IoU 0.9", column="P@0.9"),
    Metric(
        key="dice",
        label="Dice",
        column="Dice",
        meaning="Mean of twice the common pixels over the sum of both regions.",
    ),
    Metric(
        key="boundary_f",
        label="boundary F",
        column="Boundary F",
        meaning="How well the outlines agree, within 0.8 % of the image's diagonal.",
    ),
    Metric(
        key=miou_key("text shuffled"),
        label="mIoU with another image's text",
        column="mIoU, other text",
        short="other text",
        meaning=(
            "Every image with the text of another image: what is left was found without reading. A run whose score "
            "does not fall is flagged “ignores the text”."
        ),
    ),
    Metric(
        key=miou_key("text removed"),
        label="mIoU without the text",
        column="mIoU, no text",
        short="no text",
        meaning="The trained model with all text tokens set to 0.",
    ),
    Metric(
        key=miou_key("image removed"),
        label="mIoU without the image",
        column="mIoU, no image",
        short="no image",
        meaning="The trained model with all image tokens set to 0.",
    ),
    Metric(
        key=miou_key("all foreground"),
        label="mIoU of all foreground",
        column="mIoU, all foreground",
        short="all foreground",
    ),
    Metric(
        key=miou_key("all background"),
        label="mIoU of all background",
        column="mIoU, all background",
        short="all background",
    ),
    Metric(
        key=miou_key("mean mask"),
        label="mIoU of the mean mask",
        column="mIoU, mean mask",
        short="mean mask",
        meaning=(
            "The average of the training masks over the frame, at its best threshold: it reads neither text nor image."
        ),
    ),
    Metric(
        key="presence_auroc",
        label="AUROC of presence",
        column="Presence AUROC",
        short="presence AUROC",
        meaning=(
            "How often a phrase in its own image has a higher presence score than in an image that lacks it. Equal "
            "scores count one half; 50 is guessing. Not given where no image of the split is known to lack a phrase."
        ),
    ),
    Metric(
        key="presence_auroc_mask",
        label="AUROC of the mask's highest probability",
        column="AUROC of the mask's peak",
        short="AUROC of the peak",
        meaning="The same with the highest probability in the mask as the score: what a mask alone says of presence.",
    ),
    Metric(
        key="miou_answered",
        label="mIoU as answered",
        column="mIoU, as answered",
        short="mIoU as answered",
        meaning=(
            "mIoU of phrases that are in the image, where a phrase that the model takes for absent gets an empty mask: "
            "what refusing costs. Without a presence score nothing is refused."
        ),
    ),
    Metric(
        key="present_refused",
        label="present phrases refused",
        column="Present refused",
        short="present refused",
        meaning="Share of phrases in the image that the model takes for absent.",
        higher_is_better=False,
    ),
    Metric(
        key="absent_area",
        label="area marked for absent phrases",
        column="Absent: area",
        short="absent: area",
        meaning=(
            "Mean share of the image that is marked for a phrase that is not in it, as answered: nothing where the "
            "phrase is refused."
        ),
        higher_is_better=False,
    ),
    Metric(
        key="absent_marked",
        label="absent phrases marked",
        column="Absent: marked",
        short="absent: marked",
        meaning="Share of phrases that are not in the image for which a pixel is marked, as answered.",
        higher_is_better=False,
    ),
    Metric(
        key="absent_area_mask",
        label="area marked for absent phrases by the mask alone",
        column="Absent: area, mask alone",
        short="area, mask alone",
        meaning="The same without refusing any phrase.",
        higher_is_better=False,
    ),
    Metric(
        key="absent_marked_mask",
        label="absent phrases marked by the mask alone",
        column="Absent: marked, mask alone",
        short="marked, mask alone",
        higher_is_better=False,
    ),
    Metric(
        key="absent_area_mean_mask",
        label="area of the mean mask",
        column="Absent: area, mean mask",
        short="area, mean mask",
        meaning="The share of the image that the mean mask marks, whatever the phrase.",
        higher_is_better=False,
    ),
)
METRIC_OF = metric_table(METRICS)
