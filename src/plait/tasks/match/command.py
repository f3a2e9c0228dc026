"""Commands of matching: `plait match` and `plait probe`. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plait.report.flags import warnings_of
from plait.task import Answer

__all__ = ["MATCH", "PROBE", "MatchCommand", "ProbeCommand", "matches_text", "probe_text", "probed_photo_text"]

SHOWN_TEXTS = 10


class MatchCommand:
    """`plait match`: score images with texts."""

    name = "match"
    help = "score photos against sentences"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add --images, --texts and --run."""
        parser.add_argument("--images", nargs="+", required=True, metavar="FILE", help="photos")
        parser.add_argument("--texts", nargs="+", required=True, metavar="TEXT", help="sentences")
        parser.add_argument("--run", default="default", help="a run's folder (default: the shipped model)")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Load the run and match."""
        model = api.load(arguments.run)
        found = model.match(arguments.images, arguments.texts)
        result = {
            "images": arguments.images,
            "texts": arguments.texts,
            "score_kind": found.score_kind,
            "scores": found.scores.tolist(),
            "prob_text": found.prob_text.tolist(),
            "prob_image": found.prob_image.tolist(),
            "flags": list(model.record.get("flags", ())),
        }
        return Answer(result, "\n".join([matches_text(result), *warnings_of(model.record)]))


class ProbeCommand:
    """`plait probe`: small tests of a comparison's runs."""

    name = "probe"
    help = "test a comparison's runs on batches of held-out pairs and on choices among five captions"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the comparison's folder, and either data or a photo with captions."""
        parser.add_argument("out", type=Path, help="the comparison's folder")
        parser.add_argument("--data", help="the data that it was made on, or other data; as in `plait compare`")
        parser.add_argument("--split", default="val", help="train, val or test (default val)")
        parser.add_argument("--photo", metavar="FILE", type=Path, help="choose for this one photo instead of a split")
        parser.add_argument("--captions", nargs="+", metavar="TEXT", help="with --photo: what to choose from")
        parser.add_argument("--right", type=_positive, metavar="N", help="with --photo: which one is right (default 1)")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Probe a split, and write probe.json beside results.json; or let every run choose for one photo.

        Neither data nor a photo with captions, or both, is a wrong command line: exit code 2.
        """
        photo, captions, out = arguments.photo, arguments.captions, arguments.out
        if (photo is None) == (arguments.data is None) or (photo is None) != (captions is None):
            return Answer(None, "plait probe: expected either --data, or --photo with --captions", code=2)
        if photo is None and arguments.right is not None:
            return Answer(None, "plait probe: --right belongs to --photo with --captions", code=2)
        if photo is not None:
            rows = api.probe(out, photo=photo, captions=captions, right=arguments.right or 1)
            return Answer(rows, probed_photo_text(rows, captions))
        found = api.probe(out, data=arguments.data, split=arguments.split, listener=listener)
        return Answer(found, probe_text(found))


def matches_text(found: Mapping[str, Any], *, most: int = SHOWN_TEXTS) -> str:
    """Show, for each image, the `most` best texts with score and probability; for one text, all images, best first.

    A probability over one text would be 100 % for every image, so there is none then.
    """
    kind = found["score_kind"]
    if len(found["texts"]) == 1:
        scored = sorted(zip(found["images"], found["scores"], strict=True), key=lambda one: -one[1][0])
        lines = [found["texts"][0], *(f"  {scores[0]:8.3f}  {image}" for image, scores in scored)]
        return "\n".join([*lines, f"(score: {kind}, {_scale(kind)}; give several sentences for probabilities)"])
    lines = []
    for image, scores, probs in zip(found["images"], found["scores"], found["prob_text"], strict=True):
        lines.append(str(image))
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        lines += [f"  {100 * probs[i]:5.1f} %  {scores[i]:8.3f}  {found['texts'][i]}" for i in order[:most]]
    lines.append(
        f"(%: probability over the sentences given; the number beside it is the score: {kind}, {_scale(kind)})"
    )
    return "\n".join(lines)


def _scale(kind: str) -> str:
    """Say what a score's number means."""
    return "from -1 to 1, higher fits better" if kind.startswith("cosine") else "higher fits better, above 0 = likely"


def probe_text(found: Mapping[str, Any]) -> str:
    """Show what a comparison's runs reached on a split."""
    from plait.report.terminal import table

    chance = found["chance"]
    header = ["rank", "fusion", "tokens", "pairing", "loss, train", "loss, held out", "accuracy %", "separation"]
    header += ["own of five %", "trained well", "flags"]
    rows = [
        [
            str(row["rank"]),
            row["fusion"],
            row["tokens"],
            row["pairing"],
            f"{row['train_loss']:.2f}",
            f"{row['loss']['mean']:.2f}",
            _with_interval(row["accuracy"]),
            f"{row['separation']['mean']:.2f}",
            _with_interval(row["five_accuracy"]),
            "yes" if row["trained_well"] else "no",
            ", ".join(row["flags"]),
        ]
        for row in found["rows"]
    ]
    return (
        f"{found['photos']:,} photos of {found['split']} in batches of {found['batch']}; chance: loss "
        f"{chance['loss']:.2f}, accuracy {chance['accuracy']:.1f} %, own caption of {found['choices']} "
        f"{chance['five_accuracy']:.0f} %\n{table(rows, header)}"
    )


def probed_photo_text(rows: Sequence[Mapping[str, Any]], captions: Sequence[str]) -> str:
    """Show what a comparison's runs chose for one photo."""
    from plait.report.terminal import table

    header = ["fusion", "seed", "best", "scores", "ratio", "gap", "trained well", "flags"]
    lines = [
        [
            row["fusion"],
            str(row["seed"]),
            captions[row["best"]],
            " ".join(f"{value:.2f}" for value in row["similarities"]),
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['gap']:.2f}",
            "yes" if row["trained_well"] else "no",
            ", ".join(row["flags"]),
        ]
        for row in rows
    ]
    return f"{table(lines, header)}\nthe result for one photo is no measure of a model; use many photos with --data"


def _with_interval(figure: Mapping[str, float]) -> str:
    return f"{figure['mean']:.1f} [{figure['low']:.1f}, {figure['high']:.1f}]"


def _positive(text: str) -> int:
    number = int(text) if text.strip().isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


MATCH = MatchCommand()
PROBE = ProbeCommand()
