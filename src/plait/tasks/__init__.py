"""Tasks: what is asked of a pair. One folder per task and one line here; nothing else knows that it exists."""

from __future__ import annotations

from plait.core.errors import UnknownNameError
from plait.core.tables import load_target
from plait.task import Task

__all__ = ["TASKS", "all_tasks", "find_task"]

# name -> "module:TASK". The module imports no torch.
TASKS: dict[str, str] = {
    "match": "plait.tasks.match:TASK",
    "mask": "plait.tasks.mask:TASK",
    "caption": "plait.tasks.caption:TASK",
    "answer": "plait.tasks.answer:TASK",
    "classify": "plait.tasks.classify:TASK",
}


def find_task(name: str) -> Task:
    """Give a task by its name.

    Raises:
        UnknownNameError: there is none; the message gives the nearest.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    task: Task = load_target(TASKS[name])
    return task


def all_tasks() -> list[Task]:
    """Give every task, in table order."""
    return [find_task(name) for name in TASKS]
