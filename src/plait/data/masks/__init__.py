"""Masks as data: `source` says which pixels are meant, `load` reads them and converts between image and encoder frame,
`region` draws COCO's polygons and run lengths, `verify` checks all masks of a collection once.
"""

__all__: list[str] = []
