"""What every fusion must do, over every name in the table and the options that change how it computes."""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from plait.core.tables import load_entry
from plait.core.types import Fused, Tokens
from plait.fusion import FUSIONS
from plait.heads import HEADS

WIDTH, ROWS, WORDS, GRID = 16, 4, 5, (2, 3)
REGIONS = GRID[0] * GRID[1]

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "late": [
        {"pool": "max"},
        {"pool": "attention"},
        {"pool": "gpo"},
        {"pool": "encoder"},
        {"add_pooled": True, "hidden": 8, "dropout": 0.1},
        {"pool": "mean", "image_pool": "gpo"},
    ],
    "product": [{"pool": "max"}],
    "cross": [{"direction": "t2i"}, {"direction": "i2t"}, {"self_attention": True, "layers": 1, "dropout": 0.1}],
    "concat": [{"layers": 1, "heads": 4, "dropout": 0.1}],
    "film": [{"layers": 0}],
    "pixel_word": [{"layers": 2, "self_attention": False, "dropout": 0.1}],
    "grid_product": [{"self_attention": True}],
    "max_sim": [{"direction": "i2t"}, {"direction": "two_way", "project": True}],
}
# The others give masks only: `test_mask_fusions.py` holds them to their contract.
MATCHING = [name for name, entry in FUSIONS.items() if "match" in entry.tasks]
CASES = [(name, options) for name in MATCHING for options in ({}, *VARIANTS.get(name, []))]
IDS = [name + "".join(f"-{key}={value}" for key, value in options.items()) for name, options in CASES]

# Nothing attends across in these, so there is no map to return.
WITHOUT_MAPS = {"late", "product", "chapter/multimodal_embedding", "film", "correlation", "grid_product", "clip_dense"}
# With one token a side these do not read one side: reproduced from print, and stated in their docstrings.
UNREAD_WITH_ONE_TOKEN = {
    "ladder/v7": "image",
    "chapter/cross_modal_attention": "text",
    "self_cross_printed": "text",
}
# Parameters whose gradient may be zero throughout, by (fusion, name) and why. None today.
EXEMPT: dict[tuple[str, str], str] = {}

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make(name: str, options: dict[str, Any], seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """Make a fusion with the head that reads it, in eval mode."""
    torch.manual_seed(seed)
    entry = FUSIONS[name]
    target = load_entry(entry)
    fusion: nn.Module = target(WIDTH, **{**(entry.options or {}), **options})
    head_target = load_entry(HEADS[target.reads])
    head: nn.Module = head_target(WIDTH) if target.reads == "logit" else head_target()
    return fusion.eval(), head.eval()


def sides(rows: int = ROWS, *, ragged: bool = True, grid: bool = True, seed: int = 1) -> tuple[Tokens, Tokens]:
    """Give random text and image tokens; ragged ones have padding in both."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randn(rows, WORDS, WIDTH, generator=generator)
    regions = torch.randn(rows, REGIONS, WIDTH, generator=generator)
    words_valid, regions_valid = torch.ones(rows, WORDS).bool(), torch.ones(rows, REGIONS).bool()
    if ragged:
        for row in range(rows):
            words_valid[row, WORDS - row % 3 :] = False
            regions_valid[row, REGIONS - row % 2 :] = False
    return (
        Tokens(words, words_valid, pooled=torch.randn(rows, WIDTH, generator=generator)),
        Tokens(regions, regions_valid, GRID if grid else None, pooled=torch.randn(rows, WIDTH, generator=generator)),
    )


def all_pairs(fusion: nn.Module, head: nn.Module, text: Tokens, image: Tokens) -> Tensor:
    """Score every image (rows) with every caption by fusing every pair."""
    image_index = torch.arange(len(image)).repeat_interleave(len(text))
    text_index = torch.arange(len(text)).repeat(len(image))
    scores: Tensor = head(fusion(text.take(text_index), image.take(image_index))).values
    return scores.view(len(image), len(text))


def padded(tokens: Tokens, count: int) -> Tokens:
    """Add padding tokens with wild values."""
    rows, _, width = tokens.values.shape
    values = torch.cat([tokens.values, 100 * torch.randn(rows, count, width)], 1)
    valid = torch.cat([tokens.valid, torch.zeros(rows, count).bool()], 1)
    return Tokens(values, valid, pooled=tokens.pooled)


@pytest.mark.parametrize("name", MATCHING)
def test_the_table_says_how_to_use_it(name: str) -> None:
    entry = FUSIONS[name]
    target = load_entry(entry)
    assert entry.family
    assert entry.paper
    assert entry.summary
    assert entry.pairings
    assert set(entry.pairings) <= {"all", "itm", "matched"}
    assert entry.pairings[0] != "matched", "the leaky pairing must be asked for"
    assert target.reads in HEADS  # type: ignore[attr-defined]
    parameters = list(inspect.signature(target).parameters.values())
    assert parameters[0].name == "width"
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters[1:])
    assert all(word in (target.__doc__ or "") for word in ("Formula:", "Shapes:", "Source:", "Differs:"))


@every_case
def test_shapes(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    fused = fusion(text, image)
    assert isinstance(fused, Fused)
    for tokens in (fused.text, fused.image):
        assert tokens.values.shape[0] == ROWS
        assert tokens.valid.shape == tokens.values.shape[:2]
        assert tokens.valid.dtype == torch.bool
    scores = head(fused)
    assert scores.values.shape == (ROWS,)
    assert scores.kind == {"similarity": "cosine", "logit": "logit"}[fusion.reads]
    assert torch.isfinite(scores.values).all()


@every_case
def test_gradients_are_finite_and_reach_every_parameter_and_both_sides(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    leaves = [text.values, image.values, text.pooled, image.pooled]
    for leaf in leaves:
        leaf.requires_grad_()
    head(fusion(text, image)).values.square().sum().backward()
    for key, parameter in [*fusion.named_parameters(), *head.named_parameters(prefix="head")]:
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0 or (name, key) in EXEMPT, f"{key} never learns"
    reached = leaves[2:] if options.get("pool") == "encoder" else leaves[:2]
    for leaf in reached:
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
        assert leaf.grad.abs().max() > 0


@every_case
@pytest.mark.parametrize("side", ["text", "image", "both"])
def test_padding_changes_nothing(name: str, options: dict[str, Any], side: str) -> None:
    fusion, head = make(name, options)
    text, image = sides(grid=False)
    expected = head(fusion(text, image)).values
    longer_text = padded(text, 3) if side != "image" else text
    longer_image = padded(image, 4) if side != "text" else image
    torch.testing.assert_close(head(fusion(longer_text, longer_image)).values, expected, atol=1e-5, rtol=1e-5)
    if fusion.reads == "similarity":
        wide = head.pool(fusion.similarities(longer_text, longer_image)).values
        torch.testing.assert_close(wide, head.pool(fusion.similarities(text, image)).values, atol=1e-5, rtol=1e-5)


@every_case
def test_what_lies_in_padding_does_not_matter(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    before = head(fusion(text, image)).values
    for tokens in (text, image):
        tokens.values[~tokens.valid] = 50.0
    torch.testing.assert_close(head(fusion(text, image)).values, before, atol=1e-5, rtol=1e-5)


@every_case
def test_pairs_keep_their_scores_in_any_order(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    order = torch.tensor([2, 0, 3, 1])
    moved = head(fusion(text.take(order), image.take(order))).values
    torch.testing.assert_close(moved, head(fusion(text, image)).values[order], atol=1e-5, rtol=1e-5)
    columns = all_pairs(fusion, head, text.take(order), image)
    torch.testing.assert_close(columns, all_pairs(fusion, head, text, image)[:, order], atol=1e-5, rtol=1e-5)


@every_case
def test_a_score_is_a_function_of_its_own_pair_alone(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    together = head(fusion(text, image)).values
    for row in range(ROWS):
        alone = head(fusion(text.take(slice(row, row + 1)), image.take(slice(row, row + 1)))).values
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-5)


@every_case
def test_evaluation_is_deterministic(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    assert torch.equal(head(fusion(text, image)).values, head(fusion(text, image)).values)


@every_case
def test_float64_agrees_with_float32(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    single = head(fusion(text, image)).values
    fusion, head = fusion.double(), head.double()
    wide = [
        Tokens(t.values.double(), t.valid, t.grid, pooled=t.pooled.double())  # type: ignore[union-attr]
        for t in (text, image)
    ]
    double = head(fusion(*wide)).values
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, atol=1e-4, rtol=1e-4)


@every_case
def test_half_precision_products_stay_near(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    expected = head(fusion(text, image)).values
    for leaf in (text.values, image.values, text.pooled, image.pooled):
        leaf.requires_grad_()  # type: ignore[union-attr]
    with torch.autocast("cpu", torch.bfloat16):
        scores = head(fusion(text, image, maps=True)).values.float()
        if fusion.reads == "similarity":
            algebra = head.pool(fusion.similarities(text, image)).values.float().diagonal()
            torch.testing.assert_close(algebra, expected, atol=0.03, rtol=0)
    torch.testing.assert_close(scores, expected, atol=0.03, rtol=0)
    scores.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in fusion.parameters())


@every_case
def test_maps_come_only_when_asked_and_rows_sum_to_one(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    plain, shown = fusion(text, image), fusion(text, image, maps=True)
    assert plain.maps == ()
    torch.testing.assert_close(head(plain).values, head(shown).values, atol=1e-5, rtol=1e-5)
    assert bool(shown.maps) == (name not in WITHOUT_MAPS)
    valid = {"text": text.valid, "image": image.valid}
    for attention in shown.maps:
        query, key = valid[attention.query], valid[attention.key]
        weights = attention.weights
        assert attention.query != attention.key
        assert weights.shape == (ROWS, weights.shape[1], query.shape[1], key.shape[1])
        assert (weights >= 0).all()
        sums = (weights * key[:, None, None]).sum(-1).transpose(1, 2)[query]
        torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-5, rtol=0)
        assert weights.masked_select(~key[:, None, None].expand_as(weights)).eq(0).all()


@every_case
@pytest.mark.parametrize("pool", ["mean", "sum", "lse"])
def test_all_pairs_algebra_equals_fusing_every_pair(name: str, options: dict[str, Any], pool: str) -> None:
    fusion, head = make(name, options)
    text, image = sides(rows=5)
    image = image.take(slice(0, 3))
    if fusion.reads == "similarity":
        head = load_entry(HEADS["similarity"])(pool=pool)
        algebra = head.pool(fusion.similarities(text, image)).values
        assert algebra.shape == (3, 5)
        torch.testing.assert_close(algebra, all_pairs(fusion, head, text, image), atol=1e-5, rtol=1e-5)
    else:
        image_row = torch.arange(3).repeat_interleave(5).flip(0)
        text_row = torch.arange(5).repeat(3).flip(0)
        ready = fusion.prepare(text, image)
        met = head(fusion.meet(*ready, text_row=text_row, image_row=image_row)).values.flip(0).view(3, 5)
        torch.testing.assert_close(met, all_pairs(fusion, head, text, image), atol=1e-5, rtol=1e-5)
        aligned = head(fusion.meet(ready[0].take(slice(0, 3)), ready[1])).values
        torch.testing.assert_close(aligned, head(fusion(text.take(slice(0, 3)), image)).values, atol=1e-5, rtol=1e-5)


@every_case
def test_all_pairs_algebra_has_the_same_gradient(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    assert (fusion.reads == "similarity") == hasattr(fusion, "similarities")
    weight = torch.randn(ROWS, ROWS)

    def gradients(score: Callable[[Tokens, Tokens], Tensor]) -> tuple[Tensor, ...]:
        text, image = sides()
        wanted = [text.pooled, image.pooled] if options.get("pool") == "encoder" else [text.values, image.values]
        for leaf in wanted:
            leaf.requires_grad_()
        return torch.autograd.grad((score(text, image) * weight).sum(), wanted)

    def quick(text: Tokens, image: Tokens) -> Tensor:
        if fusion.reads == "similarity":
            return head.pool(fusion.similarities(text, image)).values
        rows = {"text_row": torch.arange(ROWS).repeat(ROWS), "image_row": torch.arange(ROWS).repeat_interleave(ROWS)}
        return head(fusion.meet(*fusion.prepare(text, image), **rows)).values.view(ROWS, ROWS)

    algebra = gradients(quick)
    expanded = gradients(lambda text, image: all_pairs(fusion, head, text, image))
    for fast, plain in zip(algebra, expanded, strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-4)


def noise_hits(score: Callable[[int], Tensor], seeds: int) -> tuple[int, float]:
    """Count rows whose own column wins, and give the count that chance passes once in some 100,000 times."""
    hits = trials = 0
    size = 0
    for seed in range(seeds):
        scores = score(seed)
        size = len(scores)
        hits += int((scores.argmax(1) == torch.arange(size)).sum())
        trials += size
    chance = 1 / size
    return hits, trials * chance + 4.3 * math.sqrt(trials * chance * (1 - chance)) + 1


@every_case
def test_independent_noise_is_matched_at_chance(name: str, options: dict[str, Any]) -> None:
    def score(seed: int) -> Tensor:
        fusion, head = make(name, options, seed)
        return all_pairs(fusion, head, *sides(12, ragged=False, seed=1000 + seed))

    with torch.no_grad():
        hits, bound = noise_hits(score, seeds=12)
    assert hits <= bound


def test_the_noise_test_catches_a_leak() -> None:
    """Fusing image i with its own caption i first, and comparing afterwards, must look far too good."""

    def leaky(seed: int) -> Tensor:
        text, image = sides(12, ragged=False, seed=seed)
        words, regions = text.values.mean(1), image.values.mean(1)
        joined = nn.functional.normalize(words + regions, dim=-1)
        return joined @ joined.T

    hits, bound = noise_hits(leaky, seeds=12)
    assert hits == 144
    assert hits > bound


@every_case
def test_weights_survive_safetensors(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options, seed=0)
    other, other_head = make(name, options, seed=7)
    other.load_state_dict(load(save(fusion.state_dict())))
    other_head.load_state_dict(load(save(head.state_dict())))
    text, image = sides()
    assert torch.equal(head(fusion(text, image)).values, other_head(other(text, image)).values)


@every_case
def test_one_token_a_side_still_reads_both_sides(name: str, options: dict[str, Any]) -> None:
    """The pooled baseline: attention has a single key, and yet the score must depend on text and image."""
    fusion, head = make(name, options)
    text, image = (Tokens(t.values[:, :1], t.valid[:, :1], pooled=t.pooled) for t in sides(ragged=False))
    swapped = torch.tensor([1, 2, 3, 0])
    scores = head(fusion(text, image, maps=True)).values
    assert torch.isfinite(scores).all()
    unread = UNREAD_WITH_ONE_TOKEN.get(name)
    moved_by_text = (scores - head(fusion(text.take(swapped), image)).values).abs().max()
    moved_by_image = (scores - head(fusion(text, image.take(swapped))).values).abs().max()
    assert (moved_by_text < 1e-6) if unread == "text" else (moved_by_text > 1e-4)
    assert (moved_by_image < 1e-6) if unread == "image" else (moved_by_image > 1e-4)


@every_case
def test_a_side_without_real_tokens_gives_a_finite_score_and_gradient(name: str, options: dict[str, Any]) -> None:
    fusion, head = make(name, options)
    text, image = sides()
    text.valid[0], image.valid[1] = False, False
    leaves = [text.values, image.values, text.pooled, image.pooled]
    for leaf in leaves:
        leaf.requires_grad_()
    scores = head(fusion(text, image, maps=True)).values
    scores.sum().backward()
    assert torch.isfinite(scores).all()
    for leaf in leaves:
        assert leaf.grad is None or torch.isfinite(leaf.grad).all()
    if fusion.reads == "similarity":
        algebra = head.pool(fusion.similarities(text, image)).values.diagonal()
        torch.testing.assert_close(algebra, scores, atol=1e-5, rtol=1e-5)
