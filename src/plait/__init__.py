"""Plait: fuse text and images with cross-attention.

    import plait
    run = plait.fit("photos/", "out/run", fusion="cross", epochs=5)
    plait.compare("photos/", "out/compared", fusions=["late", "cross"])
    plait.load("default").match(["cat.jpg"], ["a cat", "a dog"])

Names are imported when they are first used, so that `import plait` is quick and needs no torch. What a task answers
(`plait.match`, `plait.mask`, `plait.probe`) is a public function too; `plait list tasks` shows them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from plait.api import audit as audit
    from plait.api import check as check
    from plait.api import compare as compare
    from plait.api import describe as describe
    from plait.api import evaluate as evaluate
    from plait.api import explain as explain
    from plait.api import faithfulness as faithfulness
    from plait.api import fit as fit
    from plait.api import load as load
    from plait.api import load_comparison as load_comparison
    from plait.api import load_run as load_run
    from plait.api import open_data as open_data
    from plait.api import package as package
    from plait.api import recipe as recipe
    from plait.api import report as report
    from plait.api.data import Check as Check
    from plait.compare.comparison import Comparison as Comparison
    from plait.core.config import Recipe as Recipe
    from plait.core.errors import PlaitError as PlaitError
    from plait.core.evaluation import Evaluation as Evaluation
    from plait.data.collection import Collection as Collection
    from plait.listing import list_names as list_names
    from plait.trained import Model as Model
    from plait.trained import Run as Run

_PUBLIC = {
    "Check": "plait.api.data",
    "Collection": "plait.data.collection",
    "Comparison": "plait.compare.comparison",
    "Evaluation": "plait.core.evaluation",
    "Model": "plait.trained",
    "PlaitError": "plait.core.errors",
    "Recipe": "plait.core.config",
    "Run": "plait.trained",
    "audit": "plait.api",
    "check": "plait.api",
    "compare": "plait.api",
    "describe": "plait.api",
    "evaluate": "plait.api",
    "explain": "plait.api",
    "faithfulness": "plait.api",
    "fit": "plait.api",
    "list_names": "plait.listing",
    "load": "plait.api",
    "load_comparison": "plait.api",
    "load_run": "plait.api",
    "open_data": "plait.api",
    "package": "plait.api",
    "recipe": "plait.api",
    "report": "plait.api",
}

__all__ = [
    "Check",
    "Collection",
    "Comparison",
    "Evaluation",
    "Model",
    "PlaitError",
    "Recipe",
    "Run",
    "__version__",
    "audit",
    "check",
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
    "package",
    "recipe",
    "report",
]


class _CallableRoom(ModuleType):
    """A room that shares its name with a verb: the module `plait.report` is also the function `plait.report`."""

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return getattr(import_module("plait.api"), self.__name__.rpartition(".")[2])(*inputs, **options)


class _Root(ModuleType):
    """The package's module. Importing a room binds it here by its name, which must not hide the verb of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _PUBLIC.get(name) == "plait.api":
            value.__class__ = _CallableRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Root


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 40 ms that `import plait` need not spend

        return version("plait")
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if not name.startswith("_") and name in _task_verbs():
        return getattr(import_module("plait.api"), name)
    raise AttributeError(f"module 'plait' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_task_verbs(), "__version__"})


def _task_verbs() -> set[str]:
    from plait.tasks import all_tasks

    return {name for task in all_tasks() for name in (task.verb, *task.functions)}
