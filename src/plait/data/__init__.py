"""Data sets: readers of every format, collections of images and captions, splits, masks, batches, cached tokens.

`open` chooses a reader of `sources`; `assemble` makes a `collection` of what it read, with the help of `finder` (image
files) and `splits`; `verify` decodes everything once; `batch` gives tensors, from `images`, `text` and `tokens`.
`masks` are the regions that texts refer to, `scenes` generated data, `describe` and `fingerprints` facts about data.
"""

__all__: list[str] = []
