"""The ladder under the audit: what is known of the published modules must come out."""

from __future__ import annotations

import pytest

from plait.audit.by_name import audit_fusion
from plait.core.config import FusionSettings
from plait.fusion import FUSIONS

RUNGS = [name for name in FUSIONS if name.startswith("ladder/")]
LEAKS = ("ladder/v3", "ladder/v5", "ladder/v7")


def test_there_are_seventeen() -> None:
    assert len(RUNGS) == 17


@pytest.mark.parametrize("name", RUNGS)
def test_one_token_a_side_and_pairs_fused_first(name: str) -> None:
    found = audit_fusion(FusionSettings(name=name, tokens="pooled", pairing="matched"))
    assert found.single_key
    assert "single-key" in found.flags
    assert found.partner > 0.3
    if name in LEAKS:
        assert found.noise.accuracy >= 95.0
        assert found.flags[0] == "leaky"
        assert found.verdict.startswith("Leaky: with random weights it finds ")
    else:
        assert 1.0 < found.noise.accuracy < found.noise.bound
        assert "leaky" not in found.flags
    assert ("ignores the image" in found.flags) == (name == "ladder/v7")


@pytest.mark.parametrize("name", RUNGS)
def test_tokens_and_all_pairs_are_honest(name: str) -> None:
    found = audit_fusion(FusionSettings(name=name, tokens="tokens", pairing="all"), seeds=6)
    assert found.flags == ()
    assert found.partner == 0.0
    assert not found.single_key
    assert found.noise.accuracy <= found.noise.bound
