"""Words without context: an embedding table, trained from scratch."""

from __future__ import annotations

from torch import Tensor, nn

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts, TextInput, Tokens
from plait.encoders.words.gru import PAD, check_vocabulary
from plait.nn.dropout import Dropout

__all__ = ["WordTable", "word_table"]


class WordTable(nn.Module):
    """Look each word up.

    A token depends on its own word alone, so that a decoder which is given the words up to t knows nothing of the word
    at t + 1. Start and end are tokens like the others: a caption begins with one and ends with the other.

    Arguments:
        vocabulary_size: number of ids
        width:           of the tokens
        dropout:         part of the embedded words set to 0 in training
    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real
        returns: `Tokens` values (B, T, width); valid as given; no pooled
    Source: Bengio et al. 2003, the table alone.
    """

    def __init__(self, vocabulary_size: int, *, width: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        check_vocabulary(vocabulary_size)
        if width < 1:
            raise ConfigError(f"word_table: expected a width of at least 1, got {width}")
        self.embedding = nn.Embedding(vocabulary_size, width, padding_idx=PAD)
        self.dropout = Dropout(dropout)

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        return Tokens(self.dropout(self.embedding(ids)), valid)


def word_table(*, text_input: TextInput, vocabulary_size: int, width: int = 256, dropout: float = 0.0) -> EncoderParts:
    """Build a table of word vectors, trained from scratch with the model. See `WordTable`.

    Arguments:
        text_input:      the input with the vocabulary, made from training captions; ids 0, 1, 2 are padding, start, end
        vocabulary_size: number of ids it can give
    """
    table = WordTable(vocabulary_size, width=width, dropout=dropout)
    identity = f"word_table vocabulary_size={vocabulary_size} width={width}"
    return EncoderParts(None, table, width, None, text_input, identity)
