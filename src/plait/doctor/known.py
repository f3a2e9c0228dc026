"""The kinds of findings: for each code its severity, a title, what it does to results, and the fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KNOWN", "Kind", "Severity"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: its severity, a title, what it does to results, and the fix."""

    severity: Severity
    title: str
    effect: str
    fix: str


_CLEAN = "`plait data check DATA --fix OUT` leaves them out and lists them."

KNOWN: dict[str, Kind] = {
    "table_broken": Kind(
        "error",
        "A file or row cannot be read",
        "It is missing in training and evaluation, or the data set cannot be opened at all.",
        "Correct the file at the place named: UTF-8, quotes around texts with commas, one row per image and text.",
    ),
    "image_missing": Kind(
        "error",
        "An image is named but not there",
        "Its sentences are left out, so splits are smaller than their lists, and results are of fewer images.",
        f"Put the files back, or give their folder with --images. {_CLEAN}",
    ),
    "image_unreadable": Kind(
        "error",
        "An image cannot be decoded",
        "It is left out of every run, with its sentences.",
        f"Replace the files. {_CLEAN}",
    ),
    "image_truncated": Kind(
        "error",
        "An image file ends too early",
        "Some readers fill the rest with grey and train on it; plait leaves it out, with its sentences.",
        f"Download the files again. {_CLEAN}",
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
        "Check the pairs. `--fix OUT` keeps the held-out one and leaves out the other.",
    ),
    "split_small": Kind(
        "error",
        "A split has fewer than two images",
        "One image matches every sentence, so every score would be perfect. plait refuses such splits.",
        "Add images to it, or remove the split.",
    ),
    "split_absent": Kind(
        "note",
        "The data has no splits",
        "plait makes them from the images' names, the same each time; results on other splits are not comparable.",
        "`--fix OUT` writes splits.json, so that the splits are fixed and can be shared.",
    ),
    "split_no_text": Kind(
        "warning",
        "A split lists images that no sentence names",
        "They are left out: the split is smaller than its list.",
        "Add their sentences, or remove them from the list.",
    ),
    "split_outside": Kind(
        "warning",
        "Images with sentences are in no split",
        "They are neither trained on nor tested.",
        "Add them to a split if they are to be used.",
    ),
    "image_duplicate": Kind(
        "warning",
        "The same image has several names",
        "For its sentences the copy is an equally right answer that counts as wrong: recall@1 is lower.",
        "`--fix OUT` keeps the first and leaves out the others.",
    ),
    "image_near_duplicate": Kind(
        "note",
        "Images look nearly the same",
        "Each is almost a right answer to the other's sentences: recall@1 is slightly lower.",
        "Check the pairs; keep them if their difference is what the sentences describe.",
    ),
    "image_blank": Kind(
        "warning",
        "Images show nothing",
        "No sentence describes them better than another; they add noise to training and to results.",
        "Check them: often a download or export failed. Remove them from captions and splits.",
    ),
    "image_tiny": Kind(
        "warning",
        "Images are very small",
        "Encoders enlarge them: they have less detail than their number of tokens suggests.",
        "Get larger versions, or lower image.size_px in the recipe.",
    ),
    "image_huge": Kind(
        "note",
        "Images are very large",
        "Decoding them takes time in the first run; results do not change.",
        "Scale copies down to a short side of about 512 px.",
    ),
    "image_extreme_shape": Kind(
        "warning",
        "Images are very long or very tall",
        "Squashed to a square their shapes are distorted; cropped they lose their ends.",
        'Set image.fit = "pad" in the recipe, or divide them into parts.',
    ),
    "image_one_size": Kind(
        "note",
        "All images have the same square size",
        "They were probably resized before; if the originals were not square, shapes are distorted.",
        "Nothing to do for a comparison on this data; results are not those of the original images.",
    ),
    "image_grey": Kind(
        "note",
        "Images have no colour",
        "Words for colours cannot be matched on them.",
        "Usually fine; check whether the originals have colour.",
    ),
    "image_cmyk": Kind(
        "note",
        "Images are stored for print (CMYK)",
        "Colours change slightly when they are converted to RGB, and differently in different libraries.",
        "Convert them to RGB once, with their colour profile.",
    ),
    "image_transparent": Kind(
        "warning",
        "Images have transparent parts",
        "If the transparent part is an edit region, it is the mask, and it is lost when the image is read as RGB.",
        "Where alpha is the mask, save it in masks/ as 0 and 255; else save the images without alpha.",
    ),
    "image_unused": Kind(
        "note",
        "Image files that no row names",
        "They are not read.",
        "Add sentences for them, or delete them.",
    ),
    "caption_empty": Kind(
        "warning",
        "Empty sentences",
        "They are left out; an image with no other sentence is left out too.",
        _CLEAN,
    ),
    "caption_twice": Kind(
        "warning",
        "The same sentence twice on one image",
        "It counts twice in training and in text-to-image recall.",
        "`--fix OUT` keeps the first.",
    ),
    "caption_shared": Kind(
        "warning",
        "The same sentence on several images",
        "Only one of these images counts as right for it: a perfect model cannot reach 100 % recall@1.",
        "Write more specific sentences; the highest possible recall is given beside the count.",
    ),
    "caption_short": Kind(
        "note",
        "Sentences of one or two words",
        "They fit many images: which of these is ranked first is random.",
        "Write sentences that distinguish images; for class names compare accuracy rather than recall.",
    ),
    "caption_uneven": Kind(
        "note",
        "Images have different numbers of sentences",
        "Images with many count more in text-to-image recall; image-to-text recall is easier for them.",
        "Nothing to do if fusions are compared on the same data; mention it when you quote results.",
    ),
    "words_outside_train": Kind(
        "note",
        "Words that do not occur in training",
        "An encoder with a learned vocabulary reads them as <unk>; a vocabulary of all splits would hide that.",
        "Build vocabularies from training sentences only (plait does), or use a pretrained text encoder.",
    ),
    "question_twice": Kind(
        "note",
        "The same question twice on one image with different answers",
        "At most one of the answers can be given: accuracy cannot reach 100 %.",
        "Keep one answer, or score against all answers that were given.",
    ),
    "answers_outside_train": Kind(
        "note",
        "Answers that do not occur in training",
        "A model that chooses among training answers cannot give them: they limit its accuracy.",
        "Report the highest possible accuracy beside the accuracy.",
    ),
    "label_uneven": Kind(
        "note",
        "Classes of very different size",
        "Accuracy depends mostly on the large ones.",
        "Report the mean over classes as well.",
    ),
    "licence_absent": Kind(
        "note",
        "No column gives the licence of each image",
        "The files do not say whether images or a trained model may be distributed.",
        "Add a column `license`, one entry per row, from the images' source.",
    ),
    "licence_restricted": Kind(
        "note",
        "Images whose licence forbids commercial use or changes",
        "Results do not change; publishing images, or products made with them, may not be allowed.",
        "Filter on the licence column before publishing.",
    ),
    "mask_missing": Kind(
        "error",
        "A mask is named but not there, or belongs to no image",
        "The pair is lost.",
        "Put the files back, or remove the rows.",
    ),
    "mask_unreadable": Kind("error", "A mask cannot be decoded", "The pair is lost.", "Write the mask again."),
    "mask_unclear": Kind(
        "error",
        "A mask cannot be read without guessing",
        "plait leaves the pair out: it is not declared which of its levels are meant, and a guess may invert it.",
        "Save masks as PNG with 0 and 255, or declare which pixels are meant: foreground, background, alpha, label:N.",
    ),
    "mask_polarity": Kind(
        "error",
        "Masks are nearly all foreground",
        "Probably inverted: a model that marks everything then has a high IoU without reading the image.",
        "Check a few; if the objects are black, invert them. Always report the score of an all-ones mask.",
    ),
    "mask_alpha": Kind(
        "error",
        "The mask is in the transparency, not in the grey",
        "Read as grey, everything that is not black is foreground: the part that is kept, not the edit region.",
        "Save alpha < 128 as 255 and the rest as 0 in a grey PNG.",
    ),
    "mask_size": Kind(
        "warning",
        "A mask's size is not its image's",
        "Resizing it may shift edges; with another aspect ratio it does not fit the image at all.",
        "Save masks at the image's size, with nearest-neighbour resizing.",
    ),
    "mask_levels": Kind(
        "warning",
        "Masks with more than two grey levels",
        "Either edges are blurred by resizing or JPEG, or these are label maps, which need a declared label.",
        "Save masks as PNG with 0 and 255.",
    ),
    "mask_empty": Kind(
        "warning",
        "Masks with nothing marked",
        "IoU is undefined for them, or 0 for every model.",
        "Remove them, or declare how empty masks count.",
    ),
    "mask_full": Kind(
        "note",
        "Masks with everything marked",
        "A constant answer is right for them.",
        "Check whether this is intended.",
    ),
    "mask_text_alone": Kind(
        "note",
        "Images with one mask only",
        "A model that ignores the text can be right on them; only images with several texts test the text.",
        "Report results on images with two texts or more separately.",
    ),
}
