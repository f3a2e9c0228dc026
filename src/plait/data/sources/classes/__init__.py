"""Readers of images with a class: one folder per class, tables, CIFAR."""

from __future__ import annotations

__all__: list[str] = []
