"""`plait classify`: which class each photo shows. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.flags import warnings_of
from plait.task import Answer, Command

__all__ = ["CLASSIFY", "SOME_SKIPPED", "ClassifyCommand"]

# The exit code that says that a part could not be done and the rest is there, as in a comparison with a failed run.
SOME_SKIPPED = 3
SHOWN_PHOTOS = 20
SHOWN_CLASSES = 3


class ClassifyCommand:
    """`plait classify PHOTO... --labels A,B,C`, or with a run of task classify and no labels."""

    name = "classify"
    help = "say which class each photo shows: any labels with a matching run, or a run's own classes"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes."""
        parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photos, or folders of them")
        parser.add_argument("--labels", metavar="A,B,C", help="what to choose from, for a run of task match")
        parser.add_argument("--run", default="default", help="a run of task match or classify (default: the shipped)")
        parser.add_argument(
            "--template", action="append", metavar="TEXT", help='such as "a photo of a {}"; several are averaged'
        )
        parser.add_argument(
            "--temperature", type=float, default=1.0, metavar="T", help="divides the logits (default 1)"
        )
        parser.add_argument("--csv", metavar="FILE", help="write a row per photo, also of those that cannot be read")

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Classify with `api.classify_files`; exit code 3 where some photos could not be read."""
        found = api.classify_files(
            arguments.photos,
            labels=arguments.labels,
            run=arguments.run,
            templates=arguments.template,
            temperature=arguments.temperature,
            csv_file=arguments.csv,
            listener=listener,
        )
        data = {
            "labels": list(found.labels),
            "how": found.how,
            "photos": list(found.rows),
            "skipped": found.skipped,
            "csv": arguments.csv,
            "flags": list(found.record.get("flags", ())),
        }
        lines = [_text(found.rows, found.labels), f"({found.how}; a probability is over these labels alone)"]
        if found.skipped:
            lines.append(f"{found.skipped:,} of {len(found.rows):,} photos could not be read and have no class")
        lines += [f"csv: {arguments.csv}"] if arguments.csv else []
        return Answer(data, "\n".join([*lines, *warnings_of(found.record)]), SOME_SKIPPED if found.skipped else 0)


CLASSIFY: Command = ClassifyCommand()


def _text(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> str:
    """Show one line per photo with its first classes; of many photos the first ones."""
    lines = []
    for row in rows[:SHOWN_PHOTOS]:
        if row["error"]:
            lines.append(f"{row['image']}: {row['error']}")
            continue
        each = sorted(((row.get(f"p({label})", 0.0), label) for label in labels), key=lambda one: -one[0])
        first = each[:SHOWN_CLASSES] if each[0][0] else [(row["probability"], row["label"])]
        lines.append(f"{row['image']}: " + ", ".join(f"{label} {100 * share:.1f} %" for share, label in first))
    if len(rows) > SHOWN_PHOTOS:
        lines.append(f"... and {len(rows) - SHOWN_PHOTOS:,} more")
    return "\n".join(lines)
