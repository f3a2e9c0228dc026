"""The head of classification: one logit per class from the image's pooled tokens."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import ClassLogits, Fused, Tokens
from plait.heads.base import Head
from plait.nn.dropout import Dropout
from plait.nn.pooling import AttentionPool, masked_max, masked_mean

__all__ = ["ClassHead"]


class ClassHead(Head[ClassLogits]):
    """Give one logit per class from the image's pooled tokens; the text is not read.

    Formula: W pool(image) + b; with `hidden` above 0: W2 gelu(W1 pool(image) + b1) + b2.

    Arguments:
        width:   D of the fused image
        classes: their names, in the order of the logits
        pool:    how tokens become one vector: "mean", "max" or "attention"; "encoder" = the image encoder's own
                 summary, which fusion "image_as_is" passes on
        hidden:  width of a hidden layer; 0 = one matrix: a linear probe of what is below
        dropout: before the last matrix
    Shapes:
        fused:   image (B, P, D) float
        returns: ClassLogits (B, K)
    Raises:
        ConfigError: an unknown pool, fewer than two classes or one that comes twice.
        ShapeError: the fused width is not `width`, or there is no summary.
    Source: Alain and Bengio 2016 (linear probes). Differs: one matrix also learns what lies between encoder and head.
    """

    def __init__(
        self, width: int, *, classes: Sequence[str] = (), pool: str = "mean", hidden: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if pool not in ("mean", "max", "attention", "encoder"):
            raise ConfigError(f"head 'class', pool: expected mean, max, attention or encoder, got {pool!r}")
        names = tuple(str(name) for name in classes)
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigError(
                f"head 'class', classes: expected at least two names, each once, got {len(names)}; leave them out, and "
                "they are those of the training split"
            )
        self.width = width
        self.classes = names
        self.pool_name = pool
        self.pool = AttentionPool(width) if pool == "attention" else None
        inner: list[nn.Module] = [nn.Linear(width, hidden), nn.GELU()] if hidden > 0 else []
        self.layers = nn.Sequential(*inner, Dropout(dropout), nn.Linear(hidden if hidden > 0 else width, len(names)))

    def forward(self, fused: Fused) -> ClassLogits:
        """Read fused pairs; see the class."""
        vectors = self._vectors(fused.image)
        if vectors.shape[-1] != self.width:
            raise ShapeError(f"head 'class': expected a fused image of width {self.width}, got {vectors.shape[-1]}")
        logits = self.layers(vectors)
        return ClassLogits(logits if fused.image_row is None else logits[fused.image_row])

    def _vectors(self, image: Tokens) -> Tensor:
        """Give one vector per image: Tokens (B, P, D) -> (B, D)."""
        if self.pool_name == "encoder":
            if image.pooled is None:
                raise ShapeError(
                    "head 'class': expected the image encoder's own summary, got none; use fusion 'image_as_is', and "
                    'an encoder that gives one, or pool = "mean"'
                )
            return image.pooled
        if self.pool is not None:
            pooled: Tensor = self.pool(image.values, image.valid)
            return pooled
        return (masked_max if self.pool_name == "max" else masked_mean)(image.values, image.valid)
