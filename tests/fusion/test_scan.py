"""Stacked cross-attention against the published formula, computed one caption and one image at a time."""

import math

import pytest
import torch
from torch import Tensor

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.fusion.stacked.scan import ScanBoth, ScanImageToText, ScanTextToImage, stacked_attention
from plait.heads.match import SimilarityHead


def ragged(rows: int, n: int, seed: int, width: int = 8) -> Tokens:
    values = torch.randn(rows, n, width, generator=torch.Generator().manual_seed(seed))
    valid = torch.arange(n)[None] < torch.tensor([n - row % 3 for row in range(rows)])[:, None]
    return Tokens(values, valid)


def published(query: Tensor, key: Tensor, smooth: float) -> list[float]:
    """Give each query's cosine with its context for one pair without padding, in plain Python loops."""
    q = [row / row.norm() for row in query.double()]
    k = [row / row.norm() for row in key.double()]
    clipped = [[float(a @ b) if a @ b > 0 else 0.1 * float(a @ b) for b in k] for a in q]
    norms = [math.sqrt(sum(clipped[i][j] ** 2 for i in range(len(q)))) for j in range(len(k))]
    cosines = []
    for i, vector in enumerate(q):
        raised = [math.exp(smooth * clipped[i][j] / norms[j]) for j in range(len(k))]
        context = sum(weight / sum(raised) * part for weight, part in zip(raised, k, strict=True))
        cosines.append(float(vector @ context / context.norm()))
    return cosines


def test_both_directions_equal_the_published_loops() -> None:
    text, image = ragged(4, 6, seed=0), ragged(3, 5, seed=1)
    words, regions = ScanTextToImage(8), ScanImageToText(8)
    t2i, i2t = words.similarities(text, image), regions.similarities(text, image)
    assert t2i.values.shape == (3, 4, 6)
    assert i2t.values.shape == (3, 4, 5)
    for b in range(3):
        for c in range(4):
            caption, photo = text.values[c][text.valid[c]], image.values[b][image.valid[b]]
            by_words = published(caption, photo, 9.0)
            by_regions = published(photo, caption, 4.0)
            assert t2i.values[b, c, : len(caption)].tolist() == pytest.approx(by_words, abs=1e-5)
            assert i2t.values[b, c, : len(photo)].tolist() == pytest.approx(by_regions, abs=1e-5)
            both = (sum(by_words) / len(by_words) + sum(by_regions) / len(by_regions)) / 2
            ensemble = SimilarityHead().pool(ScanBoth(8).similarities(text, image)).values
            assert ensemble[b, c].item() == pytest.approx(both, abs=1e-5)


def test_attention_worked_by_hand() -> None:
    # one word along x; regions along x and y: cosines 1 and 0, norms over the one word 1 and 0
    word = Tokens(torch.tensor([[[3.0, 0.0]]]), torch.tensor([[True]]))
    regions = Tokens(torch.tensor([[[2.0, 0.0], [0.0, 5.0]]]), torch.tensor([[True, True]]))
    context, weights = stacked_attention(word, regions, temperature=2.0)
    first = math.e**2 / (math.e**2 + 1)
    assert weights.flatten().tolist() == pytest.approx([first, 1 - first], abs=1e-6)
    assert context.flatten().tolist() == pytest.approx([first, 1 - first], abs=1e-6)


def test_fused_tokens_keep_the_queries() -> None:
    text, image = ragged(3, 4, seed=2), ragged(3, 5, seed=3)
    words, regions = ScanTextToImage(8)(text, image), ScanImageToText(8)(text, image)
    assert torch.equal(words.text.values, text.values)
    assert torch.equal(words.image.valid, text.valid)
    assert torch.equal(regions.image.values, image.values)
    assert torch.equal(regions.text.valid, image.valid)


def test_a_higher_temperature_attends_more_sharply() -> None:
    text, image = ragged(3, 4, seed=2), ragged(3, 5, seed=3)
    mild, sharp = (ScanTextToImage(8, temperature=t)(text, image, maps=True).maps[0].weights for t in (2.0, 30.0))
    assert sharp.amax(-1).mean() > mild.amax(-1).mean() + 0.2


def test_temperature_is_checked() -> None:
    for make in (ScanTextToImage, ScanImageToText):
        with pytest.raises(ConfigError, match=r"temperature.*above 0.*0"):
            make(8, temperature=0.0)
    with pytest.raises(ConfigError, match="'scan_i2t', temperature"):
        ScanBoth(8, i2t_temperature=-1.0)
