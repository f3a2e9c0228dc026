"""Errors: the tree as drawn, and the nearest name in words."""

from __future__ import annotations

import pickle

import pytest

from plait.core import errors
from plait.core.errors import ConfigError, PlaitError, UnknownNameError, nearest, shown


def test_every_error_is_a_plait_error_and_is_drawn_in_the_tree() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert len(kinds) == 11
    for kind in kinds:
        assert issubclass(kind, PlaitError)
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("name", "builtin"),
    [("ShapeError", ValueError), ("MissingPackageError", ImportError), ("StorageError", OSError)],
)
def test_errors_can_be_caught_as_their_builtin(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_nearest_offers_one_name_or_nothing() -> None:
    assert nearest("crosss", ["late", "cross", "concat"]) == "; did you mean 'cross'?"
    assert nearest("zzz", ["late", "cross"]) == ""
    assert nearest("late", []) == ""


def test_unknown_name_lists_what_is_known_in_order() -> None:
    error = UnknownNameError("fusion", "lat", iter(["late", "cross"]))
    assert str(error) == "unknown fusion 'lat'; did you mean 'late'?; known: cross, late"
    assert isinstance(error, errors.ConfigError)
    assert str(UnknownNameError("fusion", "x", [])) == "unknown fusion 'x'; known: none"


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_errors_reach_another_process_with_their_message(name: str) -> None:
    kind = getattr(errors, name)
    error = UnknownNameError("fusion", "lat", ["late"]) if kind is UnknownNameError else kind("what, and the fix")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) != ""


def test_long_words_are_cut_and_values_shown_short() -> None:
    said = str(ConfigError(f"no such name: {'x' * 5000} here"))
    assert len(said) < 400
    assert said.startswith("no such name: xxx")
    assert said.endswith("xxx here")
    path = "/".join(["folder"] * 100)
    assert str(ConfigError(path)) == path, "a path is no word that is too long"
    assert shown("a" * 100) == "'" + "a" * 56 + "..."
    assert shown(object()) == "a value of type object"
    assert shown(None) == "None"
