"""Matching runs as classifiers: classes become sentences, without training for them."""

from __future__ import annotations

__all__: list[str] = []
