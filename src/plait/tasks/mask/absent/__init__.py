"""Phrases that are not in the image: drawn (`pairs`), and what a model does with them (`figures`)."""

__all__: list[str] = []
