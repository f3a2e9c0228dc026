"""The ladder: seventeen cross-attentions of a textbook chapter, from bare dot products to levels of shared keys."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["RUNGS"]


def _rung(target: str, summary: str) -> Entry:
    return Entry(
        target=f"plait.fusion.ladder.{target}",
        family="ladder",
        paper="Multimodal Deep Learning, section 10.4.4 (dldna)",
        summary=summary,
        pairings=("itm", "all", "matched"),
        gives="grid",
    )


RUNGS: dict[str, Entry] = {
    "ladder/v0": _rung("bare:IndependentAttention", "bare dot-product attention, each direction by itself"),
    "ladder/v1": _rung("bare:SharedAttention", "bare attention, one matrix and its transpose"),
    "ladder/v2": _rung("normed:NormedAttention", "v1 + layer norm of the inputs"),
    "ladder/v3": _rung("normed:ResidualAttention", "v2 + what went in is added to what came out"),
    "ladder/v4": _rung("normed:ProjectedAttention", "v2 + a projection of each side"),
    "ladder/v5": _rung("normed:MixedAttention", "v2 + outputs are half input, half attended"),
    "ladder/v6": _rung("heads:QueryKeyValueAttention", "v2 + query, key and value projections, still one matrix"),
    "ladder/v7": _rung("heads:SharedHeads", "v6 + heads and output norm; both outputs carry words' values"),
    "ladder/v8": _rung("heads:IndependentHeads", "heads with one attention a direction, norms before and after"),
    "ladder/v9": _rung("feed:GatedFeedAttention", "v8 pre-norm + gated feed-forward with its own residual, dropout"),
    "ladder/v10_1": _rung("feed:SideProjections", "v9 + query, key and value projections of each side's own"),
    "ladder/v10_2": _rung("feed:CrossGate", "v9 + a small sigmoid gate on what was attended"),
    "ladder/v10_3": _rung("feed:ContextLayers", "v9 + a context layer of each side before attention"),
    "ladder/v10_4": _rung("levels:MultiQuery", "v9 + all heads share keys and values"),
    "ladder/v10_5": _rung("levels:Levels", "v9 + three levels of features, attended apart and weighted"),
    "ladder/v10_6": _rung("contrast:ContrastEnhanced", "v9 + the other side added by contrastive similarity"),
    "ladder/v11": _rung("levels:MultiQueryLevels", "v10_4 + v10_5: three levels, shared keys and values"),
}
