"""Adapters: project an encoder's tokens to the width both sides share."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Modality, Tokens
from plait.nn.blocks import SelfBlock, padded
from plait.nn.dropout import Dropout
from plait.nn.positions import sinusoid_2d

__all__ = ["Adapter", "BottleneckAdapter", "LinearAdapter", "NoAdapter", "TransformerAdapter"]


class Adapter(nn.Module):
    """The contract of an adapter, and the one that changes nothing: two maps, of tokens and of the pooled vector.

    They are separate because code that reads only the pooled vector, as towers may, does not compute the tokens.

    Shapes: `Tokens` values (B, N, D_in) -> values (B, N, D); pooled (B, D'_in) -> (B, D') or None; the rest unchanged
    """

    def project(self, tokens: Tokens) -> Tensor:
        """Give the tokens' values in the common width, (B, N, D)."""
        return tokens.values

    def summarise(self, tokens: Tokens) -> Tensor | None:
        """Give the projected pooled vector, (B, D'), or None."""
        return tokens.pooled

    def summary_parts(self) -> tuple[nn.Module, ...]:
        """Give the modules that `summarise` uses and `project` does not."""
        return ()

    def forward(self, tokens: Tokens) -> Tokens:
        """Give both; valid, grid, boxes and levels are unchanged."""
        return replace(tokens, values=self.project(tokens), pooled=self.summarise(tokens))


class _Projection(nn.Module):
    """Layer norm, linear, dropout. The norm gives the outputs of all encoders one scale."""

    def __init__(self, width_in: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width_in)
        self.linear = nn.Linear(width_in, width)
        self.dropout = Dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        # Cached tokens may be in half precision; the norm is computed in the precision of its weights.
        return cast(Tensor, self.dropout(self.linear(self.norm(values.to(self.norm.weight.dtype)))))

    def real(self, tokens: Tokens) -> Tensor:
        """Project the real tokens and put 0 at padding, which is most of a batch of sentences."""
        if bool(tokens.valid.all()):
            return cast(Tensor, self(tokens.values))
        return padded(self(tokens.values[tokens.valid]), tokens.valid)


class _Sides(nn.Module):
    """What all adapters share: the projection of the pooled vector, and positions on a grid."""

    def __init__(
        self,
        *,
        width: int,
        pooled_width: int,
        pooled_width_in: int | None,
        modality: Modality,
        positions: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        if positions and width % 4:
            raise ConfigError(f"fusion.width: expected a multiple of 4 for positions on a grid, got {width}")
        self.positions = positions and modality == "image"
        self.pooled = None if pooled_width_in is None else _Projection(pooled_width_in, pooled_width, dropout)

    def place(self, tokens: Tokens, values: Tensor) -> Tensor:
        if not self.positions:
            return values
        if tokens.grid is None:
            raise ShapeError(
                "adapter: expected image tokens on a grid, which positions need, got tokens without one; "
                "set positions = false in fusion.adapter_options"
            )
        return values + sinusoid_2d(tokens.grid, values.shape[-1], device=values.device).to(values)

    def pool(self, tokens: Tokens) -> Tensor | None:
        if self.pooled is None:
            return None
        if tokens.pooled is None:
            raise ShapeError(
                "adapter: expected tokens with a pooled vector, since pooled_width_in was given, got none; "
                "build the adapter with the encoder's own pooled_width"
            )
        return cast(Tensor, self.pooled(tokens.pooled))


class _SidedAdapter(Adapter):
    """An adapter with the shared projection of the pooled vector."""

    sides: _Sides

    def summarise(self, tokens: Tokens) -> Tensor | None:
        return self.sides.pool(tokens)

    def summary_parts(self) -> tuple[nn.Module, ...]:
        return () if self.sides.pooled is None else (self.sides.pooled,)


class LinearAdapter(_SidedAdapter):
    """Project tokens by one matrix.

    Formula: dropout(W norm(x) + b), plus a fixed 2-D sinusoid with `positions`.

    Arguments:
        width_in:        of the input tokens
        width:           of the output tokens
        pooled_width_in: of the input pooled vector, which gets a projection of its own; None = there is none, or it is
                         not used
        pooled_width:    of the output pooled vector; 0 = width. One vector per side may be wider than tokens
        modality:        "text" or "image"
        positions:       add the tokens' positions on the image's grid; no effect for texts, which have positions
        dropout:         part of the outputs set to 0 in training
    Shapes: `Tokens` values (B, N, width_in) -> values (B, N, width); valid, grid and boxes unchanged; pooled
        (B, pooled_width_in) -> (B, pooled_width or width)
    Raises:
        ConfigError: `positions` with a width that is not a multiple of 4.
        ShapeError: `positions` without a grid, or `pooled_width_in` without a pooled vector.
    """

    def __init__(
        self,
        width_in: int,
        *,
        width: int,
        pooled_width_in: int | None = None,
        pooled_width: int = 0,
        modality: Modality = "text",
        positions: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = _Projection(width_in, width, dropout)
        self.sides = _Sides(
            width=width,
            pooled_width=pooled_width or width,
            pooled_width_in=pooled_width_in,
            modality=modality,
            positions=positions,
            dropout=dropout,
        )

    def project(self, tokens: Tokens) -> Tensor:
        return self.sides.place(tokens, self.tokens.real(tokens))


class BottleneckAdapter(_SidedAdapter):
    """Add a small residual change to the tokens in their own space, then project them.

    Formula: y = x + W_up gelu(W_down x) with x = norm(tokens); then W y + b. W_up starts at 0, so training starts from
    the plain projection.

    Arguments:
        width_in, width, pooled_width_in, pooled_width, modality, positions, dropout: see `LinearAdapter`
        bottleneck: width between W_down and W_up
    Shapes, Raises: see `LinearAdapter`
    Source: Houlsby et al. 2019. Differs: it follows the encoder instead of being inside its layers.
    """

    def __init__(
        self,
        width_in: int,
        *,
        width: int,
        pooled_width_in: int | None = None,
        pooled_width: int = 0,
        modality: Modality = "text",
        positions: bool = False,
        dropout: float = 0.0,
        bottleneck: int = 64,
    ) -> None:
        super().__init__()
        if bottleneck < 1:
            raise ConfigError(f"adapter option bottleneck: expected at least 1, got {bottleneck}")
        self.norm = nn.LayerNorm(width_in)
        self.down = nn.Linear(width_in, bottleneck)
        self.activation = nn.GELU()
        self.up = nn.Linear(bottleneck, width_in)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.linear = nn.Linear(width_in, width)
        self.dropout = Dropout(dropout)
        self.sides = _Sides(
            width=width,
            pooled_width=pooled_width or width,
            pooled_width_in=pooled_width_in,
            modality=modality,
            positions=positions,
            dropout=dropout,
        )

    def project(self, tokens: Tokens) -> Tensor:
        x = self.norm(tokens.values.to(self.norm.weight.dtype))
        x = x + self.up(self.activation(self.down(x)))
        return self.sides.place(tokens, self.dropout(self.linear(x)))


class TransformerAdapter(_SidedAdapter):
    """Project tokens, then apply self-attention within the side.

    Formula: norm(block_k(... block_1(W norm(x) + b + positions))).

    Arguments:
        width_in, width, pooled_width_in, pooled_width, modality, positions, dropout: see `LinearAdapter`; positions
            default to True
        layers: number of blocks k
        heads:  of each block's attention; divides `width`
    Shapes, Raises: see `LinearAdapter`. Tokens that are not valid are not attended to.
    Source: Vaswani et al. 2017, pre-norm blocks; over frozen features as in Messina et al. 2021 (TERN).
    """

    def __init__(
        self,
        width_in: int,
        *,
        width: int,
        pooled_width_in: int | None = None,
        pooled_width: int = 0,
        modality: Modality = "text",
        positions: bool = True,
        dropout: float = 0.0,
        layers: int = 1,
        heads: int = 8,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"adapter option layers: expected at least 1, got {layers}; without any, use 'linear'")
        self.tokens = _Projection(width_in, width, dropout)
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.sides = _Sides(
            width=width,
            pooled_width=pooled_width or width,
            pooled_width_in=pooled_width_in,
            modality=modality,
            positions=positions,
            dropout=dropout,
        )

    def project(self, tokens: Tokens) -> Tensor:
        values = self.sides.place(tokens, self.tokens.real(tokens))
        for block in self.blocks:
            values = block(values, tokens.valid)
        return cast(Tensor, self.norm(values))


class NoAdapter(Adapter):
    """Return tokens unchanged: for encoders that already share a space.

    Arguments:
        width_in, width, pooled_width_in, modality: see `LinearAdapter`
    Shapes: `Tokens` unchanged, in float32 where the cache has half precision
    Raises:
        ConfigError: the width of the encoder's tokens or pooled vector is not `width`.
    """

    def __init__(
        self, width_in: int, *, width: int, pooled_width_in: int | None = None, modality: Modality = "text"
    ) -> None:
        super().__init__()
        if width_in != width or pooled_width_in not in (None, width):
            raise ConfigError(
                f"adapter 'none': expected fusion.width = {width_in}, that of the {modality} encoder's tokens and "
                f"of its pooled vector ({pooled_width_in}), got {width}; set it to that, or choose another adapter"
            )

    def project(self, tokens: Tokens) -> Tensor:
        return tokens.values.float()

    def summarise(self, tokens: Tokens) -> Tensor | None:
        return None if tokens.pooled is None else tokens.pooled.float()
