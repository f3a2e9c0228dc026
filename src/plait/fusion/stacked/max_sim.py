"""Late interaction: each query is compared with its most similar key."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Modality, Similarities, Tokens
from plait.fusion.base.aligned import both_directions, both_similarities, image_queries, text_queries
from plait.fusion.base.fusion import SimilarityFusion
from plait.nn.pairs import max_similarities, unit_vectors

__all__ = ["MaxSimFusion"]


class MaxSimFusion(SimilarityFusion):
    """Align each word with its most similar region (or each region with its word, or both).

    Formula: context_q = key_k*, k* = argmax over real keys of cos(query_q, key_k). The head reads cos(query_q,
    context_q) = max_k cos(query_q, key_k) and pools over real queries.

    Arguments:
        width:     D of both sides
        direction: "t2i" (words as queries), "i2t" (regions as queries) or "two_way" (the mean of both means)
        project:   learn one linear map per side first; without, the adapters' space is compared as it is
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with aligned tokens: (B, T, D) for t2i, (B, P, D) for i2t, (B, 2, max(T, P) * D) for two_way (see
                 `both_directions`); maps, if requested: one head, one-hot rows
    Raises:
        ConfigError: an unknown direction.
    Source: Khattab & Zaharia 2020 (ColBERT, t2i with the head's pool "sum"); Yao et al. 2022 (FILIP, two_way with
    means). Differs: FILIP trains each direction with its own softmax; here both are averaged into one score.
    """

    tested_options = ({"direction": "i2t"}, {"direction": "two_way", "project": True})

    def __init__(self, width: int, *, direction: str = "t2i", project: bool = False) -> None:
        super().__init__()
        if direction not in ("t2i", "i2t", "two_way"):
            raise ConfigError(f"fusion 'max_sim', direction: expected t2i, i2t or two_way, got {direction!r}")
        self.direction = direction
        self.text_project = nn.Linear(width, width, bias=False) if project else None
        self.image_project = nn.Linear(width, width, bias=False) if project else None

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        text, image = self._projected(text, image)
        shown: list[AttentionMap] = []
        if self.direction != "i2t":
            context, weights = _nearest(text, image)
            words = text_queries(text, context)
            shown.append(_map(weights, "text", "image"))
        if self.direction != "t2i":
            context, weights = _nearest(image, text)
            regions = image_queries(image, context)
            shown.append(_map(weights, "image", "text"))
        if self.direction == "two_way":
            joint = both_directions(words, regions)
            return Fused(joint.text, joint.image, tuple(shown) if maps else ())
        aligned = words if self.direction == "t2i" else regions
        return Fused(*aligned, tuple(shown) if maps else ())

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, T), (B, C, P) or (B, C, 2)."""
        text, image = self._projected(text, image)
        if self.direction == "t2i":
            return _all_words(text, image)
        if self.direction == "i2t":
            return _all_regions(text, image)
        return both_similarities(_all_words(text, image), _all_regions(text, image))

    def _projected(self, text: Tokens, image: Tokens) -> tuple[Tokens, Tokens]:
        if self.text_project is None or self.image_project is None:
            return text, image
        words, regions = self.text_project(text.values), self.image_project(image.values)
        return Tokens(words, text.valid), Tokens(regions, image.valid, image.grid, image.boxes)


def _all_words(text: Tokens, image: Tokens) -> Similarities:
    values = max_similarities(text.values, text.valid, image.values, image.valid)
    return Similarities(values.transpose(0, 1), text.valid[None])


def _all_regions(text: Tokens, image: Tokens) -> Similarities:
    values = max_similarities(image.values, image.valid, text.values, text.valid)
    return Similarities(values, image.valid[:, None])


def _nearest(query: Tokens, key: Tokens) -> tuple[Tensor, Tensor]:
    """Give each query's nearest real key (B, Q, D) and the one-hot choice (B, Q, K); zeros if no key is real."""
    cosine = unit_vectors(query.values) @ unit_vectors(key.values).transpose(1, 2)
    best = cosine.masked_fill(~key.valid[:, None], float("-inf")).argmax(-1)
    weights = F.one_hot(best, key.values.shape[1]).to(cosine) * key.valid[:, None]
    index = best[..., None].expand(-1, -1, key.values.shape[-1])
    return torch.gather(key.values, 1, index) * key.valid.any(1)[:, None, None], weights


def _map(weights: Tensor, query: Modality, key: Modality) -> AttentionMap:
    return AttentionMap(weights[:, None], query, key)
