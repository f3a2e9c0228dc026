"""The command line's grammar: its own commands and those of the tasks. Imports neither torch nor numpy."""

from __future__ import annotations

import argparse
import math
from typing import Any, NoReturn

from plait.cli.out import say
from plait.core.errors import shortened
from plait.core.recipe.ranges import LARGEST_SEED, MOST_SEEDS
from plait.listing import KINDS
from plait.tasks import all_tasks

__all__ = ["make_parser"]

DATA_HELP = (
    "a folder with images/ and captions.csv, a CSV/JSONL/COCO file, hub:NAME, or scenes[:COUNT] for a generated set; "
    "`plait list sources` shows all"
)
DEVICES = ("auto", "cpu", "cuda", "mps")


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error where its help cannot be written; argparse ignores it. What it repeats is cut."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with 2."""
        super().error(shortened(message))

    def print_help(self, file: Any = None) -> None:
        """Print the help on stdout, or into a file. Raises StorageError where stdout cannot be written."""
        if file is not None:
            super().print_help(file)
        else:
            say(self.format_help().rstrip())


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = _Parser(
        prog="plait",
        description="Fuse text and images with cross-attention: train, compare, explain and use the models.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _fit(commands)
    _compare(commands)
    _evaluate(commands)
    _explain(commands)
    _faithfulness(commands)
    _audit(commands)
    _of_tasks(commands)
    _list(commands)
    _recipe(commands)
    _data(commands)
    _cache(commands)
    _report(commands)
    _package(commands)
    _demo(commands)
    return parser


Commands = Any


def _fit(commands: Commands) -> None:
    parser = commands.add_parser("fit", help="train one recipe on your data and save it")
    _data_options(parser)
    parser.add_argument("--recipe", help="a recipe's name (`plait list recipes`) or a .toml file")
    parser.add_argument(
        "--fusion", metavar="NAME", help="a name from `plait list fusions`, or a label of the recipe's variants"
    )
    _fusion_options(parser)
    parser.add_argument("--epochs", type=_positive, help="instead of the recipe's")
    parser.add_argument("--seed", type=_seed, help="instead of the recipe's")
    _minutes_option(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="where the run is written")
    _log_options(parser)
    _device_options(parser)
    _json(parser)


def _compare(commands: Commands) -> None:
    parser = commands.add_parser("compare", help="compare ways of fusing on your data, with intervals and a verdict")
    _data_options(parser)
    parser.add_argument(
        "--fusions",
        type=_names,
        required=True,
        metavar="A,B,...",
        help="names from `plait list fusions`, or labels of the recipe's variants (`variants` = all of them)",
    )
    parser.add_argument(
        "--seeds", type=_seeds, default=3, metavar="N", help="how many seeds, or a list such as 0,1,5 (default 3)"
    )
    parser.add_argument("--epochs", type=_positive, help="instead of the recipe's")
    parser.add_argument("--recipe", help="a recipe's name or a .toml file; its fusion is replaced by each of --fusions")
    parser.add_argument(
        "--match",
        choices=("params", "time"),
        help="give every fusion as many parameters, or as much training time, as the first one",
    )
    _fusion_options(parser)
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=1,
        metavar="N",
        help="train N runs at a time, each with its part of the cores (default 1)",
    )
    _minutes_option(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="where results and report are written")
    _log_options(parser)
    _device_options(parser)
    _json(parser)


def _evaluate(commands: Commands) -> None:
    parser = commands.add_parser("evaluate", help="score a split with a finished run")
    parser.add_argument("run", help='a run\'s folder, or "default" for the shipped model')
    _data_options(parser)
    parser.add_argument(
        "--split", help="train, val or test (default, as in `plait fit`: test if there is one, else val)"
    )
    _device_options(parser)
    _json(parser)


def _explain(commands: Commands) -> None:
    parser = commands.add_parser("explain", help="show what an answer depends on, and how far that can be trusted")
    parser.add_argument("run", metavar="RUN", help='a run\'s folder, or "default" for the shipped model')
    parser.add_argument("image", metavar="PHOTO", help="an image file")
    parser.add_argument("text", metavar="TEXT", help="a sentence, a phrase, or the name of a class, as the task asks")
    parser.add_argument("--method", default="occlusion", help="one of `plait list methods` (default occlusion)")
    parser.add_argument("--no-measure", action="store_true", help="do not measure how faithful the map is")
    parser.add_argument("--out", metavar="DIR", help="where arrays, overlay.png and explanation.html go")
    _json(parser)


def _faithfulness(commands: Commands) -> None:
    parser = commands.add_parser("faithfulness", help="measure over a split whether a method's maps can be trusted")
    parser.add_argument("run", metavar="RUN", help='a run\'s folder, or "default" for the shipped model')
    parser.add_argument("--data", required=True, help="as in `plait fit`; masks give the pointing game")
    parser.add_argument("--split", default="val", help="train, val or test (default val)")
    parser.add_argument("--method", default="occlusion", help="one of `plait list methods` (default occlusion)")
    parser.add_argument("--images", type=int, default=50, metavar="N", help="so many images of it (default 50)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the images and random orders (default 0)")
    _json(parser)


def _audit(commands: Commands) -> None:
    parser = commands.add_parser(
        "audit",
        help="test what a model learns from: noise, swaps, parameters without gradient, shuffled captions",
    )
    parser.add_argument("run", nargs="?", help="a finished run's folder, or name a fusion with --fusion")
    parser.add_argument(
        "--fusion", metavar="NAME", help="a name from `plait list fusions`, audited with random weights"
    )
    _fusion_options(parser)
    parser.add_argument("--data", help=f"with a run: audit its trained model on {DATA_HELP}")
    parser.add_argument("--images", metavar="DIR", help="the photos' folder, if not beside the file")
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N photos of each split")
    parser.add_argument("--split", default="val", help="train, val or test (default val)")
    parser.add_argument("--seeds", type=_positive, default=20, metavar="N", help="sets of random weights (default 20)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a flag is raised; otherwise 0")
    _device_options(parser)
    _json(parser)


def _of_tasks(commands: Commands) -> None:
    for task in all_tasks():
        for command in task.load_commands():
            parser = commands.add_parser(command.name, help=command.help)
            command.arguments(parser)
            parser.set_defaults(of_task=command)
            _device_options(parser)
            _json(parser)


def _list(commands: Commands) -> None:
    parser = commands.add_parser("list", help="list tasks, fusions, encoders, recipes, ...")
    parser.add_argument("kind", choices=KINDS)
    _json(parser)


def _recipe(commands: Commands) -> None:
    parser = commands.add_parser("recipe", help="print a recipe to edit: `plait recipe NAME > my.toml`")
    parser.add_argument(
        "name",
        help="a recipe's name (`plait list recipes`), a .toml file, or a run's folder for the run's whole recipe",
    )
    _json(parser)


def _data(commands: Commands) -> None:
    parser = commands.add_parser(
        "data",
        help="describe a data set; `plait data check DATA` finds its faults",
        usage="plait data [check] DATA [--images DIR] [--verify] [--out DIR] [--fix DIR] [--strict] [--json] [--quiet]",
    )
    parser.add_argument(
        "data",
        nargs="+",
        action=_DataWords,
        metavar="[check] DATA",
        help=f"{DATA_HELP}; with `check` before it: find damaged, duplicate and leaking images, bad captions and masks",
    )
    parser.set_defaults(check=False)
    parser.add_argument("--out", metavar="DIR", help="check: where check.html and check.json are written")
    parser.add_argument("--fix", metavar="DIR", help="check: where cleaned captions and splits are written")
    parser.add_argument("--images", metavar="DIR", help="the photos' folder, if not beside the file")
    parser.add_argument("--strict", action="store_true", help="check: exit with 1 if there is an error; otherwise 0")
    parser.add_argument("--verify", action="store_true", help="decode every photo too")
    _json(parser)


class _DataWords(argparse.Action):
    """Take `DATA`, or the word `check` and `DATA`; a folder named check is still reached as ./check or check alone."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if len(values) > 2 or (len(values) == 2 and values[0] != "check"):
            parser.error(f"expected DATA or check DATA, got {' '.join(values)}")
        namespace.check, namespace.data = len(values) == 2, values[-1]


def _cache(commands: Commands) -> None:
    parser = commands.add_parser("cache", help="show or clear the cached tokens of frozen encoders")
    parser.add_argument("action", nargs="?", choices=("show", "clear"), default="show")
    parser.add_argument("--name", help="with clear: only the entry of this name (as `show` prints it)")
    _json(parser)


def _report(commands: Commands) -> None:
    parser = commands.add_parser("report", help="write report.html again from a comparison's results.json")
    parser.add_argument("out", help="the comparison's folder")
    _json(parser)


def _package(commands: Commands) -> None:
    parser = commands.add_parser("package", help="write a small copy of a finished run, with a model card")
    parser.add_argument("run", help="the run's folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the packaged run is written")
    _json(parser)


def _demo(commands: Commands) -> None:
    parser = commands.add_parser("demo", help="compare four fusions on generated scenes, then use the shipped model")
    parser.add_argument("--out", default="out/demo", metavar="DIR")
    _json(parser)


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, help=DATA_HELP)
    parser.add_argument("--images", metavar="DIR", help="the photos' folder, if not beside the file")
    parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N photos of each split")


def _fusion_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tokens", choices=("tokens", "pooled"), help="what is fused: all tokens, or one vector per side"
    )
    parser.add_argument(
        "--pairing",
        choices=("all", "itm", "rerank", "matched"),
        help="how fusions are trained and scored (matched: leaky, to reproduce printed tables only)",
    )


def _minutes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes",
        type=_minutes,
        metavar="N",
        help="train as many of the recipe's epochs as fit into N minutes, all else included; the same for all runs",
    )


def _log_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log",
        type=_names,
        default=[],
        metavar="A,B",
        help="also log figures to tensorboard and wandb (pip install 'plait[tensorboard]', 'plait[wandb]')",
    )


def _device_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("hardware")
    group.add_argument(
        "--device", choices=DEVICES, default="auto", help="where to compute (default auto: a GPU where there is one)"
    )
    group.add_argument(
        "--devices", type=_positive, default=1, metavar="N", help="how many devices train one run (default 1)"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _positive(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    digits = text.strip()
    if digits.isdecimal() and (len(digits.lstrip("0")) > len(str(LARGEST_SEED)) or int(digits) > LARGEST_SEED):
        raise argparse.ArgumentTypeError(f"expected a whole number below 2**32, got one of {len(digits)} digits")
    number = int(digits) if digits.isdecimal() else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return number


def _minutes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of minutes above 0, got {text!r}")
    return number


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected at least one name")
    return names


def _seeds(text: str) -> int | list[int]:
    if "," in text:
        return [_seed(part) for part in text.split(",") if part.strip()]
    number = _positive(text)
    if number > MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_SEEDS:,} seeds, got {number:,}")
    return number
