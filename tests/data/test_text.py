"""Words, vocabularies and `WordInput`."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import pytest
import torch

from plait.core.errors import CheckpointError, ConfigError, InputError, MissingPackageError, UnknownNameError
from plait.data import text as text_module
from plait.data.text import EOS, PAD, SOS, UNK, Vocabulary, WordInput, split_words


def test_splitting() -> None:
    assert split_words("A dog's 2 well-known balls!") == ["a", "dog's", "2", "well", "known", "balls"]
    assert split_words("Über  dem Fluß; l’eau_x") == ["über", "dem", "fluß", "l'eau", "x"]
    assert split_words(" ?! ") == []


def test_vocabulary_orders_by_count_then_alphabet() -> None:
    vocabulary = Vocabulary.from_texts([["b", "a", "c"], ["c", "b", "d"], ["c"]], min_count=2)
    assert vocabulary.words == ("c", "b")
    assert [vocabulary.number(word) for word in ("c", "b", "a")] == [4, 5, UNK]
    assert [vocabulary.word(number) for number in (PAD, SOS, EOS, UNK, 4, 5)] == [
        *("<pad>", "<sos>", "<eos>", "<unk>"),
        *("c", "b"),
    ]
    assert len(vocabulary) == 6
    with pytest.raises(InputError, match=r"no word occurs 9 times or more"):
        Vocabulary.from_texts([["a"]], min_count=9)
    with pytest.raises(InputError, match=r"holds one twice"):
        Vocabulary(["a", "a"])


def test_word_input_pads_cuts_and_names_its_pieces() -> None:
    read = WordInput.from_texts(["a dog runs", "a dog"], max_tokens=4)
    ids, valid = read(["a dog", "A cat runs far", "..."])
    a, dog = read.vocabulary.number("a"), read.vocabulary.number("dog")
    assert ids.tolist() == [[SOS, a, dog, EOS], [SOS, a, UNK, EOS], [SOS, EOS, PAD, PAD]]
    assert torch.equal(valid, ids != PAD)
    assert ids.dtype == torch.int64
    assert read.pieces("A cat runs far") == ["<sos>", "a", "cat", "<eos>"]
    assert len(read.pieces("word " * 10_000)) == 4
    assert read([])[0].shape == (0, 0)


def test_word_input_is_saved_and_loaded(tmp_path: Path) -> None:
    read = WordInput.from_texts(["ein großer Hund"], max_tokens=7)
    read.save(tmp_path / "words.json")
    again = WordInput.load(tmp_path / "words.json")
    assert again.to_json() == read.to_json()
    assert torch.equal(again(["großer"])[0], read(["großer"])[0])
    with pytest.raises(CheckpointError, match=r"gone\.json: cannot be read"):
        WordInput.load(tmp_path / "gone.json")
    for wrong in ({}, [], {"words": [1], "max_tokens": 5, "tokeniser": "plain"}, {**read.to_json(), "max_tokens": 1}):
        with pytest.raises(CheckpointError, match=r"not a saved word input"):
            WordInput.from_json(wrong)


def test_wrong_settings() -> None:
    with pytest.raises(ConfigError, match=r"max_tokens 2: expected at least 3"):
        WordInput(Vocabulary(["a"]), max_tokens=2)
    with pytest.raises(UnknownNameError, match=r"unknown tokeniser 'plane'; did you mean 'plain'"):
        WordInput(Vocabulary(["a"]), tokeniser="plane")
    with pytest.raises(UnknownNameError, match=r"unknown tokeniser 'x'"):
        WordInput.from_texts(["a"], tokeniser="x")


def test_spacy_is_asked_for_only_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"needs the package spacy: pip install spacy"):
        WordInput.from_texts(["a dog"], tokeniser="spacy")


def test_spacy_tokens_without_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("spacy") is None:
        token = types.SimpleNamespace
        english = types.SimpleNamespace(
            tokenizer=lambda text: [token(lower_=piece.lower(), is_space=piece == "_") for piece in text.split()]
        )
        monkeypatch.setitem(sys.modules, "spacy", types.SimpleNamespace(blank=lambda _: english))  # type: ignore[arg-type]
        monkeypatch.setattr(text_module, "find_spec", lambda _: object())
        assert WordInput.from_texts(["A _ Dog ."], tokeniser="spacy").pieces("Dog _ .") == [
            "<sos>",
            "dog",
            ".",
            "<eos>",
        ]
    else:
        assert WordInput.from_texts(["A dog."], tokeniser="spacy").pieces("A dog.")[1:-1] == ["a", "dog", "."]
