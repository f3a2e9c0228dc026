"""Readers of questions about images with their answers, one file per format."""

__all__: list[str] = []
