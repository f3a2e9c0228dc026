"""Words to numbers for text encoders trained from scratch: tokenisers, a vocabulary, and `WordInput`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plait.core.errors import CheckpointError, ConfigError, InputError, MissingPackageError, UnknownNameError
from plait.core.os_errors import os_sentence

__all__ = ["EOS", "PAD", "SOS", "SPECIALS", "TOKENISERS", "UNK", "Vocabulary", "WordInput", "split_words"]

PAD, SOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<sos>", "<eos>", "<unk>")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def split_words(text: str) -> list[str]:
    """Split a text into lower-case words and numbers; an apostrophe inside a word stays, other punctuation is dropped.

    Example:
        >>> split_words("A dog's 2 well-known balls!")
        ['a', "dog's", '2', 'well', 'known', 'balls']
    """
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def _spacy_words() -> Callable[[str], list[str]]:
    if find_spec("spacy") is None:
        raise MissingPackageError("the tokeniser 'spacy' needs the package spacy: pip install spacy, or use 'plain'")
    import spacy

    english = spacy.blank("en")
    return lambda text: [token.lower_ for token in english.tokenizer(text) if not token.is_space]


# "spacy" keeps punctuation as separate tokens and splits "dog's" into two, by its English rules.
TOKENISERS: dict[str, Callable[[], Callable[[str], list[str]]]] = {
    "plain": lambda: split_words,
    "spacy": _spacy_words,
}


class Vocabulary:
    """The words a model knows: PAD, SOS, EOS, UNK, then words by descending count, ties in alphabetical order.

    Args:
        words: the known words, in order, without the four specials

    Raises:
        InputError: a word is repeated or is one of the specials.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: number for number, word in enumerate((*SPECIALS, *words))}
        if len(self._number) != len(SPECIALS) + len(self.words):
            raise InputError(
                f"a vocabulary of {len(self.words)} words holds one twice, or one of {', '.join(SPECIALS)}"
            )

    @classmethod
    def from_texts(cls, tokens: Iterable[Sequence[str]], *, min_count: int = 1) -> Vocabulary:
        """Build it from tokenised texts: those of the training captions only, because a word of the test set is a leak.

        Raises:
            InputError: no word is left.
        """
        counts = Counter(word for words in tokens for word in words)
        kept = [word for word, count in counts.items() if count >= min_count and word not in SPECIALS]
        if not kept:
            raise InputError(f"no word occurs {min_count} times or more in the training captions; lower min_count")
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self._number)

    def number(self, word: str) -> int:
        """Give a word's number, or that of UNK."""
        return self._number.get(word, UNK)

    def word(self, number: int) -> str:
        """Give the word, or special token, of a number."""
        return (*SPECIALS, *self.words)[number] if number < len(SPECIALS) else self.words[number - len(SPECIALS)]


class WordInput:
    """Turn texts into word numbers: SOS, the words, EOS. A `core.types.TextInput`.

    Args:
        vocabulary: the known words
        max_tokens: longer texts are cut to this, SOS and EOS included
        tokeniser: "plain" (`split_words`) or "spacy" (its blank English; needs the package)

    Raises:
        ConfigError: fewer than 3 tokens, or an unknown tokeniser.
        MissingPackageError: the tokeniser's package is not installed.
    """

    def __init__(self, vocabulary: Vocabulary, *, max_tokens: int = 48, tokeniser: str = "plain") -> None:
        if max_tokens < 3:
            raise ConfigError(f"max_tokens {max_tokens}: expected at least 3: a start, a word and an end")
        if tokeniser not in TOKENISERS:
            raise UnknownNameError("tokeniser", tokeniser, TOKENISERS)
        self.vocabulary, self.max_tokens, self.tokeniser = vocabulary, max_tokens, tokeniser

    @cached_property
    def _split(self) -> Callable[[str], list[str]]:
        return TOKENISERS[self.tokeniser]()

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], *, min_count: int = 1, max_tokens: int = 48, tokeniser: str = "plain"
    ) -> WordInput:
        """Build the vocabulary from these texts, the training captions, and give the input that uses it."""
        if tokeniser not in TOKENISERS:
            raise UnknownNameError("tokeniser", tokeniser, TOKENISERS)
        split = TOKENISERS[tokeniser]()
        vocabulary = Vocabulary.from_texts((split(text) for text in texts), min_count=min_count)
        return cls(vocabulary, max_tokens=max_tokens, tokeniser=tokeniser)

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Give (B, T) int64 ids and (B, T) bool mask, padded with PAD to the longest of this call."""
        rows = [[SOS, *(self.vocabulary.number(word) for word in self._words(text)), EOS] for text in texts]
        ids = torch.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=torch.int64)
        for row, numbers in zip(ids, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers)
        return ids, ids != PAD

    def pieces(self, text: str) -> list[str]:
        """Give the printable piece of each token: the words as written here, also those read as UNK."""
        return [SPECIALS[SOS], *self._words(text), SPECIALS[EOS]]

    def to_json(self) -> dict[str, Any]:
        """Give everything needed to build it again, as plain data."""
        words = list(self.vocabulary.words)
        return {"max_tokens": self.max_tokens, "tokeniser": self.tokeniser, "words": words}

    @classmethod
    def from_json(cls, data: Any, *, where: str = "word input") -> WordInput:
        """Rebuild it from `to_json`. Raises CheckpointError when the data is something else."""
        try:
            words, max_tokens, tokeniser = data["words"], data["max_tokens"], data["tokeniser"]
            if not all(isinstance(word, str) for word in words):
                raise TypeError("a word is not a string")
            return cls(Vocabulary(words), max_tokens=max_tokens, tokeniser=tokeniser)
        except (KeyError, TypeError, InputError, ConfigError) as error:
            raise CheckpointError(
                f"{where}: not a saved word input: {error}; expected words, max_tokens, tokeniser"
            ) from error

    def save(self, path: Path) -> None:
        """Write it as JSON, into a run's folder."""
        path.write_text(json.dumps(self.to_json(), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> WordInput:
        """Read what `save` wrote. Raises CheckpointError when the file is missing or something else."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {os_sentence(error)}") from error
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path}: cannot be read as a saved word input: {error}") from error
        return cls.from_json(data, where=str(path))

    def _words(self, text: str) -> list[str]:
        return self._split(text)[: self.max_tokens - 2]
