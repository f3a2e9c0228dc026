"""Word-piece ids of strings, by the `tokenizers` library, without importing transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from plait.core.errors import CheckpointError, ConfigError

__all__ = ["WordPieceInput"]


class WordPieceInput:
    """Cut strings into word pieces between [CLS] and [SEP].

    A text longer than `max_tokens` loses its end; [CLS] and [SEP] always stay. Padding goes to the longest text of the
    call, never to a fixed length.

    Arguments:
        tokenizer_file: a `tokenizer.json` whose post-processor adds exactly one token before and one after the text
        max_tokens:     most ids in a row, both special tokens included; at least 3
    Raises:
        ConfigError: `max_tokens` leaves no room for a word.
        CheckpointError: the tokenizer does not add one token on each side.
    Example:
        >>> pieces = WordPieceInput(path, max_tokens=8)             # doctest: +SKIP
        >>> pieces.pieces("a dog swimming")                         # doctest: +SKIP
        ['[CLS]', 'a', 'dog', 'swimming', '[SEP]']
    """

    def __init__(self, tokenizer_file: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        if max_tokens < 3:
            raise ConfigError(f"max_tokens: expected at least 3 (one word between [CLS] and [SEP]), got {max_tokens}")
        self.max_tokens = max_tokens
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        # Files often set padding to a fixed 128 and a truncation; both are decided here.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        around = self._tokenizer.encode("").tokens
        if len(around) != 2:
            raise CheckpointError(f"{tokenizer_file}: expected one special token on each side of a text, got {around}")

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Give ids and mask.

        Shapes:
            returns: (B, T) int64 ids, 0 where padded; (B, T) bool, True = real; T = longest of this call
        """
        rows = [self._cut(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]
        longest = max((len(row) for row in rows), default=0)
        ids = torch.zeros(len(rows), longest, dtype=torch.int64)
        valid = torch.zeros(len(rows), longest, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
            valid[i, : len(row)] = True
        return ids, valid

    def pieces(self, text: str) -> list[str]:
        """Give the piece behind each id of `__call__`; a piece that continues a word starts with "##"."""
        tokens: list[str] = self._cut(self._tokenizer.encode(text).tokens)
        return tokens

    def _cut(self, row: list) -> list:
        return row if len(row) <= self.max_tokens else [*row[: self.max_tokens - 1], row[-1]]
