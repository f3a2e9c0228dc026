"""The audits of matching: of recipes on noise, of trained models on a split, and the leaks that must not pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from plait.audit.ablation import ABLATIONS
from plait.audit.partner import PARTNER_TOLERANCE
from plait.build import bare_sides
from plait.core.config import FusionSettings, ObjectiveSettings, Recipe, TrainSettings
from plait.core.errors import ConfigError
from plait.core.tables import Entry
from plait.core.types import Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.fusion import FUSIONS
from plait.fusion.base.fusion import SimilarityFusion
from plait.fusion.gated.film import FilmFusion
from plait.fusion.two_tower.late import LateFusion
from plait.heads.match import LogitHead, SimilarityHead
from plait.model import FusionModel
from plait.nn.precision import Precision
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from plait.tasks.match import audit as match_audit
from plait.tasks.match.audit import AFTER_FIT, audit_encoded, audit_recipe, audit_split, audit_subject
from plait.tasks.match.learner import MatchLearner
from plait.tasks.match.pairings.all_pairs import AllPairs
from plait.tasks.match.pairings.reranked import Reranked
from plait.tasks.match.pairings.towers import Towers
from plait.tasks.match.show.subject import WIDTH, subject_of
from tests.tasks.match.leaks import Marked
from tests.tasks.match.toys import ToyFeed, noise, recipe, toy_learner
from tests.toys import toy_collection

WAYS = (("late", ""), ("scan_t2i", ""), ("cross", "itm"), ("cross", "all"), ("cross", "matched"))
WIDE = 64


@pytest.mark.parametrize(("name", "tokens"), [("late", "tokens"), ("scan_t2i", "tokens"), ("product", "pooled")])
def test_honest_fusions_are_sound(name: str, tokens: str) -> None:
    found = audit_recipe(recipe(name=name, tokens=tokens, pairing="all"), seeds=6)
    assert found.noise.chance == pytest.approx(100 / 24)
    assert found.flags == () or found.flags == ("single-key",)
    assert found.partner == 0.0
    assert len(found.noise.by_seed) == 6


def test_a_leak_is_found() -> None:
    """`product` gives both sides of a pair the same vector, so fusing first answers everything."""
    found = audit_recipe(recipe(name="product", pairing="matched"), seeds=2)
    assert found.noise.accuracy == 100.0
    assert found.flags[0] == "leaky"
    assert found.to_json()["pairing"] == "matched"


def test_a_score_that_depends_on_other_pairs_is_leaky(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise is matched at chance and no side is ignored: only the partner test can tell."""
    for name in ("Centred", "Means"):
        entry = Entry(f"tests.tasks.match.leaks:{name}", "toy", "-", "a toy", pairings=("all",))
        monkeypatch.setitem(FUSIONS, f"toy_{name}", entry)
    honest = audit_recipe(recipe(name="toy_Means"), seeds=6)
    assert honest.flags == ()
    assert honest.verdict.startswith("Sound")
    found = audit_recipe(recipe(name="toy_Centred"), seeds=6)
    assert not found.noise.is_leaky
    assert PARTNER_TOLERANCE < found.partner < 0.5
    assert found.flags == ("leaky",)
    assert found.to_json()["leaky"] is True
    assert found.verdict.startswith("Leaky: it scores an image with a text differently when other pairs of the call")
    assert 'fix: pairing "itm" or "all"' in found.verdict


def test_queries_and_keys_of_a_pooled_fusion_are_dead() -> None:
    pooled = audit_subject(subject_of(recipe(name="cross", tokens="pooled")), seeds=1, batch=8)
    assert pooled.single_key
    assert any(name.endswith("attention.query.weight") for name in pooled.dead_parameters)
    whole = audit_subject(subject_of(recipe(name="cross")), seeds=1, batch=8)
    assert not whole.single_key
    assert not any("weight" in name for name in whole.dead_parameters)
    assert whole.dead_parameters, "the biases of keys"
    assert "every weight gets a gradient, but for biases that a softmax cancels" in whole.verdict


def test_narrow_where_the_options_allow_it() -> None:
    assert subject_of(recipe(name="cross", width=256)).recipe.fusion.width == WIDTH
    assert subject_of(recipe(name="cross", width=32, options={"heads": 4})).recipe.fusion.width == 32
    own = recipe(name="cross", width=96, options={"heads": 12})  # 12 divides 96, not 64
    assert subject_of(own).recipe.fusion.width == 96


def test_the_encoders_own_summary_has_its_own_width() -> None:
    options = {"pool": "encoder", "pooled_width": 40, "hidden": 8}
    found = audit_subject(subject_of(recipe(name="late", options=options)), seeds=2, batch=8)
    assert found.influence["text_out"]["text"] > 0.5
    assert found.influence["text_out"]["image"] == 0.0


def test_leaves_the_random_state_and_repeats_itself() -> None:
    given = Recipe(fusion=FusionSettings(name="cross", options={"dropout": 0.1}), objective=ObjectiveSettings())
    torch.manual_seed(5)
    before = torch.get_rng_state()
    subject = subject_of(given)
    first = audit_subject(subject, seeds=2, batch=8)
    assert torch.equal(torch.get_rng_state(), before)
    assert audit_subject(subject, seeds=2, batch=8) == first
    assert audit_recipe(given, seeds=2) is audit_recipe(replace(given, name="other"), seeds=2)  # once per process


def test_refuses_what_says_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 1 set of random weights, got 0"):
        audit_recipe(Recipe(), seeds=0)
    with pytest.raises(ConfigError, match="cannot be paired 'matched'; it can be: all"):
        audit_recipe(recipe(name="max_sim", pairing="matched"), seeds=1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("fusion", "way"), WAYS)
def test_every_pairing_is_audited_after_a_fit_at_both_precisions(fusion: str, way: str, precision: Precision) -> None:
    learner = toy_learner(fusion, pairing=way).train()
    feed: Any = ToyFeed(toy_collection(), learner)
    given = replace(recipe(name=fusion, pairing=way), train=TrainSettings(precision=precision))
    before = audit_recipe(given, seeds=2)
    state = torch.get_rng_state()
    found = audit_split(before, learner, feed, given, split="val", thorough=False)
    assert torch.equal(torch.get_rng_state(), state)
    assert learner.training
    assert found.data is not None
    assert list(found.data.ablations) == list(AFTER_FIT)
    assert found.data.images == 16
    assert found.data.overlap is not None
    assert found.data.overlap.near is None
    assert ("leaky" in found.flags) == (way == "matched")
    # weights in float32, scores of honest pairings: exactly nothing moves
    assert (found.data.partner > PARTNER_TOLERANCE) == (way == "matched")


def test_a_thorough_audit_adds_baselines_and_looks_across_splits() -> None:
    learner = toy_learner("late")
    feed: Any = ToyFeed(toy_collection(), learner)
    given = replace(recipe(name="late"), train=TrainSettings(precision="fp32"))
    found = audit_split(None, learner, feed, given, split="val", thorough=True)
    assert found.data is not None
    assert list(found.data.ablations) == list(ABLATIONS)
    assert found.data.baselines is not None
    assert found.data.baselines["chance"]["t2i_r1"] == pytest.approx(100 / 16)
    assert found.data.metric is not None
    assert found.data.metric.passed
    assert found.data.overlap is not None
    assert found.data.overlap.near is not None
    assert audit_split(found, learner, feed, given, split="train", thorough=False).data.overlap is None  # type: ignore[union-attr]


class NoiseFeed:
    """A feed whose texts and images are independent noise: an honest model finds nothing."""

    def __init__(self, images: int) -> None:
        photos = tuple(Photo(f"p{n}", np.full((2, 2, 3), n, np.uint8)) for n in range(images))
        captions = tuple(Caption(f"c{n}", f"caption {n}", n) for n in range(images))
        self.collection = Collection("noise", "tests", photos, captions, {"val": tuple(range(images))})
        self.image_of = np.arange(images)
        self.texts = [caption.text for caption in captions]
        self.tokens = {seed: noise(images, 3, seed, grid=(1, 3), width=WIDE) for seed in (0, 1)}

    def encode_texts(self, rows: np.ndarray) -> Tokens:
        return self.tokens[0].take(torch.from_numpy(rows))

    def encode_images(self, images: np.ndarray) -> Tokens:
        return self.tokens[1].take(torch.from_numpy(images))


def paired(towers: SimilarityFusion) -> MatchLearner:
    """Give towers with a fused head of random weights, whose logits are small."""
    torch.manual_seed(0)
    model = FusionModel(*bare_sides(WIDE), fusion=FilmFusion(WIDE), head=LogitHead(WIDE))
    learner = MatchLearner(Reranked(model, Matching(InfoNCE()), Towers(towers, SimilarityHead()), rerank_k=4))
    learner.eval()
    return learner


def test_a_partial_leak_does_not_pass_after_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the pairs is known by its place: 24 images do not show it, the 64 that are taken do."""
    feed: Any = NoiseFeed(120)
    given = replace(recipe(name="film", pairing="all"), train=TrainSettings(precision="fp32"))
    before = audit_recipe(given, seeds=6)
    assert "leaky" not in before.flags
    leaky, honest = paired(Marked()), paired(LateFusion(WIDE))
    found = audit_split(before, leaky, feed, given, split="val", thorough=False)
    assert found.data is not None
    assert found.data.images == match_audit.IMAGES_EXPANDED_AFTER_FIT == 64
    assert 15 < found.data.ablations["text shuffled"]["t2i_r1"] < 30
    assert "leaky" in found.flags
    assert "of 64 pairs of val (above 10.9 % is flagged)" in found.verdict
    sound = audit_split(before, honest, feed, given, split="val", thorough=False)
    assert "leaky" not in sound.flags
    assert "a leak that finds more than 10.9 % would have been flagged" in sound.verdict
    assert sound.to_json()["data"]["bound"] == pytest.approx(10.94, abs=0.01)
    monkeypatch.setattr(match_audit, "IMAGES_EXPANDED_AFTER_FIT", 24)
    few = audit_split(before, leaky, feed, given, split="val", thorough=False)
    assert "leaky" not in few.flags
    assert "a leak that finds more than 29.2 % would have been flagged" in few.verdict


def test_algebra_takes_more_images() -> None:
    feed: Any = NoiseFeed(220)
    text, image = feed.encode_texts(np.arange(220)), feed.encode_images(np.arange(220))
    given = replace(recipe(name="late"), train=TrainSettings(precision="fp32"))
    learner = MatchLearner(
        AllPairs(FusionModel(*bare_sides(WIDE), fusion=LateFusion(WIDE), head=SimilarityHead()), InfoNCE())
    )
    assert audit_encoded(learner, text, image, split="val", kinds=()).images == 220
    found = audit_split(None, learner, feed, given, split="val", thorough=False)
    assert found.data is not None
    assert found.data.images == match_audit.IMAGES == 200
    assert found.data.bound == 3.5
