"""Noise: the bound by hand, chance for honest scores, everything for a leak, and the random state left alone."""

from __future__ import annotations

import pytest
import torch

from plait.audit.by_name import audit_fusion
from plait.audit.noise import binomial_bound, noise_accuracy
from plait.audit.subject import WIDTH, subject_of
from plait.core.config import FusionSettings
from plait.core.errors import ConfigError


def test_the_bound_by_hand() -> None:
    # three fair coins: P(3) = 1/8, P(2 or 3) = 1/2
    assert binomial_bound(3, 0.5, false_alarm=0.2) == 2
    assert binomial_bound(3, 0.5, false_alarm=0.12) == 3
    assert binomial_bound(3, 0.5, false_alarm=0.6) == 1
    assert binomial_bound(5, 1.0) == 5
    # P(X > bound) <= 1e-5 < P(X >= bound), by a plain sum
    ways = {0: 1.0}
    for _ in range(240):
        ways = {k: ways.get(k, 0.0) * 23 / 24 + ways.get(k - 1, 0.0) / 24 for k in range(len(ways) + 1)}
    bound = binomial_bound(240, 1 / 24)
    assert sum(p for k, p in ways.items() if k > bound) <= 1e-5 < sum(p for k, p in ways.items() if k >= bound)


@pytest.mark.parametrize(("name", "tokens"), [("late", "tokens"), ("scan_t2i", "tokens"), ("product", "pooled")])
def test_honest_scores_are_at_chance(name: str, tokens: str) -> None:
    found = noise_accuracy(subject_of(FusionSettings(name=name, tokens=tokens, pairing="all")), seeds=range(6))  # type: ignore[arg-type]
    assert found.chance == pytest.approx(100 / 24)
    assert not found.is_leaky
    assert len(found.by_seed) == 6
    assert found.bound < 15


def test_a_leak_is_found() -> None:
    """`product` gives both sides of a pair the same vector, so fusing first answers everything."""
    found = noise_accuracy(subject_of(FusionSettings(name="product", pairing="matched")), seeds=range(2))
    assert found.accuracy == 100.0
    assert found.is_leaky


def test_narrow_where_the_options_allow_it() -> None:
    assert subject_of(FusionSettings(name="cross", width=256)).fusion.width == WIDTH
    assert subject_of(FusionSettings(name="cross", width=32, options={"heads": 4})).fusion.width == 32
    own = FusionSettings(name="cross", width=96, options={"heads": 12})  # 12 divides 96, not 64
    assert subject_of(own).fusion.width == 96


def test_the_encoders_own_summary_has_its_own_width() -> None:
    options = {"pool": "encoder", "pooled_width": 40, "hidden": 8}
    audit = audit_fusion(FusionSettings(name="late", options=options), seeds=2, batch=8)
    assert audit.influence["text_out"]["text"] > 0.5
    assert audit.influence["text_out"]["image"] == 0.0


def test_leaves_the_random_state_and_repeats_itself() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = audit_fusion(FusionSettings(name="cross", options={"dropout": 0.1}), seeds=2, batch=8)
    assert torch.equal(torch.get_rng_state(), before)
    assert audit_fusion(FusionSettings(name="cross", options={"dropout": 0.1}), seeds=2, batch=8) == first


def test_refuses_what_says_nothing() -> None:
    with pytest.raises(ConfigError, match="expected at least 4 pairs a batch and 1 seed, got 3 and 1"):
        audit_fusion(FusionSettings(), batch=3, seeds=1)
    with pytest.raises(ConfigError, match="cannot be paired 'matched'; it can be: all"):
        audit_fusion(FusionSettings(name="max_sim", pairing="matched"))
