"""The textbook's other designs: what they read, and what comparing a pair with itself gives away."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from plait.build import expand_fusions, tokens_seen
from plait.core.config import FusionSettings
from plait.core.tables import load_entry
from plait.core.types import Tokens
from plait.fusion import FUSIONS
from plait.nn.pooling import masked_mean


def design(name: str, width: int = 16, **options: int) -> nn.Module:
    torch.manual_seed(0)
    module: nn.Module = load_entry(FUSIONS[f"textbook/{name}"])(width, **options)
    return module.eval()


def pair(rows: int = 3, words: int = 4, regions: int = 6, width: int = 16) -> tuple[Tokens, Tokens]:
    generator = torch.Generator().manual_seed(1)
    text, image = (torch.randn(rows, n, width, generator=generator) for n in (words, regions))
    words_valid = torch.ones(rows, words).bool()
    words_valid[0, -1] = words < 2
    return Tokens(text, words_valid), Tokens(image, torch.ones(rows, regions).bool())


def test_the_family() -> None:
    assert expand_fusions(["textbook"]) == [name for name in FUSIONS if name.startswith("textbook/")]
    assert len(expand_fusions(["textbook"])) == 4
    assert tokens_seen(FusionSettings(name="textbook/multimodal_embedding")) == "pooled"


@pytest.mark.parametrize("rows_named", [False, True])
def test_attended_vectors_replace_the_words(rows_named: bool) -> None:
    fusion = design("cross_modal_attention", heads=2)
    text, image = pair()
    row = torch.tensor([2, 0, 0])
    if rows_named:
        words, regions = fusion.prepare_text(text), fusion.prepare_image(image)
        fused = fusion.meet(words.with_rows(torch.arange(3)), regions.with_rows(row))
        image = image.take(row)
    else:
        fused = fusion(text, image)
    queries, regions = fusion.text_project(text.values), fusion.image_project(image.values)
    expected, _ = fusion.attention(queries, regions, image.valid)
    torch.testing.assert_close(fused.text.values, expected)
    kept = fused.image.values if fused.image_row is None else fused.image.values[fused.image_row]
    torch.testing.assert_close(kept, regions)


def test_one_word_attends_to_one_region_whatever_the_word() -> None:
    fusion = design("cross_modal_attention")
    text, image = pair(words=1, regions=1)
    other = Tokens(text.values.flip(0), text.valid)
    torch.testing.assert_close(fusion(text, image).text.values, fusion(other, image).text.values)


def test_hierarchical_is_the_mean_of_tokens_laid_side_by_side() -> None:
    """Printed for as many words as regions: concatenate token by token, project; then the mean over tokens."""
    fusion = design("hierarchical", heads=2)
    text, image = pair(words=5, regions=5)
    text = Tokens(text.values, image.valid)
    x, y, valid = text.values, image.values, image.valid
    words, regions = fusion.local_text(x, x, valid)[0], fusion.local_image(y, y, valid)[0]
    a = fusion.t2i(fusion.text_query(words), fusion.image_key(y), valid)[0]
    b = fusion.i2t(fusion.image_query(regions), fusion.text_key(x), valid)[0]
    expected = fusion.out(torch.cat([a, b], -1)).mean(1)
    fused = fusion(text, image)
    torch.testing.assert_close(fused.text.values[:, 0], expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(fused.text.values, fused.image.values)


@pytest.mark.parametrize("name", ["hierarchical", "cross_modal_embedding"])
def test_comparing_pairs_with_themselves_finds_every_pair_on_noise(name: str) -> None:
    fused = design(name)(*pair(rows=24))
    vectors = F.normalize(fused.image.values[:, 0], dim=-1)
    assert torch.equal((vectors @ vectors.T).argmax(1), torch.arange(24))


def test_cross_modal_embedding_embeds_first() -> None:
    fusion, plain = design("cross_modal_embedding"), design("hierarchical")
    plain.load_state_dict({key: value for key, value in fusion.state_dict().items() if "_project" not in key})
    text, image = pair()
    words, regions = fusion.text_project(text.values), fusion.image_project(image.values)
    torch.testing.assert_close(words.mean(-1), torch.zeros(3, 4), atol=1e-6, rtol=0)
    expected = plain(Tokens(words, text.valid), Tokens(regions, image.valid))
    torch.testing.assert_close(fusion(text, image).text.values, expected.text.values)


def test_multimodal_embedding_by_steps() -> None:
    fusion = design("multimodal_embedding")
    text, image = pair()
    linear, norm = fusion.text_project
    expected = norm(linear(masked_mean(text.values, text.valid)))
    torch.testing.assert_close(fusion(text, image).text.values[:, 0], expected)
    similarities = fusion.similarities(text, image)
    assert similarities.values.shape == (3, 3, 1)
    seen = F.cosine_similarity(fusion(text, image).text.values, fusion(text, image).image.values, dim=-1)
    torch.testing.assert_close(similarities.values[..., 0].diagonal(), seen[:, 0])
