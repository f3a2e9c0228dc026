"""What every task owes to those who call it: the objects it names exist, and have the protocols' methods."""

from __future__ import annotations

import inspect
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

import pytest

from plait.core.metric import Metric
from plait.core.tables import Entry
from plait.fusion import FUSIONS
from plait.heads import HEADS
from plait.model import Learner
from plait.objectives import OBJECTIVES
from plait.task import Command, Task, Work
from plait.tasks import TASKS, all_tasks
from plait.trained import Model

every_task = pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.name)
TABLES: dict[str, dict[str, Entry]] = {"fusion": FUSIONS, "head": HEADS, "objective": OBJECTIVES}


def methods_of(protocol: type) -> dict[str, Callable[..., Any]]:
    """Give the public methods that a protocol's own body names."""
    return {
        name: value for name, value in vars(protocol).items() if inspect.isfunction(value) and not name.startswith("_")
    }


def differences(ours: Callable[..., Any], protocol: Callable[..., Any]) -> list[str]:
    """Say how a bound method's parameters differ from a protocol's: names, order, kinds and defaults."""
    expected = list(inspect.signature(protocol).parameters.values())[1:]  # without self
    found = list(inspect.signature(ours).parameters.values())
    said = [f"takes {[p.name for p in found]}, expected {[p.name for p in expected]}"]
    if [p.name for p in found] != [p.name for p in expected]:
        return said
    pairs = list(zip(found, expected, strict=True))
    kinds = [f"{a.name}: {a.kind.description}, expected {b.kind.description}" for a, b in pairs if a.kind != b.kind]
    defaults = [f"{a.name} = {a.default}, expected {b.default}" for a, b in pairs if a.default != b.default]
    return kinds + defaults


def test_the_table_says_what_tasks_call_themselves() -> None:
    assert [task.name for task in all_tasks()] == list(TASKS)


@every_task
def test_work_has_every_method_with_the_protocols_parameters(task: Task) -> None:
    work = task.load_work()
    wrong = {}
    for name, method in methods_of(Work).items():
        ours = getattr(work, name, None)
        found = ["is missing"] if ours is None else differences(ours, method)
        if found:
            wrong[name] = found
    assert wrong == {}
    for name in methods_of(Work):
        assert inspect.getdoc(getattr(work, name)), f"{task.name}: Work.{name} has no docstring"


@every_task
def test_commands_have_every_method_and_parse(task: Task) -> None:
    commands = task.load_commands()
    names = [command.name for command in commands]
    assert len(set(names)) == len(names)
    for command in commands:
        for name, method in methods_of(Command).items():
            assert differences(getattr(command, name), method) == [], f"{command.name}.{name}"
        assert command.help
        parser = ArgumentParser(prog=command.name)
        command.arguments(parser)
        assert parser.format_help()


@every_task
def test_metrics_are_told_apart_and_one_is_the_headline(task: Task) -> None:
    keys = [metric.key for metric in task.metrics]
    assert len(set(keys)) == len(keys)
    assert len({metric.head for metric in task.metrics}) == len(keys)
    assert any(metric.headline and metric.tested for metric in task.metrics)
    assert any(metric.on_curve for metric in task.metrics)
    for metric in task.metrics:
        assert metric.bounds[0] < metric.bounds[1], metric.key
    headline: Metric = task.headline(keys)
    assert headline.headline


@every_task
def test_some_entry_of_every_table_serves_and_the_default_objective_does(task: Task) -> None:
    for kind, table in TABLES.items():
        assert any(task.serves(kind, entry) for entry in table.values()), kind
    assert task.serves("objective", OBJECTIVES[task.objective])


@pytest.mark.parametrize("kind", ["head", "objective"])
def test_heads_and_objectives_serve_some_task(kind: str) -> None:
    for name, entry in TABLES[kind].items():
        assert any(task.serves(kind, entry) for task in all_tasks()), name


@every_task
def test_assemble_gives_a_learner_and_predictor_a_model_with_the_verb(task: Task) -> None:
    learner, model = annotated(task, "assemble"), annotated(task, "predictor")
    assert issubclass(learner, Learner)
    assert issubclass(model, Model)
    assert task.verb in dir(model), f"annotate {task.name}'s predictor with the class that has {task.verb!r}"


def annotated(task: Task, method: str) -> type:
    """Give the class that a method of the task's work says it returns."""
    owner = type(task.load_work())
    name = inspect.get_annotations(getattr(owner, method))["return"]
    found = vars(sys.modules[owner.__module__]).get(name)
    assert inspect.isclass(found), f"{task.name}: {method} -> {name}: expected a class imported at run time"
    return found


@every_task
def test_the_light_part_is_read_without_torch_or_numpy(task: Task) -> None:
    code = (
        "import sys; from plait.tasks import find_task; "
        f"task = find_task({task.name!r}); task.load_commands(); task.load_terminal(); "
        "sys.exit(', '.join({'torch', 'numpy'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
