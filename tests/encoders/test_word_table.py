"""A table of words: a token depends on its own word alone, and start and end are tokens."""

from __future__ import annotations

import pytest
import torch

from plait.core.errors import ConfigError
from plait.data.text import Vocabulary, WordInput
from plait.encoders.choose import needs_text_input, text_parts
from plait.encoders.words.table import WordTable
from tests.contracts.placement import NoImplicitDevice


def test_a_token_depends_on_its_own_word_alone() -> None:
    torch.manual_seed(0)
    table = WordTable(9, width=8)
    ids = torch.tensor([[1, 5, 6, 2, 0]])
    with NoImplicitDevice():
        tokens = table(ids, ids > 0)
    changed = ids.clone()
    changed[0, 2] = 7
    after = table(changed, changed > 0)
    differs = (after.values != tokens.values).any(-1)[0]
    assert differs.tolist() == [False, False, True, False, False]
    assert tokens.valid.tolist() == [[True, True, True, True, False]]
    assert float(tokens.values[0, -1].detach().abs().sum()) == 0  # padding
    assert tokens.pooled is None


def test_it_is_built_by_its_name_from_a_vocabulary() -> None:
    assert needs_text_input("word_table")
    words = WordInput(Vocabulary(["a", "dog"]), max_tokens=6)
    parts = text_parts("word_table", {"width": 8}, max_tokens=6, trainable=0, text_input=words)
    assert (parts.width, parts.pooled_width, parts.frozen) == (8, None, None)
    ids, valid = words(["a dog"])
    assert parts.trained is not None
    assert parts.trained(ids, valid).values.shape == (1, 4, 8)
    with pytest.raises(ConfigError, match="width"):
        text_parts("word_table", {"width": 0}, max_tokens=6, trainable=0, text_input=words)
    with pytest.raises(ConfigError, match="at least 5"):
        WordTable(4)
