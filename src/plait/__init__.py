"""Plait: fuse text and images with cross-attention.

    import plait
    plait.compare("photos/", "out/", fusions=["late", "cross"])
    plait.load("default").match(["cat.jpg"], ["a cat", "a dog"])

Names are imported when they are first used, so that `import plait` is quick and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from plait.api import compare as compare
    from plait.api import describe as describe
    from plait.api import evaluate as evaluate
    from plait.api import fit as fit
    from plait.api import load as load
    from plait.api import mask as mask
    from plait.api import match as match
    from plait.api import open_data as open_data
    from plait.api import recipe as recipe
    from plait.api import report as report
    from plait.core.config import Recipe as Recipe
    from plait.core.errors import PlaitError as PlaitError
    from plait.listing import list_names as list_names
    from plait.predict.loaded import Model as Model

_PUBLIC = {
    "Model": "plait.predict.loaded",
    "PlaitError": "plait.core.errors",
    "Recipe": "plait.core.config",
    "compare": "plait.api",
    "describe": "plait.api",
    "evaluate": "plait.api",
    "fit": "plait.api",
    "list_names": "plait.listing",
    "load": "plait.api",
    "mask": "plait.api",
    "match": "plait.api",
    "open_data": "plait.api",
    "recipe": "plait.api",
    "report": "plait.api",
}

__all__ = [
    "Model",
    "PlaitError",
    "Recipe",
    "__version__",
    "compare",
    "describe",
    "evaluate",
    "fit",
    "list_names",
    "load",
    "mask",
    "match",
    "open_data",
    "recipe",
    "report",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 40 ms that `import plait` need not spend

        return version("plait")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'plait' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, "__version__"})
