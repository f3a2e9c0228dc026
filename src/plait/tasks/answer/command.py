"""`plait answer`: the answer to a question about an image. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from textwrap import shorten
from typing import Any

from plait.report.flags import warnings_of
from plait.report.terminal import table
from plait.task import Answer, Command

__all__ = ["ANSWER", "AnswerCommand"]


class AnswerCommand:
    """`plait answer IMAGE QUESTION --run RUN`."""

    name = "answer"
    help = "answer a question about an image"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes."""
        parser.add_argument("image", metavar="IMAGE", help="an image file")
        parser.add_argument("question", metavar="QUESTION", help='such as "what colour is the hat?"')
        parser.add_argument("--run", required=True, help="folder of a run that was fitted on questions with answers")
        parser.add_argument("--top", type=int, default=5, metavar="N", help="how many answers to show (default 5)")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Answer with `api.load(RUN).answer(...)`."""
        model = api.load(arguments.run)
        found = model.answer(arguments.image, arguments.question, top=arguments.top)
        data: dict[str, Any] = {**found.to_json(), "flags": list(model.record.get("flags", ()))}
        return Answer(data, "\n".join([_text(data), *warnings_of(model.record)]))


ANSWER: Command = AnswerCommand()


def _text(found: dict[str, Any]) -> str:
    """Show the question and the most probable answers, one per line."""
    rows = [(one["answer"], f"{100 * one['probability']:.1f}") for one in found["choices"]]
    return "\n".join(
        [
            f"{found['photo']}: {shorten(found['question'], 120, placeholder=' …')}",
            "",
            table(rows, ("answer", "%")),
            "",
            f"of {found['listed']:,} answers that the training questions have",
            *found["notes"],
        ]
    )
