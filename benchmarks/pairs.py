"""Stacked cross-attention over all pairs: the plain loop over captions against the kernel of `plait.nn.pairs`.

Run `python -m benchmarks.pairs` for a line to read, with `--json` for one to parse.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from plait.nn.pairs import pool_similarities, stacked_similarities

__all__ = ["Pairs", "kernel_scores", "loop_scores", "loop_similarities", "main", "make_pairs", "measure"]

TEMPERATURE = 9.0
LSE_SCALE = 6.0


@dataclass(frozen=True)
class Pairs:
    """Random captions and images.

    Fields:
        words:   (C, T, D) float32, captions of 1/3 T to T words, padded
        lengths: words of each caption
        regions: (B, P, D) float32
    """

    words: Tensor
    lengths: tuple[int, ...]
    regions: Tensor

    @property
    def words_valid(self) -> Tensor:
        """(C, T) bool, True = real word."""
        return torch.arange(self.words.shape[1]) < torch.tensor(self.lengths)[:, None]

    @property
    def count(self) -> int:
        """Number of pairs."""
        return len(self.words) * len(self.regions)


def make_pairs(*, images: int, regions: int, captions: int, words: int, width: int, seed: int = 0) -> Pairs:
    """Draw random pairs; the longest caption has `words` words."""
    chance = torch.Generator().manual_seed(seed)
    lengths = torch.randint(max(1, words // 3), words + 1, (captions,), generator=chance).tolist()
    lengths[0] = words
    return Pairs(
        words=torch.randn(captions, words, width, generator=chance),
        lengths=tuple(lengths),
        regions=torch.randn(images, regions, width, generator=chance),
    )


def loop_similarities(words: Tensor, regions: Tensor, *, temperature: float) -> Tensor:
    """Compare one caption's words with all images, step by step as the formula reads.

    Shapes: words (T, D), regions (B, P, D), both of length 1 -> (B, T) cosine of each word with its context.
    """
    # The published code copies the words for every image, so the plain loop does as well.
    queries = words.repeat(len(regions), 1, 1)
    raw = regions @ queries.transpose(1, 2)
    attention = F.leaky_relu(raw, 0.1)
    attention = attention / (attention.norm(dim=2, keepdim=True) + 1e-8)
    weights = (attention.transpose(1, 2) * temperature).softmax(dim=2)
    context = weights @ regions
    product = (queries * context).sum(2)
    return product / (queries.norm(dim=2) * context.norm(dim=2)).clamp(min=1e-8)


def loop_scores(pairs: Pairs, *, temperature: float = TEMPERATURE) -> Tensor:
    """Score all pairs (B, C) caption by caption, each stripped of its padding, pooled by LogSumExp."""
    regions = F.normalize(pairs.regions, dim=2)
    columns = []
    for words, length in zip(pairs.words, pairs.lengths, strict=True):
        similarities = loop_similarities(F.normalize(words[:length], dim=1), regions, temperature=temperature)
        columns.append((similarities * LSE_SCALE).exp().sum(1, keepdim=True).log() / LSE_SCALE)
    return torch.cat(columns, dim=1)


def kernel_scores(pairs: Pairs, *, temperature: float = TEMPERATURE) -> Tensor:
    """Score all pairs (B, C) with the kernel, pooled by LogSumExp."""
    valid = pairs.words_valid
    similarities = stacked_similarities(
        pairs.words,
        valid,
        pairs.regions,
        torch.ones(pairs.regions.shape[:2], dtype=torch.bool),
        temperature=temperature,
    )
    return pool_similarities(similarities, valid[:, None], pool="lse", lse_scale=LSE_SCALE).T


def _train(score: Callable[[Pairs], Tensor], pairs: Pairs) -> None:
    """Go forward and backward once, to words and regions."""
    leaves = Pairs(pairs.words.clone().requires_grad_(), pairs.lengths, pairs.regions.clone().requires_grad_())
    score(leaves).square().mean().backward()


def _seconds(step: Callable[[], object]) -> float:
    start = perf_counter()
    step()
    return perf_counter() - start


def measure(pairs: Pairs, *, repeats: int, training_repeats: int) -> dict[str, float]:
    """Time loop and kernel in turn, so that both meet the same machine; take medians."""
    with torch.no_grad():
        difference = (loop_scores(pairs) - kernel_scores(pairs)).abs().max().item()
        scoring = [
            (_seconds(lambda: loop_scores(pairs)), _seconds(lambda: kernel_scores(pairs))) for _ in range(repeats)
        ]
    loop_s, kernel_s = (median(times) for times in zip(*scoring, strict=True))
    result = {
        "loop_pairs_s": pairs.count / loop_s,
        "kernel_pairs_s": pairs.count / kernel_s,
        "ratio": loop_s / kernel_s,
        "max_difference": difference,
    }
    if training_repeats:
        training = [
            (_seconds(lambda: _train(loop_scores, pairs)), _seconds(lambda: _train(kernel_scores, pairs)))
            for _ in range(training_repeats)
        ]
        loop_s, kernel_s = (median(times) for times in zip(*training, strict=True))
        result["training_ratio"] = loop_s / kernel_s
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--regions", type=int, default=36, help="regions an image")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--words", type=int, default=12, help="words of the longest caption")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5, help="of scoring; medians are taken")
    parser.add_argument("--training-repeats", type=int, default=1, help="of scoring and its gradient; 0 = leave out")
    options = parser.parse_args(arguments)
    pairs = make_pairs(
        images=options.images,
        regions=options.regions,
        captions=options.captions,
        words=options.words,
        width=options.width,
    )
    result = measure(pairs, repeats=options.repeats, training_repeats=options.training_repeats)
    if options.json:
        print(json.dumps(result))
        return 0
    training = f"; with the gradient {result['training_ratio']:.1f}x" if "training_ratio" in result else ""
    print(
        f"{options.images} images x {options.regions} regions against {options.captions} captions of up to "
        f"{options.words} words, {options.width} wide, fp32, {torch.get_num_threads()} threads: plain loop "
        f"{result['loop_pairs_s']:,.0f} pairs/s, kernel {result['kernel_pairs_s']:,.0f} pairs/s, "
        f"{result['ratio']:.1f}x{training}; largest difference {result['max_difference']:.1e}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
