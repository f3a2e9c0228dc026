"""Names that saved weights of fusions and heads had in earlier versions."""

from __future__ import annotations

__all__ = ["RENAMED"]

RENAMED: tuple[tuple[str, str], ...] = ()
