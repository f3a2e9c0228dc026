"""The ladder: seventeen versions of cross-attention from a textbook (Park 2025), v0 to v11.

They begin with bare dot products and end with several levels of features that share keys and values.
"""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["LADDER"]


def _version(target: str, summary: str) -> Entry:
    return Entry(
        target=f"plait.fusion.ladder.{target}",
        family="ladder",
        paper="Park 2025, Deep Learning DNA, section 10.4.4",
        summary=summary,
        pairings=("itm", "rerank", "all", "matched"),
        gives="grid",
    )


LADDER: dict[str, Entry] = {
    "ladder/v0": _version("bare:IndependentAttention", "bare dot-product attention, each direction by itself"),
    "ladder/v1": _version("bare:SharedAttention", "bare attention, one matrix and its transpose"),
    "ladder/v2": _version("normed:NormedAttention", "v1 + layer norm of the inputs"),
    "ladder/v3": _version("normed:ResidualAttention", "v2 + the input is added to the output"),
    "ladder/v4": _version("normed:ProjectedAttention", "v2 + a projection of each side"),
    "ladder/v5": _version("normed:MixedAttention", "v2 + outputs are half input, half attended"),
    "ladder/v6": _version("heads:QueryKeyValueAttention", "v2 + query, key and value projections, still one matrix"),
    "ladder/v7": _version("heads:SharedHeads", "v6 + heads and output norm; both outputs carry words' values"),
    "ladder/v8": _version("heads:IndependentHeads", "heads with one attention per direction, norms before and after"),
    "ladder/v9": _version(
        "feed_forward:GatedFeedForwardAttention", "v8 pre-norm + gated feed-forward with its own residual, dropout"
    ),
    "ladder/v10_1": _version("feed_forward:SideProjections", "v9 + query, key and value projections for each side"),
    "ladder/v10_2": _version("feed_forward:CrossGate", "v9 + a small sigmoid gate on the attended vectors"),
    "ladder/v10_3": _version("feed_forward:ContextLayers", "v9 + a context layer for each side before attention"),
    "ladder/v10_4": _version("levels:MultiQuery", "v9 + all heads share keys and values"),
    "ladder/v10_5": _version("levels:Levels", "v9 + three levels of features, attended apart and weighted"),
    "ladder/v10_6": _version("contrast:ContrastEnhanced", "v9 + the other side added by contrastive similarity"),
    "ladder/v11": _version("levels:MultiQueryLevels", "v10_4 + v10_5: three levels, shared keys and values"),
}
