"""The verbs. Each is one function; Python and the command line call the same ones.

What a task answers (`match`, `mask`, ...) is a verb too: `plait.api.NAME` for every verb in `plait.tasks`.
"""

from __future__ import annotations

from typing import Any

from plait.api.data import check_data, clear_cache, describe, open_data, show_cache, verify
from plait.api.train import audit, compare, evaluate, fit, recipe, recipe_for, report, requested_by
from plait.api.use import load, load_run, open_feed, package, read_results, task_verb
from plait.listing import list_names
from plait.tasks import all_tasks
from plait.train.events import silent

__all__ = [
    "audit",
    "check_data",
    "clear_cache",
    "compare",
    "describe",
    "evaluate",
    "fit",
    "list_names",
    "load",
    "load_run",
    "open_data",
    "open_feed",
    "package",
    "read_results",
    "recipe",
    "recipe_for",
    "report",
    "requested_by",
    "show_cache",
    "silent",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in {task.verb for task in all_tasks()}:
        return task_verb(name)
    raise AttributeError(f"module 'plait.api' has no attribute {name!r}")
