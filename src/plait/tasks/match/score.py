"""Scores of texts with images: of chosen pairs, of all pairs, and of aligned rows that are fused first.

Training scores at the precision of the loop. Evaluation passes `exact=True`: fusions still run at that precision, but
what turns their output into scores runs in float32, because a score that is rounded to 8 bits ties with its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Tokens
from plait.fusion.base.fusion import SimilarityFusion
from plait.fusion.base.pairs import TOKENS_PER_CHUNK, fuse_in_chunks
from plait.heads.match import SimilarityHead
from plait.model import FusionModel
from plait.nn.pairs import cosine_similarities
from plait.nn.pooling import masked_mean
from plait.task import Progress

__all__ = [
    "FullScores",
    "SplitScores",
    "compare_sides",
    "fused_sides",
    "has_algebra",
    "score_all",
    "score_by_algebra",
    "score_in_chunks",
    "score_pairs",
    "shortened",
    "widened_tokens",
]

CAPTIONS_PER_CHUNK = 200
IMAGES_PER_CHUNK = 250


@dataclass(frozen=True, eq=False)
class SplitScores:
    """Scores of a split, one matrix per direction of search.

    Fields:
        text_to_image: (I, C) float32, to rank images (rows) for each caption (column)
        image_to_text: (I, C) float32, to rank captions for each image. The same matrix as `text_to_image` unless the
                       pairing re-ranks each direction's own candidates.
        kind:          what the numbers are: "cosine", "logit", "log-odds, top k re-ranked" or "cosine of matched pairs"
        candidates:    where a fused head re-ranks: by "towers" the scores of the first stage, by "fused" both matrices
                       with each query's candidates in the order of the head's logit alone, and by "random" with all
                       candidates equal; else empty
        flags:         ("leaky",) where pairs were fused before they were scored, so that the scores know the answer
    """

    text_to_image: Tensor
    image_to_text: Tensor
    kind: str
    candidates: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FullScores:
    """Scores of every image with every text, no candidates cut.

    Fields:
        values:   (I, C) float32
        log_odds: (I, C) float32, the same as log-odds of a match, up to a constant per row and per column
        kind:     what `values` are: "cosine", "logit" or "log-odds"
    """

    values: Tensor
    log_odds: Tensor
    kind: str


def has_algebra(model: FusionModel) -> bool:
    """Whether the model's fusion scores all pairs by algebra instead of fusing every pair."""
    return isinstance(model.fusion, SimilarityFusion)


def score_all(model: FusionModel, text: Tokens, image: Tokens, *, exact: bool = False) -> Tensor:
    """Score every image with every caption through fusion and head.

    Formula: s[b, c] = read(fuse(text c, image b)). A fusion with an all-pairs algebra uses it; with any other, pairs
        are fused in chunks. A contract test holds both equal.

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D); returns (B, C) float.
    """
    if isinstance(model.fusion, SimilarityFusion):
        return score_by_algebra(model.fusion, model.head, text, image, exact=exact)
    images, captions, device = len(image), len(text), text.values.device
    image_row = torch.arange(images, device=device).repeat_interleave(captions)
    text_row = torch.arange(captions, device=device).repeat(images)
    return score_pairs(model, text, image, text_row=text_row, image_row=image_row, exact=exact).view(images, captions)


def score_pairs(
    model: FusionModel, text: Tokens, image: Tokens, *, text_row: Tensor, image_row: Tensor, exact: bool = False
) -> Tensor:
    """Score chosen pairs through fusion and head: text row text_row[m] with image row image_row[m].

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D), text_row and image_row (M,) int64; returns (M,) float.
    Raises:
        ShapeError: the two lists differ in length.
    """
    if text_row.shape != image_row.shape:
        raise ShapeError(
            f"expected as many text as image rows, got {tuple(text_row.shape)} and {tuple(image_row.shape)}"
        )
    if not len(text_row):
        return _wide(text.values).new_zeros(0)
    places, scores = [], []
    for place, fused in fuse_in_chunks(model.fusion, text, image, text_row=text_row, image_row=image_row):
        places.append(place)
        scores.append(_read(model, fused, exact=exact))
    values = torch.cat(scores)
    return values.new_zeros(len(values)).index_put((torch.cat(places),), values)


def score_by_algebra(
    fusion: SimilarityFusion, head: nn.Module, text: Tokens, image: Tokens, *, exact: bool = False
) -> Tensor:
    """Score every image with every caption by the fusion's algebra.

    Shapes: text Tokens (C, T, D), image Tokens (B, P, D); returns (B, C) float.
    Raises:
        ConfigError: the head does not read similarities.
    """
    if not isinstance(head, SimilarityHead):
        raise ConfigError(
            f"{type(fusion).__name__} gives similarities; expected the head 'similarity', got {type(head).__name__}"
        )
    if not exact:
        return head.pool(fusion.similarities(text, image)).values
    with _autocast_off(text):
        return head.pool(fusion.similarities(widened_tokens(text), widened_tokens(image))).values


def fused_sides(model: FusionModel, text: Tokens, image: Tokens, *, exact: bool = False) -> tuple[Tensor, Tensor]:
    """Fuse row i of the text with row i of the image and give each side's mean token: text (N, D), image (N, D).

    Shapes: text Tokens (N, T, D), image Tokens (N, P, D).
    Raises:
        ShapeError: the sides differ in length.
    """
    if len(text) != len(image):
        raise ShapeError(
            f"row i is fused with row i: expected as many texts as images, got {len(text)} and {len(image)}; repeat an "
            "image for each of its captions"
        )
    step = max(1, TOKENS_PER_CHUNK // (text.values.shape[1] + image.values.shape[1]))
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for rows in torch.arange(len(text), device=text.values.device).split(step):
        fused = model.fuse(text.take(rows), image.take(rows))
        for side, tokens in zip(sides, (fused.text, fused.image), strict=True):
            side.append(masked_mean(_wide(tokens.values) if exact else tokens.values, tokens.valid))
    return torch.cat(sides[0]), torch.cat(sides[1])


def compare_sides(text: Tensor, image: Tensor, *, exact: bool = False) -> Tensor:
    """Give the cosine of every image's vector with every text's: text (C, D), image (B, D) -> (B, C) float."""
    if not exact:
        return cosine_similarities(text, image)
    with torch.autocast(text.device.type, enabled=False):
        return cosine_similarities(_wide(text), _wide(image))


def score_in_chunks(
    score: Callable[[Tokens, Tokens], Tensor], text: Tokens, image: Tokens, *, progress: Progress | None = None
) -> Tensor:
    """Score every image with every caption in chunks of captions of like length, so that padding costs little.

    Arguments:
        score:    (C', T', D) and (I', P, D) Tokens -> (I', C')
        progress: called with captions done and in all
    Shapes: text Tokens (C, T, D), image Tokens (I, P, D); returns (I, C) float32 (float64 for float64).
    """
    by_length = text.valid.sum(1).argsort()
    out = _wide(text.values.new_empty(0)).new_empty(len(image), len(text))
    image_rows = torch.arange(len(image), device=image.values.device).split(IMAGES_PER_CHUNK)
    for done, columns in enumerate(by_length.split(CAPTIONS_PER_CHUNK)):
        chunk = shortened(text.take(columns))
        for rows in image_rows:
            out[rows[:, None], columns] = score(chunk, image.take(rows)).to(out.dtype)
        if progress is not None:
            progress(min((done + 1) * CAPTIONS_PER_CHUNK, len(text)), len(text))
    return out


def shortened(tokens: Tokens) -> Tokens:
    """Cut columns that are padding in every row: Tokens (B, N, D) -> Tokens (B, N' <= N, D)."""
    places = torch.arange(1, tokens.valid.shape[1] + 1, device=tokens.valid.device)
    longest = max(1, int((tokens.valid * places).max()))
    return replace(tokens, values=tokens.values[:, :longest], valid=tokens.valid[:, :longest])


def widened_tokens(tokens: Tokens) -> Tokens:
    """Give tokens (B, N, D) and their summaries as float32 (float64 stays); finer levels as they are."""
    pooled = None if tokens.pooled is None else _wide(tokens.pooled)
    return replace(tokens, values=_wide(tokens.values), pooled=pooled)


def _read(model: FusionModel, fused: Fused, *, exact: bool) -> Tensor:
    if not exact:
        scores: Tensor = model.read(fused).values
        return scores
    with _autocast_off(fused.text):
        exact_scores: Tensor = model.read(
            replace(fused, text=widened_tokens(fused.text), image=widened_tokens(fused.image))
        ).values
        return exact_scores


def _autocast_off(tokens: Tokens) -> torch.autocast:
    return torch.autocast(tokens.values.device.type, enabled=False)


def _wide(values: Tensor) -> Tensor:
    """Give float32, or float64 where the values are."""
    return values if values.dtype == torch.float64 else values.float()
