"""Cached tokens of frozen encoders: `cache` builds and finds stores, `store` reads one, `shards` its files."""

from plait.data.tokens.cache import StoreInfo, build_store, cache_root, clear_stores, list_stores, open_store
from plait.data.tokens.store import TokenStore

__all__ = ["StoreInfo", "TokenStore", "build_store", "cache_root", "clear_stores", "list_stores", "open_store"]
