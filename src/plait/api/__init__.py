"""The verbs. Each is one function; Python and the command line call the same ones.

What a task answers (`match`, `mask`, ...) is a verb too, and so is what it brings beside it (`probe`): `plait.api.NAME`
for every verb and function of a task in `plait.tasks`.
"""

from __future__ import annotations

import sys
from typing import Any

from plait.api.data import check, clear_cache, describe, open_data, show_cache, verify
from plait.api.explain import explain, faithfulness
from plait.api.train import audit, compare, evaluate, fit, recipe, recipe_for, report, requested_by
from plait.api.use import load, load_comparison, load_run, open_feed, package, read_results, task_function, task_verb
from plait.listing import list_names
from plait.runs.recipe_text import recipe_text
from plait.tasks import all_tasks
from plait.train.events import several, silent
from plait.train.listeners import open_logs

__all__ = [
    "audit",
    "check",
    "clear_cache",
    "compare",
    "describe",
    "evaluate",
    "explain",
    "faithfulness",
    "fit",
    "list_names",
    "load",
    "load_comparison",
    "load_run",
    "open_data",
    "open_feed",
    "open_logs",
    "package",
    "read_results",
    "recipe",
    "recipe_for",
    "recipe_text",
    "report",
    "requested_by",
    "several",
    "show_cache",
    "silent",
    "verify",
]


def __getattr__(name: str) -> Any:
    for task in all_tasks():
        if name == task.verb:
            return task_verb(name)
        if name in task.functions:
            return task_function(task.functions[name], sys.modules[__name__])
    raise AttributeError(f"module 'plait.api' has no attribute {name!r}")
