"""Methods of explanation, one file each: from a `Subject` to the relevance of every cell, also word by word."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["METHODS"]

METHODS: dict[str, Entry] = {
    "occlusion": Entry(
        target="plait.explain.methods.occlusion:occlusion",
        family="perturbation",
        paper="Zeiler & Fergus 2014",
        summary="how much the answer falls when a cell is blanked; for a word, how much less of it the word adds",
    ),
    "gradient": Entry(
        target="plait.explain.methods.gradient:gradient",
        family="gradient",
        paper="Simonyan et al. 2014; Shrikumar et al. 2017",
        summary="gradient of the answer with respect to each cell, times the cell's difference from the mean cell",
    ),
    "integrated_gradients": Entry(
        target="plait.explain.methods.integrated:integrated_gradients",
        family="gradient",
        paper="Sundararajan et al. 2017",
        summary="the gradient averaged on the way from a blank image to the image; adds up to the answer's change",
    ),
    "attention": Entry(
        target="plait.explain.methods.attention:attention",
        family="attention",
        paper="-",
        summary="what words attended to in the last layer, mean over heads",
    ),
    "rollout": Entry(
        target="plait.explain.methods.rollout:rollout",
        family="attention",
        paper="Abnar & Zuidema 2020",
        summary="attention of all layers, multiplied along the layers with the residual path",
    ),
    "gradient_attention": Entry(
        target="plait.explain.methods.gradient_attention:gradient_attention",
        family="attention",
        paper="Chefer et al. 2021",
        summary="attention of all layers, weighted by its positive gradients before heads are averaged",
    ),
}
