"""The ladder: what one token per side does to each version, its size, and the arithmetic of its pieces."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.build import expand_fusions
from plait.core.errors import ConfigError
from plait.core.tables import load_entry
from plait.core.types import Tokens
from plait.fusion import FUSIONS
from plait.fusion.base.pairs import fuse_pairs
from plait.fusion.base.rows import rows_of
from plait.fusion.ladder import LADDER
from plait.fusion.ladder.pieces import GatedFeedForward, shared_weights

# Parameters at width 256, counted by hand: a norm has 512, a map of 256 to 256 has 65,792, the gated feed-forward
# 2 (256 * 1024 + 1024) + 1024 * 256 + 256 = 788,736.
NORM, MAP, FEED = 512, 65_792, 788_736
V9 = 2 * NORM + 4 * MAP + FEED
SIZES = {
    "v0": 0,
    "v1": 0,
    "v2": NORM,
    "v3": NORM,
    "v4": NORM + 2 * MAP,
    "v5": NORM,
    "v6": NORM + 3 * MAP,
    "v7": 2 * NORM + 4 * MAP,
    "v8": 2 * NORM + 4 * MAP,
    "v9": V9,
    "v10_1": V9 + 3 * MAP,
    "v10_2": V9 + 2 * (512 * 256 + 256) + 1,
    "v10_3": V9 + 2 * MAP,
    "v10_4": V9,
    "v10_5": V9 + 3 * (MAP + NORM) + 3,
    "v10_6": V9 + MAP,
    "v11": V9 + 3 * (MAP + NORM) + 3,
}
LEAKING = ("v3", "v5", "v7")
# With one token per side, outputs that depend on both sides, not on the other side alone.
BOTH = ("v3", "v5", "v10_2", "v10_6")

every_version = pytest.mark.parametrize("name", SIZES)


def version(name: str, width: int = 32, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    module: nn.Module = load_entry(FUSIONS[f"ladder/{name}"])(width, **options)
    return module.eval()


def tokens(values: Tensor, valid: Tensor | None = None) -> Tokens:
    return Tokens(values, torch.ones(values.shape[:2]).bool() if valid is None else valid)


def one_token_per_side(seed: int, width: int = 32, rows: int = 24) -> tuple[Tokens, Tokens]:
    generator = torch.Generator().manual_seed(seed)
    text, image = (torch.randn(rows, 1, width, generator=generator).requires_grad_() for _ in range(2))
    return tokens(text), tokens(image)


def matched_hits(fusion: nn.Module, text: Tokens, image: Tokens) -> int:
    """Fuse row i with row i, compare all fused rows, and count rows whose own column wins."""
    with torch.no_grad():
        fused = fusion(text, image)
    scores = F.normalize(fused.image.values.mean(1), dim=-1) @ F.normalize(fused.text.values.mean(1), dim=-1).T
    return int((scores.argmax(1) == torch.arange(len(scores))).sum())


def test_the_family_has_seventeen_versions_in_order() -> None:
    assert expand_fusions(["ladder"]) == [f"ladder/{name}" for name in SIZES]
    assert list(LADDER) == [f"ladder/{name}" for name in SIZES]


@every_version
def test_size(name: str) -> None:
    assert sum(p.numel() for p in version(name, 256).parameters()) == SIZES[name]


@every_version
def test_one_token_per_side_fused_first_and_compared_afterwards_on_noise(name: str) -> None:
    """Random weights, independent noise: three versions find every pair, the others none."""
    seeds, rows, width = 20, 24, 256
    hits = sum(
        matched_hits(version(name, width, seed), *one_token_per_side(seed + 100, width, rows)) for seed in range(seeds)
    )
    trials = seeds * rows
    if name in LEAKING:
        assert hits >= 0.99 * trials
    else:
        chance = 1 / rows
        assert hits <= trials * chance + 4.3 * math.sqrt(trials * chance * (1 - chance))


@every_version
def test_one_token_per_side_exchanges_the_sides(name: str) -> None:
    text, image = one_token_per_side(1, 256)
    fused = version(name, 256)(text, image)
    generator = torch.Generator().manual_seed(9)
    influence = {}
    for output, side in (("text", fused.text), ("image", fused.image)):
        weights = torch.randn(side.values.shape, generator=generator)
        gradients = torch.autograd.grad(
            (side.values * weights).sum(), [text.values, image.values], retain_graph=True, allow_unused=True
        )
        for source, gradient in zip(("text", "image"), gradients, strict=True):
            influence[output, source] = 0.0 if gradient is None else float(gradient.norm())
    if name == "v7":
        read, unread = [("text", "text"), ("image", "text")], [("text", "image"), ("image", "image")]
    elif name in BOTH:
        read, unread = list(influence), []
    else:
        read, unread = [("text", "image"), ("image", "text")], [("text", "text"), ("image", "image")]
    assert all(influence[pair] > 1e-3 for pair in read), influence
    assert all(influence[pair] < 1e-6 for pair in unread), influence
    if name in ("v10_2", "v10_6"):
        assert influence["image", "image"] < 0.5 * influence["image", "text"]


@every_version
def test_with_many_tokens_both_outputs_depend_on_both_sides(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    text = tokens(torch.randn(3, 4, 32, generator=generator).requires_grad_())
    image = tokens(torch.randn(3, 5, 32, generator=generator).requires_grad_())
    fused = version(name)(text, image)
    for side in (fused.text, fused.image):
        weights = torch.randn(side.values.shape, generator=generator)
        gradients = torch.autograd.grad((side.values * weights).sum(), [text.values, image.values], retain_graph=True)
        assert all(float(gradient.norm()) > 1e-4 for gradient in gradients)


@every_version
def test_chosen_rows_fuse_as_their_copies_would(name: str) -> None:
    fusion = version(name)
    generator = torch.Generator().manual_seed(3)
    valid = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
    text = tokens(torch.randn(3, 3, 32, generator=generator), valid)
    image = tokens(torch.randn(2, 5, 32, generator=generator))
    text_row, image_row = torch.tensor([2, 1, 0, 1]), torch.tensor([0, 1, 1, 0])
    met = fuse_pairs(fusion, text, image, text_row=text_row, image_row=image_row)
    copied = fusion(rows_of(text, text_row), image.take(image_row))
    torch.testing.assert_close(met.text.values, copied.text.values, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(met.image.values, copied.image.values, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["v7", "v8", "v9", "v10_4", "v11"])
def test_heads_must_divide_the_width(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"'ladder/{name}', heads.*divisor.*32, got 5"):
        version(name, heads=5)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_is_a_part(dropout: float) -> None:
    with pytest.raises(ConfigError, match=r"dropout.*\[0, 1\)"):
        version("v10_3", dropout=dropout)


# One region scores word 0 with 0 and word 1 with ln 3; the other scores both alike. Width 1, so no scale.
REGIONS, WORDS = torch.tensor([[[math.log(3.0)], [0.0]]]), torch.tensor([[[0.0], [1.0]]])


def test_shared_weights_by_hand() -> None:
    """A = [[1/4, 3/4], [1/2, 1/2]]; its columns divided by their sums 3/4 and 5/4."""
    both = torch.ones(1, 2).bool()
    rows, columns = shared_weights(REGIONS, WORDS, both, both)
    torch.testing.assert_close(rows, torch.tensor([[[0.25, 0.75], [0.5, 0.5]]]))
    torch.testing.assert_close(columns, torch.tensor([[[1 / 3, 2 / 3], [0.6, 0.4]]]))


def test_shared_weights_leave_padding_out_in_both_directions() -> None:
    both, first = torch.ones(1, 2).bool(), torch.tensor([[True, False]])
    rows, columns = shared_weights(REGIONS, WORDS, both, first)
    assert rows.tolist() == [[[1.0, 0.0], [1.0, 0.0]]]
    torch.testing.assert_close(columns[0, 0], torch.tensor([0.5, 0.5]))
    rows, columns = shared_weights(REGIONS, WORDS, first, both)
    torch.testing.assert_close(rows[0, 0], torch.tensor([0.25, 0.75]))
    assert columns.tolist() == [[[1.0, 0.0], [1.0, 0.0]]]


def test_shared_weights_are_zero_where_a_side_is_empty() -> None:
    both, none = torch.ones(1, 2).bool(), torch.zeros(1, 2).bool()
    assert not shared_weights(REGIONS, WORDS, both, none)[0].any()
    assert not shared_weights(REGIONS, WORDS, none, both)[1].any()


def test_a_word_of_vanishing_weight_still_has_a_row() -> None:
    """The first word's weights underflow to 0 in every row of A; divided in logarithms they are 1/2 each."""
    words = torch.tensor([[[0.0], [500.0]]])
    both = torch.ones(1, 2).bool()
    rows, columns = shared_weights(torch.ones(1, 2, 1), words, both, both)
    assert rows[0, :, 0].tolist() == [0.0, 0.0]
    torch.testing.assert_close(columns, torch.full((1, 2, 2), 0.5))


def test_a_fully_padded_side_gives_the_other_nothing() -> None:
    text, image = tokens(torch.randn(1, 2, 32)), tokens(torch.randn(1, 3, 32), torch.zeros(1, 3).bool())
    for name in ("v0", "v1", "v2", "v6"):
        assert not version(name)(text, image).text.values.any()
    assert torch.equal(version("v3")(text, image).text.values, text.values)


def test_v9_by_steps() -> None:
    fusion = version("v9", 8, heads=2)
    text, image = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    weight, bias = fusion.project.weight, fusion.project.bias
    x, y = fusion.norm(text), fusion.norm(image)
    query, key, value = (
        F.linear(side, weight[8 * part : 8 * part + 8], bias[8 * part : 8 * part + 8])
        for part, side in enumerate((x, y, y))
    )
    heads = [
        ((query[..., h] @ key[..., h].transpose(1, 2)) / 2).softmax(-1) @ value[..., h]
        for h in (slice(0, 4), slice(4, 8))
    ]
    a = fusion.out(torch.cat(heads, -1))
    expected = a + fusion.feed_forward(fusion.feed_forward_norm(a))
    torch.testing.assert_close(fusion(tokens(text), tokens(image)).text.values, expected, atol=1e-6, rtol=1e-5)


def test_multi_query_heads_share_keys_and_values() -> None:
    """Against a loop over heads with one key and one value map, the sums of the learned ones."""
    fusion = version("v10_4", 8, heads=2)
    text, image = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    y = fusion.norm(image)
    maps = fusion.key_value.weight.view(2, 2, 4, 8).sum(1) / math.sqrt(2)
    biases = fusion.key_value.bias.view(2, 2, 4).sum(1) / math.sqrt(2)
    key, value = (F.linear(y, m, b) for m, b in zip(maps, biases, strict=True))
    query = fusion.query(fusion.norm(text))
    heads = [(query[..., h] @ key.transpose(1, 2) / 2).softmax(-1) @ value for h in (slice(0, 4), slice(4, 8))]
    a = fusion.out(torch.cat(heads, -1))
    expected = a + fusion.feed_forward(fusion.feed_forward_norm(a))
    torch.testing.assert_close(fusion(tokens(text), tokens(image)).text.values, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("many", "one"), [("v10_5", "v9"), ("v11", "v10_4")])
def test_levels_weigh_one_attention_per_level(many: str, one: str) -> None:
    """With all weight on one level, the version equals the one it extends, given that level's features."""
    fusion, below = version(many), version(one)
    shared = {key: value for key, value in fusion.state_dict().items() if not key.startswith("levels.")}
    below.load_state_dict(shared)
    with torch.no_grad():
        fusion.levels.weights.copy_(torch.tensor([-99.0, 99.0, -99.0]))
    text, image = torch.randn(2, 3, 32), torch.randn(2, 4, 32)
    second_text, second_image = (fusion.levels(fusion.norm(x))[..., 1, :] for x in (text, image))
    below.norm = nn.Identity()
    expected = below(tokens(second_text), tokens(second_image))
    fused = fusion(tokens(text), tokens(image))
    torch.testing.assert_close(fused.text.values, expected.text.values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fused.image.values, expected.image.values, atol=1e-5, rtol=1e-5)


def test_the_gate_starts_small_and_is_learned() -> None:
    fusion = version("v10_2")
    assert fusion.gate_scale.item() == pytest.approx(0.1)
    text, image = tokens(torch.randn(2, 3, 32)), tokens(torch.randn(2, 4, 32))
    with torch.no_grad():
        fusion.gate_scale.zero_()
    fused = fusion(text, image)
    nothing = fusion.transformed(torch.zeros(2, 3, 32))
    torch.testing.assert_close(fused.text.values, nothing)


def test_gated_feed_forward_by_hand() -> None:
    """Width 1, hidden 1: gelu(1) = 0.841345, so 3 gelu(1) gelu(2) + 1 with gelu(2) = 1.954500."""
    feed = GatedFeedForward(1, ratio=1).eval()
    with torch.no_grad():
        feed.widen.weight.copy_(torch.tensor([[1.0], [2.0]]))
        feed.widen.bias.zero_()
        feed.narrow.weight.fill_(3.0)
        feed.narrow.bias.fill_(1.0)
    assert feed(torch.ones(1, 1)).item() == pytest.approx(3 * 0.841345 * 1.954500 + 1, abs=1e-5)


def test_gated_feed_forward_drops_as_dropout_on_both_halves_would() -> None:
    """With a half dropped in each half, a quarter of the products stays, four times as large."""
    torch.manual_seed(0)
    feed = GatedFeedForward(1, ratio=4000, dropout=0.5)
    with torch.no_grad():
        feed.widen.weight.zero_()
        feed.widen.bias.fill_(1.0)
        feed.narrow.weight.fill_(1.0)
        feed.narrow.bias.zero_()
    whole = feed.eval()(torch.ones(1, 1)).item()
    shares = feed.train()(torch.ones(40, 1)).detach().flatten() / whole
    kept = shares[shares > 0]
    assert 8 <= len(kept) <= 32  # the last dropout, of a half
    assert kept.mean().item() == pytest.approx(2.0, abs=0.05)
    assert 0.01 < kept.std().item() < 0.12  # 2 sqrt(3 / 4000) = 0.055; one dropout of a half would give 0.03


def test_dropout_acts_on_weights_in_training_only() -> None:
    fusion = version("v9", dropout=0.5)
    text, image = tokens(torch.randn(2, 3, 32)), tokens(torch.randn(2, 4, 32))
    assert torch.equal(fusion(text, image).text.values, fusion(text, image).text.values)
    fusion.train()
    first, second = fusion(text, image, maps=True), fusion(text, image, maps=True)
    assert not torch.equal(first.text.values, second.text.values)
    torch.testing.assert_close(first.maps[0].weights, second.maps[0].weights)
