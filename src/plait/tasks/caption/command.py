"""`plait caption`: sentences about photos, or about a folder of them. Imports neither torch nor numpy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plait.core.errors import InputError
from plait.report.flags import warnings_of
from plait.task import Answer, Command
from plait.train.events import Event

__all__ = ["CAPTION", "CaptionCommand", "listed"]

_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))


class CaptionCommand:
    """`plait caption PHOTO... --run RUN`, or with a captioner of the hub."""

    name = "caption"
    help = "write a sentence about each photo"

    def arguments(self, parser: ArgumentParser) -> None:
        """Add what the command takes."""
        parser.add_argument("photos", nargs="+", metavar="PHOTO", help="image files, or folders of them")
        parser.add_argument("--run", help="folder of a run of task caption")
        parser.add_argument(
            "--model", metavar="hub:NAME", help="in place of --run: BLIP or ViT-GPT2, by name or folder"
        )
        parser.add_argument("--prompt", default="", metavar="TEXT", help="with --model: how captions begin (BLIP)")
        parser.add_argument(
            "--beam", type=int, metavar="N", help="captions kept during the search (default: the run's)"
        )
        parser.add_argument(
            "--length-penalty", type=float, metavar="X", help="0 favours short captions (default: the run's)"
        )
        parser.add_argument(
            "--csv", metavar="FILE", type=Path, help="write photo, caption, log_prob and reason to FILE"
        )

    def run(self, arguments: Namespace, api: Any, listener: Any) -> Answer:
        """Write captions with `api.load(RUN).caption_files(...)`. The exit code is 1 where a photo was skipped."""
        if (arguments.run is None) == (arguments.model is None):
            return Answer(None, "plait caption: expected either --run, or --model", code=2)
        paths = listed(arguments.photos)
        progress = _progress(listener)
        record: Mapping[str, Any] = {}
        if arguments.run is None:
            captioner = api.pretrained_captioner(arguments.model, listener=listener)
            beam = 3 if arguments.beam is None else arguments.beam
            rows = captioner.caption_files(paths, prompt=arguments.prompt, beam=beam, progress=progress)
        else:
            model = api.load(arguments.run)
            record = model.record
            rows = model.caption_files(
                paths, beam=arguments.beam, length_penalty=arguments.length_penalty, progress=progress
            )
        data: dict[str, Any] = {
            "run": arguments.run or arguments.model,
            "captions": [row.to_json() for row in rows],
            "skipped": sum(1 for row in rows if row.reason),
            "flags": list(record.get("flags", ())),
        }
        if arguments.csv is not None:
            from plait.tasks.caption.result import write_csv

            data["csv"] = str(write_csv(rows, arguments.csv))
        return Answer(data, "\n".join([_text(data), *warnings_of(record)]), code=1 if data["skipped"] else 0)


CAPTION: Command = CaptionCommand()


def listed(given: Sequence[str]) -> list[Path]:
    """Give the files of a list of files and folders; of a folder, its image files by name, not those of its folders.

    Raises:
        InputError: a folder without image files.
    """
    found: list[Path] = []
    for name in given:
        path = Path(name)
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(one for one in path.iterdir() if one.is_file() and one.suffix.lower() in _SUFFIXES)
        if not inside:
            raise InputError(f"{path}: holds no image file; expected one of {', '.join(sorted(_SUFFIXES))}")
        found += inside
    return found


def _progress(listener: Callable[[Event], None]) -> Callable[[int, int], None]:
    return lambda done, total: listener(Event("encode", "photos", done, total))


def _text(data: dict[str, Any]) -> str:
    lines = []
    for row in data["captions"]:
        said = f"skipped: {row['reason']}" if row["reason"] else f"{row['caption']}  ({row['log_prob']:.1f})"
        lines.append(f"{row['photo']}: {said}")
    if data["captions"]:
        lines.append("(number: natural logarithm of the caption's probability)")
    if data["skipped"]:
        lines.append(f"skipped {data['skipped']:,} of {len(data['captions']):,} photos")
    if "csv" in data:
        lines.append(f"csv: {data['csv']}")
    return "\n".join(lines)
