"""Models made to fail one check each: what each side becomes is a function of both mean tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plait.core.types import AttentionMap, Fused, Tokens
from plait.nn.pairs import cosine_similarities

__all__ = ["WIDTH", "Apart", "BatchMean", "Idle", "Sum", "TextOnly", "Toy", "noise"]

WIDTH = 8


class Toy(nn.Module):
    """A fusion of aligned means, and the functions that audits take."""

    def __init__(self) -> None:
        super().__init__()
        self.text_map = nn.Linear(WIDTH, WIDTH)
        self.image_map = nn.Linear(WIDTH, WIDTH)

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_map(text), self.image_map(image)

    def fused_means(self, text: Tokens, image: Tokens) -> tuple[Tensor, Tensor]:
        return self.sides(text.values.mean(1), image.values.mean(1))

    def matched(self, text: Tokens, image: Tokens) -> Tensor:
        """Fuse row i with row i, compare afterwards: the leaky way, (N, N)."""
        return cosine_similarities(*self.fused_means(text, image))

    def all_pairs(self, text: Tokens, image: Tokens) -> Tensor:
        """Fuse every text with every image: (N, N), row = image."""
        rows = len(image)
        texts = text.take(torch.arange(len(text)).repeat(rows))
        images = image.take(torch.arange(rows).repeat_interleave(len(text)))
        text_out, image_out = self.fused_means(texts, images)
        return (text_out * image_out).sum(-1).view(rows, len(text))

    def outputs(self, text: Tokens, image: Tokens) -> dict[str, Tensor]:
        text_out, image_out = self.fused_means(text, image)
        score = torch.nn.functional.cosine_similarity(text_out, image_out)
        return {"image_out": image_out, "text_out": text_out, "score": score}

    def fuse(self, text: Tokens, image: Tokens) -> Fused:
        """Fuse with a map of even attention of words over regions."""
        text_out, image_out = self.fused_means(text, image)
        real = torch.ones(len(text), 1, dtype=torch.bool)
        keys = image.values.shape[1]
        shown = AttentionMap(torch.ones(len(text), 1, text.values.shape[1], keys) / keys, "text", "image")
        return Fused(Tokens(text_out[:, None], real), Tokens(image_out[:, None], real), (shown,))


class Apart(Toy):
    """Each side alone: nothing to find in noise."""


class Sum(Toy):
    """Both sides become their sum: the leak."""

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return text + image, text + image


class BatchMean(Toy):
    """Texts are centred on their mean over the call: a score depends on other pairs, though it knows no answer."""

    def all_pairs(self, text: Tokens, image: Tokens) -> Tensor:
        centre = text.values.mean((0, 1))
        return super().all_pairs(Tokens(text.values - centre, text.valid), image)


class TextOnly(Toy):
    """Both sides come from the text: the image is ignored."""

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_map(text), self.text_map(text)


class Idle(Toy):
    """Half of one matrix and all of a bias are never used."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = nn.Parameter(torch.randn(2 * WIDTH, WIDTH))
        self.idle = nn.Parameter(torch.zeros(3))

    def sides(self, text: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return text @ self.packed[:WIDTH].T, self.image_map(image)


def noise(rows: int = 12, count: int = 3, seed: int = 0) -> tuple[Tokens, Tokens]:
    """Give independent tokens for both sides."""
    random = torch.Generator().manual_seed(seed)

    def side() -> Tokens:
        return Tokens(torch.randn(rows, count, WIDTH, generator=random), torch.ones(rows, count, dtype=torch.bool))

    return side(), side()
