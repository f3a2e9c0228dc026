"""A BERT encoder for checkpoints of any size, cut in two where training begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.core.errors import CheckpointError, ConfigError
from plait.core.types import Tokens
from plait.nn.attention import attend

__all__ = ["BertBottom", "BertConfig", "BertModel", "BertTop", "Pool", "cut_bert", "load_bert"]

Pool = Literal["mean", "normalised_mean", "cls"]


@dataclass(frozen=True)
class BertConfig:
    """The numbers of a BERT's `config.json` that shape it.

    Fields:
        vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, max_position_embeddings,
        type_vocab_size: counts, named as in the file
        layer_norm_eps: added to the variance in every layer norm
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> BertConfig:
        """Read the fields from a parsed `config.json`.

        Raises:
            CheckpointError: a count is missing, or the file has an activation or positions that are not supported.
        """
        if data.get("hidden_act", "gelu") != "gelu" or data.get("position_embedding_type", "absolute") != "absolute":
            raise CheckpointError(
                f"{where}: expected hidden_act 'gelu' and position_embedding_type 'absolute', got "
                f"{data.get('hidden_act')!r} and {data.get('position_embedding_type')!r}; choose another checkpoint"
            )
        try:
            return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
        except TypeError as error:
            raise CheckpointError(f"{where}: not a complete BERT configuration: {error}") from None


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: ids.shape[1]]
        return self.LayerNorm(self.word_embeddings(ids) + positions + self.token_type_embeddings.weight[0])


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        batch, length, width = x.shape
        # One product of three times the width is faster than three, especially for short texts.
        weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        bias = torch.cat([self.query.bias, self.key.bias, self.value.bias])
        qkv = F.linear(x, weight, bias).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        # Without gradients the fused kernel is faster; its backward pass may be much slower, so `attend` decides.
        path: Literal["auto", "fused"] = "auto" if torch.is_grad_enabled() else "fused"
        mixed = attend(query, key, value, valid, path=path)
        return mixed.transpose(1, 2).reshape(batch, length, width)


class _Output(nn.Module):
    def __init__(self, width_in: int, width: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width)
        self.LayerNorm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class _Attention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.self = _SelfAttention(config.hidden_size, config.num_attention_heads)
        self.output = _Output(config.hidden_size, config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        return self.output(self.self(x, valid), x)


class _Intermediate(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.intermediate = _Intermediate(config)
        self.output = _Output(config.intermediate_size, config.hidden_size, config.layer_norm_eps)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        x = self.attention(x, valid)
        return self.output(self.intermediate(x), x)


class _Layers(nn.Module):
    """Layers named by their index in the whole model, so that a part has the checkpoint's state-dict keys."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.layer = nn.ModuleDict(layers)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        for layer in self.layer.values():
            x = layer(x, valid)
        return x


class BertModel(nn.Module):
    """Encode word pieces by post-norm self-attention layers.

    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real
        returns: (B, T, D) float, last hidden states; a row without a real token gives finite, meaningless numbers
    Source: Devlin et al. 2019, BERT. Differs: no pooler, no dropout, token type 0 only. The state-dict keys are those
    of transformers' `BertModel`, and the output equals it (a test compares them).
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        if config.hidden_size % config.num_attention_heads:
            raise ConfigError(
                f"expected hidden_size divisible by num_attention_heads, got {config.hidden_size} and "
                f"{config.num_attention_heads}; choose a head count that divides the width"
            )
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Layers({str(n): _Layer(config) for n in range(config.num_hidden_layers)})

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        return self.encoder(self.embeddings(ids), valid)


class BertBottom(nn.Module):
    """The embeddings and first layers: (ids, valid) -> Tokens at the cut; pooled and masked if nothing follows.

    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real
        returns: `Tokens` with values (B, T, D). With `pool`, see `finish`; else valid unchanged, no pooled.
    """

    def __init__(self, embeddings: nn.Module, layers: Mapping[str, nn.Module], *, pool: Pool | None) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.encoder = _Layers(layers)
        self.pool: Pool | None = pool

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        tokens = Tokens(self.encoder(self.embeddings(ids), valid), valid)
        return tokens if self.pool is None else finish(tokens, self.pool)


class BertTop(nn.Module):
    """The last layers: Tokens at the cut (special tokens valid) -> Tokens of words. See `finish`."""

    def __init__(self, layers: Mapping[str, nn.Module], *, pool: Pool) -> None:
        super().__init__()
        self.encoder = _Layers(layers)
        self.pool: Pool = pool

    def forward(self, tokens: Tokens) -> Tokens:
        # A cache may have half precision; the layers compute in the precision of their weights.
        values = tokens.values.to(next(self.parameters()).dtype)
        return finish(replace(tokens, values=self.encoder(values, tokens.valid)), self.pool)


def finish(tokens: Tokens, pool: Pool) -> Tokens:
    """Pool the sentence, then mark the first and the last real token of each row as not valid.

    [CLS] and [SEP] depend on the sentence but are not words: they must not be matched with regions. The pooled mean
    includes them, as in sentence-transformers.

    Formula: mean over real tokens; `normalised_mean` divides it by its length; `cls` takes the first token.
    Shapes:
        tokens:  values (B, T, D), valid (B, T) True = real, special tokens included
        returns: the same values, valid without the special tokens, pooled (B, D)
    """
    valid = tokens.valid
    if pool == "cls":
        pooled = tokens.values[:, 0]
    else:
        weight = valid.unsqueeze(-1).to(tokens.values.dtype)
        pooled = (tokens.values * weight).sum(1) / weight.sum(1).clamp(min=1)
        if pool == "normalised_mean":
            pooled = F.normalize(pooled.float(), dim=-1).to(pooled.dtype)
    place = torch.arange(valid.shape[1], device=valid.device)
    last = valid.sum(1, keepdim=True) - 1
    return replace(tokens, valid=valid & (place > 0) & (place < last), pooled=pooled)


def load_bert(config: BertConfig, state: Mapping[str, Tensor], where: str) -> BertModel:
    """Build a model from a checkpoint's tensors; heads, poolers and position buffers of the file are ignored.

    Old files prefix every key with "bert." and call a layer norm's weight gamma and its bias beta.

    Raises:
        CheckpointError: a tensor is missing or has another shape.
    """
    model = BertModel(config)
    wanted = model.state_dict()
    given = {}
    for key, value in state.items():
        key = key.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
        given[key.replace("LayerNorm.beta", "LayerNorm.bias")] = value
    for key, value in wanted.items():
        if key not in given or given[key].shape != value.shape:
            got = tuple(given[key].shape) if key in given else "nothing"
            raise CheckpointError(
                f"{where}: expected tensor {key!r} of shape {tuple(value.shape)}, got {got}; "
                "the weights and config.json do not fit each other, download both again"
            )
    model.load_state_dict({key: given[key].to(torch.float32) for key in wanted})
    return model.eval()


def cut_bert(model: BertModel, trainable: int, pool: Pool) -> tuple[BertBottom, BertTop | None]:
    """Cut a model before its last `trainable` layers: the frozen bottom, and the top that is trained.

    Raises:
        ConfigError: fewer layers than `trainable`, or a negative number.
    """
    layers: Sequence[tuple[str, nn.Module]] = list(model.encoder.layer.items())
    if not 0 <= trainable <= len(layers):
        raise ConfigError(f"text.trainable: expected 0 to {len(layers)} (this encoder's layers), got {trainable}")
    cut = len(layers) - trainable
    bottom = BertBottom(model.embeddings, dict(layers[:cut]), pool=None if trainable else pool)
    bottom.requires_grad_(False).eval()
    top = BertTop(dict(layers[cut:]), pool=pool) if trainable else None
    return bottom, top
