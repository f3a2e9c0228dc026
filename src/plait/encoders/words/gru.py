"""A text encoder trained from scratch: an embedding table and a bidirectional GRU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts, TextInput, Tokens
from plait.nn.dropout import Dropout

__all__ = ["WordGru", "check_vocabulary", "is_word", "words"]

PAD, SOS, EOS = 0, 1, 2  # ids of padding, start and end in every vocabulary of `data.text`


def is_word(ids: Tensor, valid: Tensor) -> Tensor:
    """Tell which tokens are real and neither start nor end: (B, T) int64 and (B, T) bool -> (B, T) bool."""
    return valid & (ids != SOS) & (ids != EOS)


def check_vocabulary(vocabulary_size: int) -> None:
    """Refuse a vocabulary without room for the four reserved places and one word, with `ConfigError`."""
    if vocabulary_size < 5:
        raise ConfigError(
            f"vocabulary_size: expected at least 5 (padding, start, end, unknown and a word), got {vocabulary_size}; "
            "lower the text input's min_count or give more captions"
        )


class WordGru(nn.Module):
    """Read words forwards and backwards with a GRU.

    Formula: token t = [forward state t, backward state t]; pooled = [last forward state, first backward state].

    Arguments:
        vocabulary_size: number of ids
        width:           of the tokens, half for each direction; even
        embedding_width: of the table
        layers:          GRU layers
        dropout:         part of the embedded words set to 0 in training
    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real, real tokens first
        returns: `Tokens` values (B, T, width) in (-1, 1), 0 where padded; start and end are not valid;
            pooled (B, width)
    Source: the text side of Faghri et al. 2018 (VSE++) and Lee et al. 2018 (SCAN). Differs: the two directions are
    concatenated; SCAN averages them.
    """

    def __init__(
        self,
        vocabulary_size: int,
        *,
        width: int = 256,
        embedding_width: int = 256,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_vocabulary(vocabulary_size)
        if width < 2 or width % 2 or layers < 1:
            raise ConfigError(f"words: expected an even width and at least one layer, got {width} and {layers}")
        self.embedding = nn.Embedding(vocabulary_size, embedding_width, padding_idx=PAD)
        self.dropout = Dropout(dropout)
        self.gru = nn.GRU(embedding_width, width // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        # Packed, so that the backward direction starts at each text's own end and padding has no effect.
        # PyTorch wants the lengths on the CPU.
        lengths = valid.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(
            self.dropout(self.embedding(ids)), lengths, batch_first=True, enforce_sorted=False
        )
        states, last = self.gru(packed)
        values, _ = pad_packed_sequence(states, batch_first=True, total_length=ids.shape[1])
        return Tokens(values, is_word(ids, valid), pooled=torch.cat([last[-2], last[-1]], dim=1))


def words(
    *,
    text_input: TextInput,
    vocabulary_size: int,
    width: int = 256,
    embedding_width: int = 256,
    layers: int = 1,
    dropout: float = 0.0,
) -> EncoderParts:
    """Build a GRU over words, trained from scratch with the model. See `WordGru`.

    Arguments:
        text_input:      the input with the vocabulary, made from training captions; ids 0, 1, 2 are padding, start, end
        vocabulary_size: number of ids it can give
    """
    gru = WordGru(vocabulary_size, width=width, embedding_width=embedding_width, layers=layers, dropout=dropout)
    sizes = f"width={width} embedding_width={embedding_width} layers={layers}"
    identity = f"words vocabulary_size={vocabulary_size} {sizes}"
    return EncoderParts(None, gru, width, width, text_input, identity)
