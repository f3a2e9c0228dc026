"""A text encoder trained from scratch: an embedding table with positions, and self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts, TextInput, Tokens
from plait.encoders.words.gru import PAD, check_vocabulary, is_word
from plait.nn.blocks import SelfBlock
from plait.nn.dropout import Dropout
from plait.nn.positions import sinusoid_1d

__all__ = ["WordTransformer", "words_transformer"]


class WordTransformer(nn.Module):
    """Read words with self-attention in both directions.

    Arguments:
        vocabulary_size: number of ids
        width:           of the tokens; even, and a multiple of `heads`
        depth:           number of blocks
        heads:           of each block's attention
        dropout:         part of the embedded words and of each block's outputs set to 0 in training
    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real
        returns: `Tokens` values (B, T, width), layer-normalised; start and end are attended to but not valid; no pooled
    Source: Vaswani et al. 2017, encoder. Differs: pre-norm, and a last norm.
    """

    def __init__(
        self, vocabulary_size: int, *, width: int = 256, depth: int = 2, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        check_vocabulary(vocabulary_size)
        if width % 2 or depth < 1:
            raise ConfigError(f"words_transformer: expected an even width and a depth above 0, got {width} and {depth}")
        self.embedding = nn.Embedding(vocabulary_size, width, padding_idx=PAD)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(SelfBlock(width, heads=heads, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        embedded = self.embedding(ids)
        values = self.dropout(embedded + sinusoid_1d(ids.shape[1], embedded.shape[-1], device=ids.device).to(embedded))
        for block in self.blocks:
            values = block(values, valid)
        return Tokens(self.norm(values), is_word(ids, valid))


def words_transformer(
    *,
    text_input: TextInput,
    vocabulary_size: int,
    width: int = 256,
    depth: int = 2,
    heads: int = 4,
    dropout: float = 0.0,
) -> EncoderParts:
    """Build a small transformer over words, trained from scratch with the model. See `WordTransformer`.

    Arguments:
        text_input:      the input with the vocabulary, made from training captions; ids 0, 1, 2 are padding, start, end
        vocabulary_size: number of ids it can give
    """
    tower = WordTransformer(vocabulary_size, width=width, depth=depth, heads=heads, dropout=dropout)
    identity = f"words_transformer vocabulary_size={vocabulary_size} width={width} depth={depth} heads={heads}"
    return EncoderParts(None, tower, width, None, text_input, identity)
