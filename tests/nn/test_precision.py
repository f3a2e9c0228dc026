"""Precision: decided by what the processor says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plait.core.errors import UnknownNameError
from plait.nn import precision
from plait.nn.precision import autocast_context, is_bf16_fast, resolve_precision, to_channels_last


@pytest.mark.parametrize(
    ("facts", "fast"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512bw\n", "fp32"),
        ("processor\t: 0\nflags\t\t: fpu avx512_bf16\n", "bf16"),
        ("processor\t: 0\nflags\t\t: fpu amx_tile amx_bf16\n", "bf16"),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", "bf16"),
        ("processor\t: 0\nmodel name\t: amx_bf16\n", "fp32"),
        (None, "fp32"),
    ],
)
def test_auto_reads_the_processors_flags(
    facts: str | None, fast: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "cpuinfo"
    if facts is not None:
        place.write_text(facts)
    monkeypatch.setattr(precision, "CPU_FACTS", place)
    is_bf16_fast.cache_clear()
    try:
        assert resolve_precision("auto") == fast
        assert resolve_precision("fp32") == "fp32"
        assert resolve_precision("bf16") == "bf16"
    finally:
        is_bf16_fast.cache_clear()


@pytest.mark.parametrize(("capability", "fast"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((9, 0), "bf16")])
def test_auto_reads_a_gpus_compute_capability(
    capability: tuple[int, int], fast: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    is_bf16_fast.cache_clear()
    try:
        assert resolve_precision("auto", torch.device("cuda", 0)) == fast
        assert resolve_precision("auto", "cuda") == fast
        assert resolve_precision("bf16", "cuda") == "bf16"
    finally:
        is_bf16_fast.cache_clear()


def test_auto_is_float32_on_apple_gpus_and_where_there_is_no_cuda() -> None:
    assert resolve_precision("auto", "mps") == "fp32"
    if not torch.cuda.is_available():
        assert resolve_precision("auto", "cuda") == "fp32"


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown precision 'bf61'; did you mean 'bf16'"):
        resolve_precision("bf61")


def test_the_context_sets_the_type_of_products_and_fp32_holds_inside_bf16() -> None:
    a = torch.ones(2, 2)
    with autocast_context("bf16"):
        assert (a @ a).dtype == torch.bfloat16
        with autocast_context("fp32"):
            assert (a @ a).dtype == torch.float32
    with autocast_context("fp32"):
        assert (a @ a).dtype == torch.float32


def test_channels_last_for_tensors_and_modules() -> None:
    assert to_channels_last(torch.zeros(2, 3, 4, 4)).is_contiguous(memory_format=torch.channels_last)
    weight = to_channels_last(torch.nn.Conv2d(3, 4, 3)).weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
