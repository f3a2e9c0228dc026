"""The ladder under the audit: what is known of the published modules must come out."""

from __future__ import annotations

import pytest

from plait.fusion import FUSIONS
from plait.tasks.match.audit import audit_recipe
from tests.tasks.match.toys import recipe

LADDER = [name for name in FUSIONS if name.startswith("ladder/")]
FINDS_NOISE = ("ladder/v3", "ladder/v5", "ladder/v7")


def test_there_are_seventeen() -> None:
    assert len(LADDER) == 17


@pytest.mark.parametrize("name", LADDER)
def test_one_token_per_side_and_pairs_fused_first(name: str) -> None:
    found = audit_recipe(recipe(name=name, tokens="pooled", pairing="matched"), seeds=20)
    assert found.single_key
    assert "single-key" in found.flags
    assert found.partner > 0.3
    assert found.flags[0] == "leaky"  # a score that moves with a partner is no score of a pair
    if name in FINDS_NOISE:
        assert found.noise.accuracy >= 95.0
        assert found.verdict.startswith("Leaky: with random weights it finds ")
    else:
        assert 1.0 < found.noise.accuracy < found.noise.bound
        assert found.verdict.startswith("Leaky: it scores an image with a text differently")
    assert ("ignores the image" in found.flags) == (name == "ladder/v7")


@pytest.mark.parametrize("name", LADDER)
def test_tokens_and_all_pairs_are_honest(name: str) -> None:
    found = audit_recipe(recipe(name=name, tokens="tokens", pairing="all"), seeds=6)
    assert found.flags == ()
    assert found.partner == 0.0
    assert not found.single_key
    assert found.noise.accuracy <= found.noise.bound
