"""Generated scenes: images of a few shapes whose captions need binding (which attribute belongs to which shape).

`draw` renders a scene, `words` writes what is true and false of it, `make` and `masks` put collections together.
"""

__all__: list[str] = []
