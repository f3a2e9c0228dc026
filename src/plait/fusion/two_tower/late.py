"""No token fusion: each side becomes one vector, and the two are compared. Every comparison needs this control."""

from __future__ import annotations

from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Fused, Similarities, Tokens
from plait.fusion.base.fusion import TwoTowerFusion
from plait.fusion.base.one_token import one_token
from plait.nn.dropout import Dropout
from plait.nn.pairs import cosine_similarities, unit_vectors
from plait.nn.pooling import AttentionPool, GeneralisedPool, masked_max, masked_mean

__all__ = ["LateFusion"]

POOLS = ("mean", "max", "attention", "gpo", "encoder")


class LateFusion(TwoTowerFusion):
    """Pool each side to one vector, alone.

    Formula: v = p + W2 gelu(W1 p), with p the side's pooled tokens (W1, W2 only if hidden > 0); where `add_pooled`,
    p = pool(tokens) / |pool(tokens)| + e / |e| with e the encoder's own summary. The score is cos(v_text, v_image).

    Arguments:
        width:      D of both sides
        pool:       "mean", "max", "attention" (learned query), "gpo" (learned weights on sorted values) or "encoder"
                    (the encoder's own summary in place of the tokens)
        image_pool: another pool for the image side; "" = the same
        add_pooled: add the encoder's own summary to the pooled tokens
        pooled_width: width of the encoder's own summary, where the adapter makes it another than the tokens'; 0 = D
        hidden:     width of a residual two-layer projection per side; 0 = none
        dropout:    on its hidden layer
    Shapes:
        text:    values (B, T, D) float; image: values (B, P, D) float; row i of both is one pair
        returns: Fused with one token per side, (B, 1, D); no maps, since nothing attends across
    Raises:
        ConfigError: an unknown pool, or vectors of two widths.
        ShapeError: the encoder's summary is requested and there is none of width D.
    Source: Faghri et al. 2018 (VSE++); gpo and the residual projection: Chen et al. 2021 (VSE-infinity). Differs: the
    projection to the common width happens before, in the adapters; VSE-infinity adds the encoder's linear map to its
    MLP, here the MLP is added to the pooled vector itself.
    """

    gives_maps = False
    tested_options = (
        {"pool": "max"},
        {"pool": "attention"},
        {"pool": "gpo"},
        {"pool": "encoder"},
        {"add_pooled": True, "hidden": 8, "dropout": 0.1},
        {"pool": "mean", "image_pool": "gpo"},
    )

    def __init__(
        self,
        width: int,
        *,
        pool: str = "mean",
        image_pool: str = "",
        add_pooled: bool = False,
        pooled_width: int = 0,
        hidden: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if pooled_width not in (0, width) and (pool, image_pool or pool) != ("encoder", "encoder"):
            raise ConfigError(
                f"fusion 'late', pooled_width: expected 0 or {width} unless both sides pool = \"encoder\", got "
                f"{pooled_width}; vectors that are compared or added have one width"
            )
        width = pooled_width or width
        self.add_pooled = add_pooled
        self.text_pool = _Pool(width, pool)
        self.image_pool = _Pool(width, image_pool or pool)
        self.text_project = _projection(width, hidden, dropout)
        self.image_project = _projection(width, hidden, dropout)

    @property
    def reads_summaries(self) -> bool:
        """Whether the encoders' own summaries are read and no token is."""
        return self.text_pool.kind == "encoder" and self.image_pool.kind == "encoder"

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; see the class."""
        return Fused(one_token(self.text_vector(text)), one_token(self.image_vector(image)))

    def similarities(self, text: Tokens, image: Tokens) -> Similarities:
        """Compare every image (B rows) with every caption (C rows): values (B, C, 1)."""
        values = cosine_similarities(self.text_vector(text), self.image_vector(image))[..., None]
        return Similarities(values, values.new_ones((1, 1, 1)).bool())

    def text_vector(self, text: Tokens) -> Tensor:
        """Give one vector per text: Tokens (C, T, D) -> (C, D)."""
        return _residual(self._summed(text, self.text_pool, "text"), self.text_project)

    def image_vector(self, image: Tokens) -> Tensor:
        """Give one vector per image: Tokens (B, P, D) -> (B, D)."""
        return _residual(self._summed(image, self.image_pool, "image"), self.image_project)

    def _summed(self, tokens: Tokens, pool: _Pool, side: str) -> Tensor:
        if not self.add_pooled or pool.kind == "encoder":
            return pool(tokens, side)
        return unit_vectors(pool(tokens, side)) + unit_vectors(_summary(tokens, side, pool.width))


class _Pool(nn.Module):
    """One side's pool, by name."""

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        if kind not in POOLS:
            raise ConfigError(f"fusion 'late', pool: expected one of {', '.join(POOLS)}, got {kind!r}")
        self.kind = kind
        self.width = width
        self.learned: nn.Module | None = None
        if kind == "attention":
            self.learned = AttentionPool(width)
        elif kind == "gpo":
            self.learned = GeneralisedPool()

    def forward(self, tokens: Tokens, side: str) -> Tensor:
        """Give (B, D) from tokens (B, N, D)."""
        if self.kind == "encoder":
            return _summary(tokens, side, self.width)
        if self.learned is not None:
            pooled: Tensor = self.learned(tokens.values, tokens.valid)
            return pooled
        pool = masked_max if self.kind == "max" else masked_mean
        return pool(tokens.values, tokens.valid)


def _summary(tokens: Tokens, side: str, width: int) -> Tensor:
    if tokens.pooled is None or tokens.pooled.shape[-1] != width:
        got = "none" if tokens.pooled is None else f"width {tokens.pooled.shape[-1]}"
        raise ShapeError(
            f"fusion 'late': expected the {side} encoder's own summary of width {width}, got {got}; choose an encoder "
            f'that has one and an adapter that projects it, or pool = "mean"'
        )
    return tokens.pooled


def _projection(width: int, hidden: int, dropout: float) -> nn.Module | None:
    if hidden <= 0:
        return None
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, width))


def _residual(vector: Tensor, project: nn.Module | None) -> Tensor:
    return vector if project is None else vector + project(vector)
