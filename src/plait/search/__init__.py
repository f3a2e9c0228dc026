"""Finding candidates and ranking them again: what a deep fusion's scores, which cannot be indexed, are read through."""
