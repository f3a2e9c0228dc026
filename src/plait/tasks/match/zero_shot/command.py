"""`plait zero-shot`: how well a matching run classifies labelled images. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from plait.report.terminal import table
from plait.task import Answer, Command

__all__ = ["ZERO_SHOT", "ZeroShotCommand", "zero_shot_text"]

NO_SPLIT = "none"


class ZeroShotCommand:
    """`plait zero-shot DATA --run RUN`."""

    name = "zero-shot"
    help = "measure how well a matching run classifies labelled images that it was not trained on"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes."""
        parser.add_argument("data", metavar="DATA", help="images with a class each, as in `plait fit`")
        parser.add_argument("--run", default="default", help="a run of task match (default: the shipped model)")
        parser.add_argument("--split", default="test", help="which is measured (default test)")
        parser.add_argument(
            "--calibrate", default="val", metavar="SPLIT", help="which sets the temperature, or none (default val)"
        )
        parser.add_argument("--labels", metavar="A,B,C", help="the classes to choose from (default: the data's)")
        parser.add_argument(
            "--template", action="append", metavar="TEXT", help='such as "a photo of a {}"; several are averaged'
        )
        parser.add_argument("--limit", type=int, metavar="N", help="the first N images of every split")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Measure with `api.zero_shot`."""
        found = api.zero_shot(
            arguments.data,
            run=arguments.run,
            split=arguments.split,
            calibrate_on=None if arguments.calibrate == NO_SPLIT else arguments.calibrate,
            labels=None if arguments.labels is None else arguments.labels.split(","),
            templates=arguments.template,
            limit=arguments.limit,
            listener=listener,
        )
        return Answer(found, zero_shot_text(found))


ZERO_SHOT: Command = ZeroShotCommand()


def zero_shot_text(found: Mapping[str, Any]) -> str:
    """Show accuracy with its interval beside what reads nothing, the templates, and the calibration."""
    common = found["most_common"]
    lines = [
        f"{found['images']:,} images of {found['split']}, {len(found['labels'])} labels; {found['how']}",
        *(
            f"{name}: {found[key]['mean']:.1f} % [{found[key]['low']:.1f}, {found[key]['high']:.1f}]"
            for key, name in (
                ("accuracy", "accuracy"),
                ("balanced_accuracy", "balanced accuracy"),
                ("accuracy_top3", "class among the first 3"),
            )
            if key in found
        ),
        f"chance {found['chance']:.1f} %; always {common['label']!r}: {common['accuracy']:.1f} %",
    ]
    if found["calibrated_on"] is None:
        lines.append(f"calibration error {found['calibration_error']:.1f} %; no temperature was set")
    else:
        lines.append(
            f"temperature {found['temperature']:.3g}, set on {found['calibrated_on']}: calibration error "
            f"{found['calibration_error_before']:.1f} % before, {found['calibration_error']:.1f} % after"
        )
    rows = [[one["template"], f"{one['accuracy']:.1f}"] for one in found["by_template"]]
    return "\n".join([*lines, "", table(rows, ["template alone", "accuracy %"])])
