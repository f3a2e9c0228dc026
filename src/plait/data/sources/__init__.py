"""Readers of data sets, one file a format; `data/open.py` picks the one that fits."""

from plait.core.tables import Entry

__all__ = ["SOURCES"]

SOURCES: dict[str, Entry] = {
    "folder": Entry(
        "plait.data.sources.folder:open_folder",
        "files",
        "-",
        "a folder with images/, captions.csv (image,caption) and, if there is one, splits.json",
    ),
    "rows": Entry(
        "plait.data.sources.rows:open_rows",
        "files",
        "Hodosh et al. 2013 (Flickr8k)",
        "image,caption rows: CSV, TSV, JSON, JSONL, Flickr's token.txt; with or without a header row",
    ),
    "coco": Entry(
        "plait.data.sources.coco:open_coco",
        "files",
        "Chen et al. 2015 (COCO captions)",
        "a captions JSON with images[] and annotations[]",
    ),
    "hub": Entry(
        "plait.data.sources.hub:open_hub",
        "hub",
        "Lhoest et al. 2021 (datasets)",
        "hub:NAME, a folder written by save_to_disk, or a parquet file, with image and caption columns",
    ),
    "scenes": Entry(
        "plait.data.scenes:generate",
        "generated",
        "-",
        "scenes or scenes:COUNT: generated shapes whose captions need binding to be told apart",
    ),
}
