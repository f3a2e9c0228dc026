"""Product, concat and cross: options, preparing, input norms and maps by layer."""

import pytest
import torch

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.fusion.base.aligned import both_directions
from plait.fusion.base.input_norm import InputNorm
from plait.fusion.base.pairs import PairFusion, fuse_pairs
from plait.fusion.bilinear.product import ProductFusion
from plait.fusion.cross.cross import CrossFusion
from plait.fusion.single_stream.concat import ConcatFusion
from plait.heads.match import LogitHead, SimilarityHead


def some(n: int, grid: tuple[int, int] | None = None, seed: int = 0) -> Tokens:
    values = torch.randn(2, n, 8, generator=torch.Generator().manual_seed(seed))
    return Tokens(values, torch.ones(2, n).bool(), grid)


def test_product_is_a_product() -> None:
    fusion = ProductFusion(8)
    text, image = some(3), some(4, seed=1)
    joint = fusion(text, image)
    t = fusion.text_project(text.values.mean(1))
    v = fusion.image_project(image.values.mean(1))
    torch.testing.assert_close(joint.text.values[:, 0], t * v)
    torch.testing.assert_close(joint.text.values, joint.image.values)
    prepared = fusion.prepare_text(text), fusion.prepare_image(image)
    assert prepared[0].parts.values.shape == prepared[1].parts.values.shape == (2, 1, 8)


@pytest.mark.parametrize(
    ("direction", "queries"), [("t2i", ["text"]), ("i2t", ["image"]), ("two_way", ["text", "image"])]
)
def test_cross_gives_one_map_per_layer_and_direction(direction: str, queries: list[str]) -> None:
    fusion = CrossFusion(8, layers=3, heads=2, direction=direction).eval()
    fused = fusion(some(3), some(4, (2, 2)), maps=True)
    assert [(m.query, m.layer) for m in fused.maps] == [(q, layer) for layer in range(3) for q in queries]
    assert fused.maps[0].weights.shape[1] == 2
    assert fused.image.grid == (2, 2)


def test_one_way_leaves_the_other_side_alone() -> None:
    torch.manual_seed(0)
    text, other, image = some(3), some(3, seed=5), some(4, (2, 2), seed=1)
    words_only = CrossFusion(8, direction="t2i").eval()
    assert torch.equal(words_only(text, image).image.values, words_only(other, image).image.values)
    regions_only = CrossFusion(8, direction="i2t").eval()
    assert not torch.equal(regions_only(text, image).image.values, regions_only(other, image).image.values)


def test_two_way_is_symmetric_in_time() -> None:
    """Each side attends to the layer's input: with one layer, each is what its direction alone would give."""
    torch.manual_seed(0)
    both = CrossFusion(8, layers=1).eval()
    text, image = some(3), some(4, (2, 2), seed=1)
    for kept, dropped, side in (("t2i", "i2t", "text"), ("i2t", "t2i", "image")):
        one = CrossFusion(8, layers=1, direction=kept).eval()
        one.load_state_dict({k: v for k, v in both.state_dict().items() if not k.startswith(dropped)})
        torch.testing.assert_close(getattr(both(text, image), side).values, getattr(one(text, image), side).values)


def test_concat_lets_both_sides_read_each_other() -> None:
    torch.manual_seed(0)
    fusion = ConcatFusion(8, layers=2).eval()
    text, image = some(3), some(4, (2, 2), seed=1)
    first = fusion(text, image, maps=True)
    second = fusion(some(3, seed=5), image)
    assert not torch.allclose(first.image.values, second.image.values)
    assert [(m.query, m.key, m.layer) for m in first.maps] == [
        ("text", "image", 0),
        ("image", "text", 0),
        ("text", "image", 1),
        ("image", "text", 1),
    ]


def test_the_input_norm_marks_places_of_grid_tokens_only() -> None:
    norm = InputNorm(8, sides=False, positions=True)
    equal = Tokens(torch.ones(1, 4, 8), torch.ones(1, 4).bool(), (2, 2))
    regions = norm.image(equal)
    assert (regions[0, 0] - regions[0, 3]).abs().max() > 0.1
    regions = norm.image(Tokens(equal.values, equal.valid))
    assert torch.equal(regions[0, 0], regions[0, 3])
    bare = InputNorm(8, sides=True, positions=False)
    assert bare.sides is not None
    torch.testing.assert_close(bare.image(equal)[0, 0], bare.sides[1])  # the layer norm of ones is zero
    assert bare.text(some(3)).shape == (2, 3, 8)


def test_both_directions_weigh_the_same_whatever_the_counts() -> None:
    # one word that agrees fully, four regions that disagree fully: the mean of the directions' means is 0
    up = torch.tensor([1.0, 0.0])
    word = Tokens(up.expand(1, 1, 2), torch.ones(1, 1).bool())
    regions = Tokens(up.expand(1, 4, 2), torch.tensor([[True, True, True, False]]))
    against = Tokens(-3 * up.expand(1, 4, 2), regions.valid)
    fused = both_directions((word, word), (against, regions))
    assert fused.text.values.shape == (1, 2, 8)
    assert SimilarityHead()(fused).values.item() == pytest.approx(0.0, abs=1e-6)


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"'product', pool.*mean or max.*'gpo'"):
        ProductFusion(8, pool="gpo")
    with pytest.raises(ConfigError, match=r"'concat', layers.*at least 1.*0"):
        ConcatFusion(8, layers=0)
    with pytest.raises(ConfigError, match=r"'cross', layers.*at least 1.*0"):
        CrossFusion(8, layers=0)
    with pytest.raises(ConfigError, match=r"'cross', direction.*two_way, t2i or i2t.*'both'"):
        CrossFusion(8, direction="both")


@pytest.mark.parametrize("direction", ["t2i", "i2t", "two_way"])
@pytest.mark.parametrize("self_attention", [False, True])
def test_a_side_that_pairs_share_is_read_once(direction: str, *, self_attention: bool) -> None:
    """A side that no pair changes keeps one row per text or image that takes part, in the fused pairs too."""
    torch.manual_seed(0)
    fusion = CrossFusion(8, direction=direction, heads=2, self_attention=self_attention).eval()
    text, image = some(3), some(4, (2, 2), seed=1)
    pairs = {"text_row": torch.tensor([1, 0, 1]), "image_row": torch.tensor([1, 1, 1])}
    words, regions = fusion.prepare_text(text), fusion.prepare_image(image)
    fused = fusion.meet(words.with_rows(pairs["text_row"]), regions.with_rows(pairs["image_row"]))
    assert len(fused.text) == (3 if direction != "i2t" else 2)
    assert len(fused.image) == (3 if direction != "t2i" else 1)
    head = LogitHead(8).eval()
    expected = head(fusion(text.take(pairs["text_row"]), image.take(pairs["image_row"]))).values
    torch.testing.assert_close(head(fused).values, expected, atol=1e-6, rtol=1e-5)


def test_maps_of_chosen_pairs() -> None:
    torch.manual_seed(0)
    fusion = CrossFusion(8, heads=2, layers=1).eval()
    text, image = some(3), some(4, (2, 2), seed=1)
    row = torch.tensor([1, 0])
    shown = fuse_pairs(fusion, text, image, text_row=row, image_row=row, maps=True).maps
    expected = fusion(text.take(row), image.take(row), maps=True).maps
    for one, other in zip(shown, expected, strict=True):
        torch.testing.assert_close(one.weights, other.weights)


def test_a_fusion_of_pairs_must_say_how_they_meet() -> None:
    with pytest.raises(TypeError, match="meet"):
        PairFusion()  # type: ignore[abstract]
