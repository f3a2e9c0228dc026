"""Ways to damage a file, each by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from plait.train.checkpoint import read_tensors, write_tensors

__all__ = ["DAMAGES", "EDITS"]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _noise(path: Path) -> None:
    path.write_bytes(b"this is neither JSON nor a weight file \x00\xff\xfe")


def _object(path: Path) -> None:
    path.write_bytes(b"{}")


def _list(path: Path) -> None:
    path.write_bytes(b"[]")


def _null(path: Path) -> None:
    path.write_bytes(b"null")


def _brackets(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("elsewhere"))


def _ring(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _absent(path: Path) -> None:
    path.unlink()


def _not_a_number(path: Path) -> None:
    """Every figure is NaN, and the file is well-formed otherwise."""
    if path.suffix == ".safetensors":
        tensors, metadata = read_tensors(path)
        spoiled = {n: torch.full_like(t, float("nan")) if t.is_floating_point() else t for n, t in tensors.items()}
        write_tensors(path, spoiled, metadata)
    elif path.suffix == ".json":
        path.write_text(json.dumps(_figures(json.loads(path.read_text(encoding="utf-8")), float("nan"))))
    else:
        path.write_bytes(b'{"loss": NaN}\n' * 3)


def _other_version(path: Path) -> None:
    """As a later version might write it: unknown keys, other names of tensors."""
    if path.suffix == ".safetensors":
        tensors, metadata = read_tensors(path)
        write_tensors(path, {f"later.{name}": tensor for name, tensor in tensors.items()}, metadata)
    elif path.suffix == ".json":
        plain = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(plain, dict):
            plain = {**plain, "plait": "99.0.0", "layout": 7}
            if isinstance(plain.get("recipe"), dict):
                plain["recipe"] = {**plain["recipe"], "later_key": {"a": 1}}
            if isinstance(plain.get("settings"), dict):
                plain["settings"] = {**plain["settings"], "later_key": {"a": 1}}
        path.write_text(json.dumps(plain), encoding="utf-8")
    else:
        path.write_bytes(b'{"plait": "99.0.0"}\n')


def _too_large(path: Path) -> None:
    """Figures that cannot be: 9999 % in each."""
    path.write_text(json.dumps(_figures(json.loads(path.read_text(encoding="utf-8")), 9999.0)), encoding="utf-8")


def _figures(plain: Any, value: float) -> Any:
    if isinstance(plain, dict):
        return {key: _figures(inner, value) for key, inner in plain.items()}
    if isinstance(plain, list):
        return [_figures(inner, value) for inner in plain]
    return value if isinstance(plain, float) else plain


# What is done to any file.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": _empty,
    "truncated": _truncated,
    "noise": _noise,
    "object": _object,
    "list": _list,
    "null": _null,
    "brackets": _brackets,
    "folder": _folder,
    "broken_link": _broken_link,
    "ring": _ring,
    "absent": _absent,
    "nan": _not_a_number,
    "version": _other_version,
}
# What is done to a JSON file of figures only.
EDITS: dict[str, Callable[[Path], None]] = {"too_large": _too_large}
