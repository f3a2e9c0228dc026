"""Hold the tree to the house rules: sizes, import directions, documentation, safe files, nothing unfinished."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import pytest

from plait.tasks import TASKS
from tests.house import rules, texts
from tests.house.tree import PACKAGE, ROOT, package_sources, sources, tracked_texts

Rule = Callable[[str, str], list[str]]


def hold(faults: Iterable[str]) -> None:
    """Fail with every fault on a line of its own."""
    listed = list(faults)
    assert not listed, "\n" + "\n".join(listed)


def over(rule: Rule, files: Mapping[str, str]) -> list[str]:
    """Apply a rule to every file."""
    return [fault for where, text in files.items() for fault in rule(where, text)]


@pytest.mark.parametrize("rule", [rules.length, rules.parameters], ids=lambda rule: rule.__name__)
def test_size_of_files_functions_and_signatures(rule: Rule) -> None:
    files = sources() if rule is rules.length else {k: v for k, v in sources().items() if k.startswith("src/")}
    hold(over(rule, files))


@pytest.mark.parametrize(
    "rule",
    [rules.constructor_kwargs, rules.bad_imports, rules.documentation, rules.unsafe_loads],
    ids=lambda rule: rule.__name__,
)
def test_package(rule: Rule) -> None:
    hold(over(rule, package_sources()))


def test_rooms_that_serve_every_task_name_none() -> None:
    hold(fault for where, text in package_sources().items() for fault in rules.task_names(where, text, TASKS))


def test_no_import_cycles() -> None:
    names = {
        "plait." + where.removesuffix(".py").removesuffix("/__init__").replace("/", "."): text
        for where, text in package_sources().items()
        if where != "__init__.py"
    }
    known = frozenset(names)
    hold(rules.cycles({name: rules.imported_modules(name, text, known) for name, text in names.items()}))


def test_there_is_one_training_loop() -> None:
    calls = over(rules.backward_calls, package_sources())
    assert len(calls) == 1, f"expected one backward call, in train/fit.py, got {calls}. Fix: pass what varies to it"


def test_every_room_has_a_section_in_the_guide() -> None:
    guide = (ROOT / "docs" / "rooms.md").read_text(encoding="utf-8")
    rooms = sorted({where.split("/")[0] for where in package_sources() if "/" in where})
    hold(f"docs/rooms.md: no section `## {room}`. Fix: write it" for room in rooms if f"\n## {room}\n" not in guide)


@pytest.mark.parametrize("rule", [texts.unfinished, texts.machine_traces], ids=lambda rule: rule.__name__)
def test_texts(rule: Rule) -> None:
    files = {where: text for where, text in tracked_texts().items() if not where.startswith("tests/house/")}
    assert len(files) > 20, "too few files found for the rule to mean anything"
    if rule is texts.machine_traces:
        host = socket.gethostname()
        hold(fault for where, text in files.items() for fault in texts.machine_traces(where, text, host))
    else:
        hold(over(rule, files))


def test_words_are_the_fields_own() -> None:
    prose = {where: text for where, text in tracked_texts().items() if where.endswith((".py", ".md", ".toml", ".html"))}
    hold(over(texts.private_words, {where: text for where, text in prose.items() if where != "tests/house/texts.py"}))


def test_decisions_have_number_status_and_price() -> None:
    pages = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "docs" / "decisions").glob("*.md")}
    assert pages, "docs/decisions is empty. Fix: write down the choices that had a price"
    hold(texts.decision_faults(pages))


def test_commands_in_pyproject_exist() -> None:
    scripts = pyproject()["project"]["scripts"]
    for command, target in scripts.items():
        module, _, attribute = target.partition(":")
        path = PACKAGE.parent / module.replace(".", "/")
        found = path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
        assert found, f"{command} points at {target}, and there is no such module"
        assert callable(getattr(import_module(module), attribute)), f"{target} is not callable"


def test_every_file_of_the_package_is_installed() -> None:
    globs = pyproject()["tool"]["setuptools"]["package-data"]["plait"]
    carried = {path for pattern in globs for path in PACKAGE.glob(pattern)}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    lost = sorted(p.relative_to(PACKAGE).as_posix() for p in files - carried if p.suffix not in (".py", ".tmp"))
    assert not lost, f"a wheel would lack {lost}. Fix: name them in package-data of pyproject.toml"


def test_every_room_is_a_package() -> None:
    rooms = {path.parent for path in PACKAGE.rglob("*.py")}
    lost = sorted(str(room.relative_to(ROOT)) for room in rooms if not (room / "__init__.py").is_file())
    assert not lost, f"{lost} would not be installed. Fix: an __init__.py that says what the room is for"


def pyproject() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
