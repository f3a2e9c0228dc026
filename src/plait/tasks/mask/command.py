"""`plait mask`: the region of an image that a phrase refers to. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from textwrap import shorten
from typing import Any

from plait.report.flags import warnings_of
from plait.task import Answer, Command

__all__ = ["MASK", "MaskCommand"]


class MaskCommand:
    """`plait mask IMAGE TEXT --run RUN`."""

    name = "mask"
    help = "find the region of an image that a phrase refers to"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes."""
        parser.add_argument("image", metavar="IMAGE", help="an image file")
        parser.add_argument("text", metavar="TEXT", help='what to find, such as "the red umbrella"')
        parser.add_argument("--run", required=True, help="folder of a run that was fitted on data with masks")
        parser.add_argument(
            "--threshold", type=float, metavar="P", help="least probability, 0 to 1 (default: the run's own)"
        )
        parser.add_argument(
            "--presence-threshold",
            type=float,
            metavar="P",
            help="below this probability that the phrase is in the image, 0 to 1, nothing is marked (default: the "
            "run's own; 0: always mark)",
        )
        parser.add_argument(
            "--out", metavar="DIR", help="where mask.png, probability.png, overlay.png and mask.json go"
        )

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Find the region with `api.load(RUN).mask(...)`."""
        model = api.load(arguments.run)
        found = model.mask(
            arguments.image,
            arguments.text,
            threshold=arguments.threshold,
            presence_threshold=arguments.presence_threshold,
            out=arguments.out,
        )
        data: dict[str, Any] = {**found.to_json(), "flags": list(model.record.get("flags", ()))}
        return Answer(data, "\n".join([_text(data), *warnings_of(model.record)]))


MASK: Command = MaskCommand()


def _text(found: dict[str, Any]) -> str:
    """Say what was found, and where it was written."""
    lines = [f"{found['image']}: {shorten(found['text'], 120, placeholder=' …')!r}"]
    if found["found"] is False:
        lines.append(
            f"not found (probability {found['presence']:.2f}; found from {found['presence_threshold']:.2f} on): "
            "nothing is marked; --presence-threshold 0 marks the most similar region"
        )
    else:
        lines.append(
            f"{100 * found['area']:.1f} % of {found['width']} x {found['height']} px, probability at least "
            f"{found['threshold']:.2f} (highest {found['highest_probability']:.2f})"
        )
        if found["presence"] is None:
            lines.append("whether it is in the image at all is not known: this run cannot tell")
        else:
            lines.append(f"found (probability {found['presence']:.2f} that it is in the image)")
        if not found["area"]:
            lines.append("no pixel reaches the threshold; --threshold P sets a lower one")
    return "\n".join([*lines, *(f"{kind}: {path}" for kind, path in found["files"].items())])
