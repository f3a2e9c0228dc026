"""A training step of the ladder as the textbook runs it, against a step from cached tokens.

As printed, BERT-base and ResNet-50 run and are fine-tuned at every step, batch 24. Plait runs its frozen encoders once
and trains from their tokens, with the recipe `ladder`. Weights and inputs are random: only time is measured.

Run `python -m benchmarks.printed_step` for text, with `--json` for JSON. Needs transformers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plait.api import recipe as read_recipe
from plait.build import make_fusion
from plait.core.types import Batch, Tokens
from plait.model import Learner
from plait.runs.assemble import assemble, completed

__all__ = ["Printed", "main", "measure"]

PRINTED_BATCH = 24
# The photos' pooled vector is as wide as the norm that reads it.
IMAGE_POOLED_NORM = "adapter.sides.pooled.norm.weight"
CAPTIONS_OF_FLICKR8K, EPOCHS, VERSIONS = 30_455, 5, 17


@dataclass(frozen=True)
class Sizes:
    """How large both sides are; the tests use small ones."""

    text_layers: int = 12
    text_width: int = 768
    image_width: int = 2048
    image_depths: tuple[int, ...] = (3, 4, 6, 3)
    side_px: int = 224
    words: int = 20
    batch: int = PRINTED_BATCH
    photos: int = 128


class Printed(nn.Module):
    """Both encoders, trained, pooled to 256 and fused as one token per side: the textbook's model."""

    def __init__(self, fusion: nn.Module, sizes: Sizes) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel, ResNetConfig, ResNetModel

        width = sizes.text_width
        text = BertConfig(
            hidden_size=width, num_hidden_layers=sizes.text_layers, num_attention_heads=12, intermediate_size=4 * width
        )
        image = ResNetConfig(
            depths=list(sizes.image_depths), hidden_sizes=[sizes.image_width // 2**i for i in (3, 2, 1, 0)]
        )
        self.text, self.image = BertModel(text), ResNetModel(image)
        self.text_project, self.image_project = nn.Linear(width, 256), nn.Linear(sizes.image_width, 256)
        self.fusion = fusion

    def forward(self, ids: Tensor, pixels: Tensor) -> Tensor:
        """Give the (N, N) scores of fused pairs from ids (N, T) int64 and pixels (N, 3, H, W) float."""
        words = self.text_project(self.text(ids).last_hidden_state[:, 0])[:, None]
        regions = self.image_project(self.image(pixels).pooler_output.flatten(1))[:, None]
        real = torch.ones(len(ids), 1).bool()
        fused = self.fusion(Tokens(words, real), Tokens(regions, real))
        text, image = (F.normalize(side.values[:, 0], dim=-1) for side in (fused.text, fused.image))
        return image @ text.T / 0.07


def measure(version: str, *, steps: int = 3, sizes: Sizes | None = None) -> dict[str, Any]:
    """Time steps of both kinds alternately, in one run.

    Returns: {"version", "printed_step_s", "printed_pairs_s", "cached_step_s", "cached_pairs_s", "ratio",
        "printed_ladder_h", "cached_ladder_h"}; a pair is one caption seen once; the ladders are 17 versions x 5 epochs
        of Flickr8k's training captions, by these steps.
    """
    sizes = sizes or Sizes()
    torch.manual_seed(0)
    recipe = read_recipe("ladder")
    fusion = recipe.variants.get(version, replace(recipe.fusion, name=version, options={}))
    recipe = replace(recipe, fusion=recipe.fusion if version == recipe.fusion.name else fusion, variants={})
    learner = assemble(completed(recipe))
    torch.manual_seed(0)
    printed = _printed_step(make_fusion(version, {}, width=256), sizes)
    cached = _cached_step(learner, sizes, recipe.train.captions_per_image)
    times: dict[str, list[float]] = {"printed": [], "cached": []}
    for turn in range(steps + 1):
        for name, step in (("printed", printed), ("cached", cached)):
            began = perf_counter()
            step()
            if turn:  # the first step of each warms up
                times[name].append(perf_counter() - began)
    printed_s, cached_s = median(times["printed"]), median(times["cached"])
    pairs = {"printed": sizes.batch, "cached": sizes.photos * recipe.train.captions_per_image}
    hours = CAPTIONS_OF_FLICKR8K * EPOCHS * VERSIONS / 3600
    return {
        "version": version,
        "printed_step_s": printed_s,
        "printed_pairs_s": pairs["printed"] / printed_s,
        "cached_step_s": cached_s,
        "cached_pairs_s": pairs["cached"] / cached_s,
        "ratio": (pairs["cached"] / cached_s) / (pairs["printed"] / printed_s),
        "printed_ladder_h": hours * printed_s / pairs["printed"],
        "cached_ladder_h": hours * cached_s / pairs["cached"],
    }


def _printed_step(fusion: nn.Module, sizes: Sizes) -> Callable[[], None]:
    model = Printed(fusion, sizes).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids = torch.randint(1000, 2000, (sizes.batch, sizes.words))
    pixels = torch.randn(sizes.batch, 3, sizes.side_px, sizes.side_px)
    truth = torch.arange(sizes.batch)

    def step() -> None:
        scores = model(ids, pixels)
        optimiser.zero_grad(set_to_none=True)
        ((F.cross_entropy(scores, truth) + F.cross_entropy(scores.T, truth)) / 2).backward()
        optimiser.step()

    return step


def _cached_step(learner: Learner, sizes: Sizes, captions: int) -> Callable[[], None]:
    learner.train()
    optimiser = torch.optim.AdamW(learner.trained_parameters())
    rows = sizes.photos * captions
    lengths = torch.randint(6, sizes.words + 1, (rows,))
    valid = torch.arange(sizes.words) < lengths[:, None]
    batch = Batch(
        text_ids=None,
        text_valid=None,
        pixels=None,
        target=torch.arange(sizes.photos).repeat_interleave(captions),
        text=Tokens(torch.randn(rows, sizes.words, 384), valid, pooled=torch.randn(rows, 384)),
        image=Tokens(
            torch.randn(sizes.photos, 64, 352),
            torch.ones(sizes.photos, 64).bool(),
            grid=(8, 8),
            pooled=torch.randn(sizes.photos, dict(learner.model.image.named_parameters())[IMAGE_POOLED_NORM].shape[0]),
        ),
        image_row=torch.arange(sizes.photos).repeat_interleave(captions),
    )

    def step() -> None:
        loss = learner.loss(batch).total
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default="ladder/v9")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found = measure(given.version, steps=given.steps)
    if given.json:
        print(json.dumps(found))
    else:
        print(
            f"{found['version']}: as printed {found['printed_step_s']:.2f} s per step of {PRINTED_BATCH} pairs, "
            f"from the cache {found['cached_step_s']:.2f} s per step; {found['ratio']:.0f} times the pairs per second; "
            f"all versions, five epochs: {found['printed_ladder_h']:.0f} h against {found['cached_ladder_h']:.1f} h"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
