"""Data sets, photos, words, batches, and the cache of what frozen encoders make of them."""

__all__: list[str] = []
