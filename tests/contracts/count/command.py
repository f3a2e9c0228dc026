"""`plait count IMAGE --run RUN`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from plait.task import Answer


class CountCommand:
    """See `plait.task.Command`."""

    name = "count"
    help = "say how many things are in an image"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("image")
        parser.add_argument("--run", required=True)

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        number = api.load(arguments.run).count(arguments.image)
        return Answer({"image": arguments.image, "count": number}, f"{arguments.image}: {number}")


COUNT = CountCommand()
