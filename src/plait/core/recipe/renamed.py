"""Keys and names of earlier versions: what they are called now. Imports no torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

__all__ = ["FUSIONS", "KEYS", "RenamedWarning", "renamed"]

# table -> old key -> new key
KEYS = {"train": {"captions_a_photo": "captions_per_image"}}
# how an old fusion name begins -> how the new one does
FUSIONS = {"chapter/": "textbook/"}


class RenamedWarning(UserWarning):
    """A recipe or a run uses a name of an earlier version."""


def renamed(recipe: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give a recipe's plain data with today's keys and names; each old one is warned of, once.

    What is not a table where one is expected stays as it is: the checks that follow name it.
    """
    said: dict[str, str] = {}
    found = {key: _keys(key, value, said) for key, value in recipe.items()}
    fusion = found.get("fusion")
    if isinstance(fusion, Mapping):
        found["fusion"] = _fusion(fusion, said)
    variants = found.get("variants")
    if isinstance(variants, Mapping):
        found["variants"] = {_name(label, said): _fusion(own, said) for label, own in variants.items()}
    for old, new in said.items():
        warnings.warn(f"{where}: {old} is called {new} now", RenamedWarning, stacklevel=3)
    return found


def _keys(table: str, value: Any, said: dict[str, str]) -> Any:
    known = KEYS.get(table, {})
    if not isinstance(value, Mapping) or not known.keys() & value.keys():
        return value
    # Where both names are given, one would be lost: the old one stays, and is then an unknown key.
    old = {key: new for key, new in known.items() if key in value and new not in value}
    said |= {f"key '{table}.{key}'": f"'{table}.{old[key]}'" for key in value if key in old}
    return {old.get(key, key): own for key, own in value.items()}


def _fusion(settings: Any, said: dict[str, str]) -> Any:
    """Rename a table of fusion settings: its name, and the decoder of masks, which is the head's name."""
    if not isinstance(settings, Mapping):
        return settings
    found = dict(settings)
    if isinstance(found.get("name"), str):
        found["name"] = _name(found["name"], said)
    decoder = found.pop("decoder", "")
    if decoder and isinstance(found.get("head", {}), Mapping):
        said["key 'fusion.decoder'"] = "'name' in the table 'fusion.head'"
        found["head"] = {"name": decoder, **found.get("head", {})}
    return found


def _name(name: str, said: dict[str, str]) -> str:
    for old, new in FUSIONS.items():
        if name.startswith(old):
            said[f"fusion {name!r}"] = repr(new + name.removeprefix(old))
            return new + name.removeprefix(old)
    return name
