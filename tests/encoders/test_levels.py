"""Finer grids of the packaged image encoder: what they hold, where they go by, and what is refused."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from plait.core.errors import ConfigError
from plait.encoders.efficientnet import lite2
from plait.encoders.efficientnet.lite2 import efficientnet_lite2

pytestmark = pytest.mark.skipif(find_spec(lite2.MODULE) is None, reason="package with the weights is not installed")


def photos(count: int = 5, size: int = 96) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_levels_are_what_the_finer_encoders_give() -> None:
    x = photos()
    with torch.inference_mode():
        parts = efficientnet_lite2(size_px=96, levels=[16, 8])
        tokens = parts.trained(parts.frozen(x))  # type: ignore[misc]
        middle = efficientnet_lite2(size_px=96, stride=16).frozen(x)  # type: ignore[misc]
        fine = efficientnet_lite2(size_px=96, stride=8).frozen(x)  # type: ignore[misc]
    assert [level.grid for level in tokens.levels] == [(6, 6), (12, 12)]
    assert torch.allclose(tokens.levels[0].values, middle.values, atol=1e-4)
    assert torch.allclose(tokens.levels[1].values, fine.values, atol=1e-4)
    assert parts.level_widths == (120, 48)
    assert tokens.values.shape == (5, 9, 1280)
    assert tokens.pooled.shape == (5, 1280)


def test_levels_pass_trained_blocks_unchanged() -> None:
    x = photos(2)
    parts = efficientnet_lite2(size_px=96, levels=[16, 8], trainable=6)
    with torch.inference_mode():
        frozen = parts.frozen(x)  # type: ignore[misc]
        tokens = parts.trained(frozen)  # type: ignore[misc]
        want = efficientnet_lite2(size_px=96, levels=[16, 8]).frozen(x)  # type: ignore[misc]
    assert torch.equal(tokens.levels[1].values, frozen.levels[1].values)
    assert torch.allclose(tokens.levels[0].values, want.levels[0].values, atol=1e-4)


def test_only_levels_change_the_identity() -> None:
    bare = efficientnet_lite2(size_px=64)
    assert "levels" not in bare.identity
    assert bare.level_widths == ()
    names = {efficientnet_lite2(size_px=64, levels=levels).identity for levels in ([], [16], [8], [16, 8])}
    assert len(names) == 4
    assert bare.identity in names
    with torch.inference_mode():
        assert bare.frozen(photos(1, 64)).levels == ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"levels": [8, 16]}, r"levels: expected strides finer than 32, coarse to fine, of \[16, 8\]; got \[8, 16\]"),
        ({"levels": [32]}, r"finer than 32"),
        ({"levels": [16, 16]}, r"coarse to fine"),
        ({"levels": [16], "stride": 16}, r"finer than 16, coarse to fine, of \[8\]; got \[16\]"),
        ({"levels": [8], "stride": 8}, r"of none; got \[8\]"),
        ({"levels": [16], "trainable": 7}, r"stride 16 ends at block 15, but only 14 blocks are frozen"),
        ({"levels": [8], "trainable": -1}, r"only 0 blocks are frozen; train fewer"),
        ({"levels": [16], "trainable": 2, "augment": True}, r"augment: it would shift the tokens against their finer"),
    ],
)
def test_what_cannot_be_had_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        efficientnet_lite2(size_px=64, **options)  # type: ignore[arg-type]
