"""Stacked cross-attention (SCAN): each query is compared with the mixture of keys that it attends to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import AttentionMap, Fused, Similarities, Tokens
from plait.fusion.base.aligned import both_directions, both_similarities, image_queries, text_queries
from plait.fusion.base.fusion import SimilarityFusion
from plait.nn.pairs import stacked_similarities, unit_vectors

__all__ = ["ScanBoth", "ScanImageToText", "ScanTextToImage", "stacked_attention"]

# Below zero a similarity keeps a tenth, as in the authors' code: a word unlike every region still has a gradient.
SLOPE = 0.1


class ScanTextToImage(SimilarityFusion):
    """Let each word attend to the regions, and compare it with its context.

    Formula: s_qk = cos(word_q, region_k);  r_qk = leaky_relu(s_qk, 0.1);  n_qk = r_qk / |r_.k| over real words;
        context_q = sum_k softmax_k(temperature * n_qk) * region_k / |region_k| over real regions.
    The head reads cos(word_q, context_q) and pools over real words: mean, or LogSumExp with lse_scale 6.

    Arguments:
        width:       D of both sides; nothing is learned here, the adapters make the common space
        temperature: sharpness of the attention (the paper's lambda_1)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with the words (B, T, D) on the text side and their contexts (B, T, D) on the image side, both
                 with the words' mask; maps, if requested: one head, words over regions
    Raises:
        ConfigError: temperature is not above 0.
    Source: Lee et al. 2018, section 3.1, and the authors' code (slope 0.1, temperature 9). Differs: any tokens serve as
    regions, not detections alone; padding neither attends nor counts in the norm, without a loop over captions; gives
    the per-word cosines to the head, which pools.
    Relations: `similarities` is the same formula by algebra, without a context; a test holds both equal.
    """

    def __init__(self, width: int, *, temperature: float = 9.0) -> None:
        super().__init__()
        self.temperature = _checked("scan_t2i", temperature)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        context, weights = stacked_attention(text, image, temperature=self.temperature)
        shown = (AttentionMap(weights[:, None], "text", "image"),) if maps else ()
        return Fused(*text_queries(text, context), shown)

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, T)."""
        return _all_words(text, image, self.temperature)


class ScanImageToText(SimilarityFusion):
    """Let each region attend to the words, and compare it with its context.

    Formula: as `ScanTextToImage` with regions as queries and words as keys; LogSumExp with lse_scale 5.

    Arguments:
        width:       D of both sides; nothing is learned here
        temperature: sharpness of the attention (the paper's lambda_1)
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with the contexts (B, P, D) on the text side and the regions (B, P, D) on the image side, both
                 with the regions' mask; maps, if requested: one head, regions over words
    Raises:
        ConfigError: temperature is not above 0.
    Source: Lee et al. 2018, section 3.2, and the authors' code (temperature 4). Differs: as `ScanTextToImage`.
    """

    def __init__(self, width: int, *, temperature: float = 4.0) -> None:
        super().__init__()
        self.temperature = _checked("scan_i2t", temperature)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        context, weights = stacked_attention(image, text, temperature=self.temperature)
        shown = (AttentionMap(weights[:, None], "image", "text"),) if maps else ()
        return Fused(*image_queries(image, context), shown)

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, P)."""
        return _all_regions(text, image, self.temperature)


class ScanBoth(SimilarityFusion):
    """Average both directions of stacked cross-attention.

    Formula: (mean over words of cos(word, its context) + mean over regions of cos(region, its context)) / 2.

    Arguments:
        width:           D of both sides; nothing is learned here
        t2i_temperature: of the words' attention
        i2t_temperature: of the regions' attention
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with two tokens per side, one per direction, (B, 2, max(T, P) * D) (see `both_directions`);
                 maps, if requested: words over regions, then regions over words
    Requirements: the head's pool "mean"; each direction is already a mean.
    Raises:
        ConfigError: a temperature is not above 0.
    Source: Lee et al. 2018, section 4.3, "SCAN ensemble". Differs: the paper averages the scores of two models trained
    apart; here one model is trained on the average, at half the parameters. Means in both directions, no LogSumExp.
    """

    def __init__(self, width: int, *, t2i_temperature: float = 9.0, i2t_temperature: float = 4.0) -> None:
        super().__init__()
        self.words = ScanTextToImage(width, temperature=t2i_temperature)
        self.regions = ScanImageToText(width, temperature=i2t_temperature)

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        words = self.words(text, image, maps=maps)
        regions = self.regions(text, image, maps=maps)
        joint = both_directions((words.text, words.image), (regions.text, regions.image))
        return Fused(joint.text, joint.image, words.maps + regions.maps)

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, 2), one per direction."""
        return both_similarities(self.words.similarities(text, image), self.regions.similarities(text, image))


def stacked_attention(query: Tokens, key: Tokens, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Attend by clipped similarities, normalised over the queries.

    Formula: s = cos(query, key); c = leaky_relu(s, 0.1), 0 for padded queries; n = c / |c| over queries;
    weights = softmax over real keys of temperature * n; context = weights @ (key / |key|).

    Shapes:
        query:   Tokens (B, Q, D); key: Tokens (B, K, D)
        returns: context (B, Q, D) and weights (B, Q, K) in [0, 1], rows sum to 1 over real keys (0 if none is)
    Source: `func_attention` in the authors' code; see `ScanTextToImage`.
    """
    unit_key = unit_vectors(key.values)
    # Under autocast the product is in half precision; the norm and the softmax are not left there.
    cosine = (unit_vectors(query.values) @ unit_key.transpose(1, 2)).to(unit_key.dtype)
    clipped = F.leaky_relu(cosine, SLOPE) * query.valid[..., None]
    shared = F.normalize(clipped, dim=1)
    logits = (temperature * shared).masked_fill(~key.valid[:, None], torch.finfo(cosine.dtype).min)
    weights = logits.softmax(-1) * key.valid[:, None]
    return weights @ unit_key, weights


def _all_words(text: Tokens, image: Tokens, temperature: float) -> Similarities:
    values = stacked_similarities(text.values, text.valid, image.values, image.valid, temperature=temperature)
    return Similarities(values.transpose(0, 1), text.valid[None])


def _all_regions(text: Tokens, image: Tokens, temperature: float) -> Similarities:
    values = stacked_similarities(image.values, image.valid, text.values, text.valid, temperature=temperature)
    return Similarities(values, image.valid[:, None])


def _checked(name: str, temperature: float) -> float:
    if not temperature > 0:
        raise ConfigError(f"fusion {name!r}, temperature: expected a value above 0, got {temperature}")
    return temperature
