"""The command line: every option of every command with a missing, empty, doubled or absurd value, and odd words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from plait.cli.parser import make_parser
from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected

__all__ = ["cases"]

VALUES = {
    "empty": "",
    "minus": "-1",
    "word": "zw\u00f6lf",
    "fraction": "1.5",
    "digits": "9" * 400,
    "long": "x" * 5000,
    "nul": "a\x00b",
    "comma": ",",
}
# A command that works, to which one option is added or of which one value is changed.
BASES: dict[str, Callable[[Bench], list[object]]] = {
    "fit": lambda b: ["--data", b.shared.data, "--recipe", b.shared.recipe, "--epochs", 1, "--out", b.out, "--quiet"],
    "compare": lambda b: (
        [
            "--data",
            b.shared.data,
            "--fusions",
            "late",
            "--seeds",
            1,
            "--epochs",
            1,
            "--quiet",
            "--recipe",
            b.shared.recipe,
            "--out",
            b.out,
        ]
    ),
    "evaluate": lambda b: [b.shared.run, "--data", b.shared.data, "--quiet"],
    "audit": lambda b: [b.shared.run, "--data", b.shared.data, "--seeds", 2, "--quiet"],
    "match": lambda b: ["--run", b.shared.run, "--images", b.shared.photo, "--texts", "red", "blue"],
    "probe": lambda b: [b.run(b.shared.comparison, "out"), "--data", b.shared.many, "--quiet"],
    "mask": lambda b: [b.shared.masks / "images" / "p0.png", "dog", "--run", b.shared.mask_run],
    "data": lambda b: [b.shared.data, "--quiet"],
    "cache": lambda b: ["show"],
    "report": lambda b: [b.run(b.shared.comparison, "out")],
    "package": lambda b: [b.shared.run, "--out", b.out],
    "list": lambda b: ["fusions"],
}
# (command, option) or option -> values that mean something; "*" = any text that is no file name too long.
_RIGHT: dict[str, tuple[str, ...]] = {
    "--texts": ("minus", "word", "fraction", "digits", "long", "nul", "comma"),
    "--out": ("minus", "word", "fraction", "comma"),
}
# What belongs to another form of the command is refused whatever it says.
_FOREIGN = {("data", "--out"), ("data", "--fix"), ("probe", "--captions"), ("probe", "--photo"), ("audit", "--fusion")}
_NAMES = {"fit": "--data", "compare": "--fusions", "match": "--texts", "package": "--out"}


def cases() -> Iterator[Case]:
    """Give every option with every value, then lines that are wrong as a whole."""
    for command, parser in sorted(_commands().items()):
        if command in BASES:
            for action in parser._actions:
                if action.option_strings and action.nargs != 0:
                    yield from _of_option(command, action)
    yield from _lines()


def _commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


def _of_option(command: str, action: argparse.Action) -> Iterator[Case]:
    option = action.option_strings[-1]
    start, name = f"commands/{command}/{option.lstrip('-')}", option.lstrip("-")
    base = BASES[command]
    yield Case(f"{start}/missing", lambda b: Command([command, *base(b), option]), says=(name,), codes=(2,))
    for how, value in VALUES.items():
        right = how in _RIGHT.get(option, ()) and (command, option) not in _FOREIGN
        expect: Expected = "works" if right else "refused"
        given = [f"{option}={value}"]
        yield Case(
            f"{start}/{how}",
            lambda b, given=given: Command([command, *base(b), *given]),
            expect,
            says=(),
            writes=("out", "here"),
            limit_s=20,
        )
    if action.choices is None and (command, option) not in _FOREIGN:
        yield Case(f"{start}/doubled", lambda b: _doubled(command, option, base(b)), "works", writes=("out", "here"))


def _doubled(command: str, option: str, words: list[object]) -> Command:
    """Name an option of the command twice; the last one counts."""
    if option in words:
        at = words.index(option)
        return Command([command, *words, *words[at : at + 2]])
    return Command([command, *words])


def _lines() -> Iterator[Case]:
    wrong: dict[str, list[str]] = {
        "no_command": [],
        "unknown_command": ["fti"],
        "empty_command": [""],
        "long_command": ["x" * 5000],
        "nul_command": ["a\x00b"],
        "export": ["export", "run", "--out", "small"],
        "unknown_option": ["list", "fusions", "--laeyrs", "3"],
        "list_nothing": ["list"],
        "list_unknown": ["list", "fusion"],
        "list_two": ["list", "fusions", "heads"],
        "data_nothing": ["data"],
        "data_three": ["data", "check", "a", "b"],
        "data_other_word": ["data", "chekc", "scenes:6"],
        "check_nothing": ["data", "check"],
        "evaluate_nothing": ["evaluate"],
        "match_nothing": ["match"],
        "mask_nothing": ["mask"],
        "report_nothing": ["report"],
        "report_nowhere": ["report", "nowhere"],
        "probe_nowhere": ["probe", "nowhere", "--data", "scenes:6"],
        "evaluate_nowhere": ["evaluate", "nowhere", "--data", "scenes:6"],
        "audit_nothing": ["audit"],
        "audit_both": ["audit", "run", "--fusion", "late"],
        "audit_unknown": ["audit", "--fusion", "lat"],
        "audit_fusion_data": ["audit", "--fusion", "late", "--data", "scenes:6"],
        "audit_run_tokens": ["audit", "default", "--tokens", "pooled"],
        "audit_pairing": ["audit", "--fusion", "late", "--pairing", "itm"],
        "package_nowhere": ["package", "nowhere", "--out", "small"],
        "cache_unknown": ["cache", "clean"],
        "cache_clear_unknown": ["cache", "clear", "--name", "nosuch"],
        "cache_clear_empty": ["cache", "clear", "--name", ""],
        "cache_clear_path": ["cache", "clear", "--name", "../.."],
        "cache_show_name": ["cache", "show", "--name", "nosuch"],
        "compare_no_fusions": ["compare", "--data", "scenes:6", "--out", "o"],
        "compare_unknown": ["compare", "--data", "scenes:12", "--fusions", "late,corss", "--out", "o"],
        "compare_seeds_1001": ["compare", "--data", "scenes:12", "--fusions", "late", "--seeds", "1001", "--out", "o"],
        "compare_seeds_negative": [
            "compare",
            "--data",
            "scenes:12",
            "--fusions",
            "late",
            "--seeds",
            "0,-1",
            "--out",
            "o",
        ],
        "compare_seeds_words": ["compare", "--data", "scenes:12", "--fusions", "late", "--seeds", "a,b", "--out", "o"],
        "compare_variants": ["compare", "--data", "scenes:12", "--fusions", "variants", "--out", "o"],
        "fit_no_out": ["fit", "--data", "scenes:12"],
        "fit_no_data": ["fit", "--out", "o"],
        "match_folder": ["match", "--images", ".", "--texts", "a dog"],
        "match_nowhere": ["match", "--images", "nowhere.jpg", "--texts", "a dog"],
        "match_empty_text": ["match", "--images", "nowhere.jpg", "--texts", ""],
        "demo_file": ["demo", "--out", "/dev/null"],
    }
    for name, words in wrong.items():
        yield Case(f"commands/line/{name}", lambda b, words=words: Command(words), limit_s=20)
    right: dict[str, list[str]] = {
        "version": ["--version"],
        "help": ["--help"],
        "help_fit": ["fit", "--help"],
        "abbreviated": ["list", "fusions", "--js"],
        "audit_fusion": ["audit", "--fusion", "late", "--seeds", "1", "--quiet"],
        "cache_show": ["cache", "show", "--json"],
    }
    for name, words in right.items():
        yield Case(f"commands/line/{name}", lambda b, words=words: Command(words), "works")
    for command in sorted(_commands()):
        yield Case(f"commands/help/{command}", lambda b, command=command: Command([command, "--help"]), "works")
        yield Case(
            f"commands/unknown_option/{command}",
            lambda b, command=command: Command([command, "--no-such-option"]),
            codes=(2,),
        )
