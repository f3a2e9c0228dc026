"""Hold names to what they promise: the root's public names, the rooms' tables, the recipes, and a light front door."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import plait
from plait.core.config import read_recipe
from plait.core.tables import Entry, check_options, load_entry, look_up
from tests.house import texts
from tests.house.tree import PACKAGE, ROOT, package_sources

ROOMS = sorted({where.split("/")[0] for where in package_sources() if "/" in where})
RECIPES = sorted([*(ROOT / "recipes").glob("*.toml"), *(PACKAGE / "recipes").glob("*.toml")])
BUDGET_S = 0.3
HELP = "import sys; from plait.cli import main; sys.argv = ['plait', '--help']; sys.exit(main())"
LIGHT = ["plait", "plait.core.config", "plait.core.errors", "plait.core.tables", "plait.listing", "plait.cli"]


def tables() -> dict[str, dict[str, Entry]]:
    """Find every name table: a non-empty dict of entries in a room's `__init__`, such as "fusion.FUSIONS"."""
    found = {}
    for room in ROOMS:
        for name, value in vars(import_module(f"plait.{room}")).items():
            if isinstance(value, dict) and value and all(isinstance(v, Entry) for v in value.values()):
                found[f"{room}.{name}"] = value
    return found


ENTRIES = [(table, name) for table, entries in tables().items() for name in entries]


def test_there_are_tables() -> None:
    missing = {"fusion.FUSIONS", "heads.HEADS", "objectives.OBJECTIVES", "encoders.TEXT_ENCODERS"} - set(tables())
    missing |= {"encoders.IMAGE_ENCODERS", "encoders.ADAPTERS"} - set(tables())
    assert not missing, f"no table {sorted(missing)}. Fix: a dict literal of Entry in the room's __init__.py"


@pytest.mark.parametrize(("table", "name"), ENTRIES, ids=[f"{t}-{n}" for t, n in ENTRIES])
def test_every_table_entry_says_what_it_is_and_loads(table: str, name: str) -> None:
    entry = tables()[table][name]
    for field in ("family", "paper", "summary"):
        said = getattr(entry, field)
        assert said, f"{table}[{name!r}] has no {field}. Fix: fill it in ('-' for a paper that is none)"
        assert "\n" not in said, f"{table}[{name!r}]: {field} has several lines. Fix: `plait list` shows one"
    target = load_entry(entry)
    assert callable(target), f"{table}[{name!r}]: {entry.target} cannot be called"
    assert target.__doc__, f"{table}[{name!r}]: {entry.target} has no docstring"
    check_options(table, name, target, entry.options or {})
    if table == "fusion.FUSIONS":
        gives = ("grid", "vector", "pair", "sides", "image")
        assert entry.gives in gives, f"{table}[{name!r}]: what does it give? Fix: gives=..."
        assert set(entry.pairings) <= {"all", "itm", "rerank", "matched"}, (
            f"{table}[{name!r}]: unknown pairing in {entry.pairings}"
        )


def test_root_names_are_the_public_names() -> None:
    names = list(plait.__all__)
    assert names, "plait.__all__ is empty. Fix: the lazy name table in src/plait/__init__.py"
    assert len(names) == len(set(names)), "plait.__all__ names something twice"
    assert set(names) <= set(dir(plait)), f"dir(plait) lacks {sorted(set(names) - set(dir(plait)))}"
    for name in names:
        value = getattr(plait, name)
        assert value is not None
        assert name == "__version__" or value.__doc__, f"plait.{name} has no docstring. Fix: write it"
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(plait, "no_such" + "_name")


def test_version_is_said_once() -> None:
    assert f'version = "{plait.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_changelog_mentions_every_public_name() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    missing = texts.missing_from_changelog(changelog, [n for n in plait.__all__ if n != "__version__"])
    assert not missing, "\n" + "\n".join(missing)


def test_there_are_recipes() -> None:
    assert RECIPES, "src/plait/recipes is empty. Fix: one short TOML file a system"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_names_what_exists(path: Path) -> None:
    from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
    from plait.fusion import FUSIONS
    from plait.objectives import OBJECTIVES
    from plait.runs.assemble import completed

    recipe = read_recipe(path)
    wanted = [
        ("fusion", FUSIONS, recipe.fusion.name, recipe.fusion.options),
        ("adapter", ADAPTERS, recipe.fusion.adapter, recipe.fusion.adapter_options),
        ("objective", OBJECTIVES, completed(recipe).objective.name, recipe.objective.options),
        ("text encoder", TEXT_ENCODERS, recipe.text.encoder, recipe.text.options),
        ("image encoder", IMAGE_ENCODERS, recipe.image.encoder, recipe.image.options),
    ]
    for kind, table, name, options in wanted:
        if not name.startswith("hub:"):
            check_options(kind, name, load_entry(look_up(kind, table, name)), options)
    if recipe.fusion.pairing:
        assert recipe.fusion.pairing in FUSIONS[recipe.fusion.name].pairings


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_says_how_to_run_it_and_what_to_expect(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = "\n".join(line for line in lines if line.startswith("#")).lower()
    parts = {"the command": "plait ", "its data": "--data", "how many minutes": "minute", "what to expect": "expect"}
    lacking = [part for part, word in parts.items() if word not in header]
    assert not lacking, f"recipe {path.name}: the header does not say {lacking}. Fix: comment lines that do"


@pytest.mark.parametrize("module", LIGHT)
def test_the_front_door_does_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'numpy', 'transformers', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", (
        f"import {module} imports {done.stdout.strip()}. Fix: import it where it is used"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--help"], "usage"), (["--version"], "plait 0."), (["list", "fusions", "--json"], '"scan_t2i"')],
    ids=["help", "version", "list"],
)
def test_quick_answers_do_not_import_torch(words: list[str], said: str) -> None:
    code = (
        f"import sys\nfrom plait.cli import main\nsys.argv = {['plait', *words]}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(str([m for m in ('torch', 'numpy', 'transformers', 'PIL') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr.splitlines()[-1:] == ["[]"], f"plait {' '.join(words)} imports {done.stderr}"
    assert said in done.stdout, done.stdout


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the processor time of one child process")
@pytest.mark.parametrize("command", [["-c", "import plait"], ["-c", HELP]], ids=["import", "help"])
def test_the_front_door_is_light(command: list[str]) -> None:
    # Processor time, not time on the wall: other work on the same cores must not fail this test. Best of five, since
    # the first run may have to compile the modules.
    best, bare = (min(_cpu_seconds(args) for _ in range(5)) for args in (command, ["-c", "pass"]))
    fix = "Fix: see `python -X importtime -c 'import plait.cli'`, and import late"
    assert best <= BUDGET_S, f"python {command[-1]} takes {best:.2f} s, a bare python {bare:.2f} s. {fix}"


def _cpu_seconds(args: list[str]) -> float:
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, *args],
        {**os.environ},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, f"python {' '.join(args)} failed"
    return usage.ru_utime + usage.ru_stime


def test_package_carries_its_type_marker() -> None:
    assert (PACKAGE / "py.typed").is_file()
