"""What the doctor can find: for each finding how grave it is, what it does to a result, and the cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["KNOWN", "Example", "Finding", "Kind", "finding"]

Severity = Literal["error", "warning", "note"]
EXAMPLES = 12


@dataclass(frozen=True)
class Kind:
    """A kind of finding: severity, a title, what it does to a result, the cure."""

    severity: Severity
    title: str
    effect: str
    cure: str


@dataclass(frozen=True)
class Example:
    """One place where a finding shows.

    Fields:
        where:  file and row, or the image's name
        what:   what is there
        images: names of the images it concerns, for thumbnails
    """

    where: str
    what: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something found.

    Fields:
        code:     stable key, one of `KNOWN`
        count:    how many
        of:       out of how many, None where that means nothing
        unit:     what is counted
        examples: the first few
        detail:   figures in words, or ""
    """

    code: str
    count: int
    of: int | None
    unit: str
    examples: tuple[Example, ...]
    detail: str = ""

    @property
    def kind(self) -> Kind:
        """Give its severity and texts."""
        return KNOWN[self.code]

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data, texts included."""
        kind = self.kind
        return {
            "code": self.code,
            "severity": kind.severity,
            "title": kind.title,
            "count": self.count,
            "of": self.of,
            "unit": self.unit,
            "detail": self.detail,
            "effect": kind.effect,
            "cure": kind.cure,
            "examples": [{"where": e.where, "what": e.what, "images": list(e.images)} for e in self.examples],
        }


def finding(
    code: str,
    examples: Sequence[Example],
    *,
    unit: str,
    of: int | None = None,
    count: int | None = None,
    detail: str = "",
) -> list[Finding]:
    """Give a list with the finding, or an empty one where nothing was found."""
    number = len(examples) if count is None else count
    if number == 1 and of is None:
        unit = unit.removesuffix("s")
    return [Finding(code, number, of, unit, tuple(examples[:EXAMPLES]), detail)] if number else []


_FIX = "`plait data check DATA --fix OUT` leaves them out and lists them."

KNOWN: dict[str, Kind] = {
    "table_broken": Kind(
        "error",
        "A file or row cannot be read",
        "What it says is lost to training and evaluation, or the data set cannot be opened at all.",
        "Mend the file at the place named: UTF-8, quotes around sentences with commas, one row an image and sentence.",
    ),
    "image_missing": Kind(
        "error",
        "An image is named but not there",
        "Its sentences are left out, so splits are smaller than their lists and numbers belong to fewer images.",
        f"Put the files back, or say where they are with --images. {_FIX}",
    ),
    "image_unreadable": Kind(
        "error",
        "An image cannot be decoded",
        "It is left out of every run, with its sentences.",
        f"Replace the files. {_FIX}",
    ),
    "image_truncated": Kind(
        "error",
        "An image file ends too early",
        "Lenient readers fill the rest with grey and train on it; plait leaves it out, with its sentences.",
        f"Fetch the files again. {_FIX}",
    ),
    "split_leak_name": Kind(
        "error",
        "An image is listed in two splits",
        "The model is tested on what it was trained on: held-out numbers are too good. plait refuses such splits.",
        "Keep it in one split. `--fix OUT` keeps it in the split that is held out and takes it out of training.",
    ),
    "split_leak_exact": Kind(
        "error",
        "The same image is in two splits under two names",
        "The model is tested on what it was trained on: held-out numbers are too good.",
        "`--fix OUT` keeps the held-out one and leaves out the other, so that test sets stay as published.",
    ),
    "split_leak_near": Kind(
        "warning",
        "Nearly the same image is in two splits",
        "A copy saved again, or the next shot of a scene: the held-out one is easier than a new image would be.",
        "Look at the pairs. `--fix OUT` keeps the held-out one and leaves out the other.",
    ),
    "split_small": Kind(
        "error",
        "A split has fewer than two images",
        "One image matches every sentence, so every score would be perfect. plait refuses such splits.",
        "Add images to it, or take the split out.",
    ),
    "split_absent": Kind(
        "note",
        "The data brings no splits",
        "plait makes them from the images' names, the same each time; others who split otherwise get other numbers.",
        "`--fix OUT` writes splits.json, so that the split is fixed and can be given to others.",
    ),
    "split_no_text": Kind(
        "warning",
        "A split lists images that no sentence names",
        "They are left out: the split is smaller than its list.",
        "Add their sentences, or take them off the list.",
    ),
    "split_outside": Kind(
        "warning",
        "Images with sentences are in no split",
        "They are neither trained on nor tested.",
        "Add them to a split if they should count.",
    ),
    "image_duplicate": Kind(
        "warning",
        "The same image is there under several names",
        "For its own sentences its twin is an equally right answer that counts as wrong: recall@1 is held down.",
        "`--fix OUT` keeps the first and leaves out the others.",
    ),
    "image_near_duplicate": Kind(
        "note",
        "Images look nearly the same",
        "Each is almost a right answer to the other's sentences: recall@1 is held down a little.",
        "Look at the pairs; keep them if the difference is what your sentences are about.",
    ),
    "image_blank": Kind(
        "warning",
        "Images show nothing",
        "No sentence can be told from them; they are noise to training and chance to testing.",
        "Look at them: often a failed download or export. Take them out of captions and splits.",
    ),
    "image_tiny": Kind(
        "warning",
        "Images are very small",
        "Encoders enlarge them: there is less to see than the numbers of tokens suggest.",
        "Get larger versions, or lower image.size_px in the recipe.",
    ),
    "image_huge": Kind(
        "note",
        "Images are very large",
        "Decoding them costs time at the first run; results do not change.",
        "Scale copies down to a short side of about 512 px.",
    ),
    "image_extreme_shape": Kind(
        "warning",
        "Images are very long or very tall",
        "Squashed to a square they lose their shapes, cropped they lose their ends.",
        'Set image.fit = "pad" in the recipe, or cut them to parts.',
    ),
    "image_one_size": Kind(
        "note",
        "All images have the same square size",
        "They were probably resized before you got them; if the originals were not square, shapes are squashed.",
        "Nothing to do for a comparison on this data; numbers are not those of the unsquashed original.",
    ),
    "image_grey": Kind(
        "note",
        "Images have no colour",
        "Words for colours cannot be matched on them.",
        "Usually fine; look whether colour was lost on the way.",
    ),
    "image_cmyk": Kind(
        "note",
        "Images are stored for print (CMYK)",
        "Colours change a little when they are turned into RGB, and differently in different libraries.",
        "Convert them to RGB once, with their colour profile.",
    ),
    "image_transparent": Kind(
        "warning",
        "Images have transparent parts",
        "If the transparent part is an edit region, it is the mask, and it is lost when the image is read as RGB.",
        "Where alpha is the mask, write it to masks/ as 0 and 255; else save the images without alpha.",
    ),
    "image_unused": Kind(
        "note",
        "Image files that nothing names",
        "They are not read.",
        "Add sentences for them, or delete them.",
    ),
    "caption_empty": Kind(
        "warning",
        "Empty sentences",
        "They are left out; an image with no other sentence is left out too.",
        _FIX,
    ),
    "caption_twice": Kind(
        "warning",
        "The same sentence twice on one image",
        "It weighs double in training and in text-to-image recall.",
        "`--fix OUT` keeps the first.",
    ),
    "caption_shared": Kind(
        "warning",
        "The same sentence on several images",
        "Only one of these images counts as right for it: a perfect model cannot reach 100 % recall@1.",
        "Write more particular sentences; for a fair ceiling, see the figure beside the count.",
    ),
    "caption_short": Kind(
        "note",
        "Sentences of one or two words",
        "They fit many images: the right one is drawn by chance among those.",
        "Write sentences that tell images apart; for class names compare accuracy rather than recall.",
    ),
    "caption_uneven": Kind(
        "note",
        "Images have different numbers of sentences",
        "Images with many weigh more in text-to-image recall; image-to-text recall is easier for them.",
        "Nothing, if you compare fusions on the same data; say it when you quote numbers.",
    ),
    "words_outside_train": Kind(
        "note",
        "Words that training never shows",
        "An encoder that learns its words reads them as <unk>; a vocabulary built from all splits would hide that.",
        "Build vocabularies from training sentences only (plait does), or use a pretrained text encoder.",
    ),
    "question_twice": Kind(
        "note",
        "The same question twice on one image with different answers",
        "At most one of the answers can be given: accuracy cannot reach 100 %.",
        "Keep one answer, or score against all answers people gave.",
    ),
    "answers_outside_train": Kind(
        "note",
        "Answers that training never shows",
        "A model that chooses among training answers cannot give them: accuracy has this ceiling.",
        "Report the ceiling beside the accuracy.",
    ),
    "label_uneven": Kind(
        "note",
        "Classes of very different size",
        "Accuracy is ruled by the large ones.",
        "Report the mean over classes beside it.",
    ),
    "licence_absent": Kind(
        "note",
        "No column says under which licence each image is",
        "Whether images or a trained model may be passed on cannot be told from the files.",
        "Keep a column `license`, one a row, from where the images came.",
    ),
    "licence_restricted": Kind(
        "note",
        "Images whose licence forbids commercial use or changes",
        "Results are not touched; publishing images, or products made with them, may be.",
        "Filter on the licence column before publishing.",
    ),
    "mask_missing": Kind(
        "error",
        "A mask is named but not there, or belongs to no image",
        "The pair is lost.",
        "Put the files back, or take out the rows.",
    ),
    "mask_unreadable": Kind("error", "A mask cannot be decoded", "The pair is lost.", "Write the mask again."),
    "mask_unclear": Kind(
        "error",
        "A mask cannot be read without guessing",
        "plait leaves the pair out: which of its levels are meant is not said, and a guess may invert it.",
        "Save masks as PNG with 0 and 255, or declare which pixels are meant: foreground, background, alpha, label:N.",
    ),
    "mask_polarity": Kind(
        "error",
        "Masks are nearly all foreground",
        "Probably inverted: a model that marks everything then scores a high IoU without looking.",
        "Look at a few; if the thing meant is black, invert them. Always print the score of an all-ones mask.",
    ),
    "mask_alpha": Kind(
        "error",
        "The mask is in the transparency, not in the grey",
        "Read as grey, everything that is not black counts as foreground: the part kept, not the part meant.",
        "Write alpha < 128 as 255 and the rest as 0 into a grey PNG.",
    ),
    "mask_size": Kind(
        "warning",
        "A mask's size is not its image's",
        "Scaling it may shift edges; with another shape it does not lie on the image at all.",
        "Write masks at the image's size, with nearest-neighbour scaling.",
    ),
    "mask_levels": Kind(
        "warning",
        "Masks with more than two grey levels",
        "Either edges are smeared by scaling or JPEG, or these are label maps, which need a rule to become a mask.",
        "Save masks as PNG with 0 and 255.",
    ),
    "mask_empty": Kind(
        "warning",
        "Masks with nothing marked",
        "IoU is undefined there, or 0 whatever the model does.",
        "Take them out, or say how the empty case counts.",
    ),
    "mask_full": Kind(
        "note", "Masks with everything marked", "A constant answer is right there.", "Look whether they are meant."
    ),
    "mask_text_alone": Kind(
        "note",
        "Images with one mask only",
        "A model that ignores the text can be right there; only images with several texts show that text matters.",
        "Report numbers on images with two texts or more apart.",
    ),
}
