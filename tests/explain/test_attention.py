"""Word maps: pieces joined, heads averaged, the map chosen by rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plait.core.errors import InputError, ShapeError
from plait.core.types import AttentionMap
from plait.explain.attention import choose_map, merge_pieces, word_maps


@pytest.mark.parametrize(
    ("pieces", "words", "members"),
    [
        (["[CLS]", "two", "surf", "##er", "##s", "[SEP]"], ("two", "surfers"), ((1,), (2, 3, 4))),
        (["<s>", "▁two", "▁sur", "fers", "</s>"], ("two", "surfers"), ((1,), (2, 3))),
        (["two", "Ġsur", "fers"], ("two", "surfers"), ((0,), (1, 2))),
        (["<|startoftext|>", "two</w>", "sur", "fers</w>", "<|endoftext|>"], ("two", "surfers"), ((1,), (2, 3))),
        (["[CLS]", "##odd", "[SEP]", "[PAD]"], ("odd",), ((1,),)),
        ([], (), ()),
    ],
)
def test_joins_pieces_to_words(pieces: list[str], words: tuple[str, ...], members: tuple[tuple[int, ...], ...]) -> None:
    assert merge_pieces(pieces) == (words, members)


PIECES = ["[CLS]", "surf", "##er", "[SEP]"]


def test_text_to_image_averages_heads_and_pieces_by_hand() -> None:
    weights = torch.zeros(2, 2, 6, 4)  # two padded text tokens at the end
    weights[1, 0, 1] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    weights[1, 1, 1] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    weights[1, :, 2] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    found = word_maps(AttentionMap(weights, "text", "image"), PIECES, grid=(2, 2), row=1)
    assert found.words == ("surfer",)
    assert found.weights.tolist() == [[0.25, 0.25, 0.0, 0.5]]
    assert found.what == "text->image attention, layer 0, mean over 2 heads"


def test_image_to_text_is_transposed_and_pieces_are_added() -> None:
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]).reshape(1, 1, 2, 4)
    found = word_maps([AttentionMap(weights, "image", "text", 3)], PIECES, grid=(1, 2))
    np.testing.assert_allclose(found.weights, [[0.5, 0.2]], rtol=1e-6)
    assert found.what == "image->text (transposed) attention, layer 3, one head"


def test_rows_of_words_still_sum_to_1() -> None:
    weights = torch.rand(1, 4, 4, 49, generator=torch.Generator().manual_seed(0)).softmax(-1).bfloat16()
    found = word_maps(AttentionMap(weights, "text", "image"), PIECES, grid=(7, 7))
    np.testing.assert_allclose(found.weights.sum(1), 1.0, atol=0.01)


def test_chooses_text_to_image_then_the_last_layer() -> None:
    one = torch.ones(1, 1, 1, 1)
    maps = [
        AttentionMap(one, "text", "image", 0),
        AttentionMap(one, "image", "text", 2),
        AttentionMap(one, "text", "image", 1),
        AttentionMap(one, "text", "text", 9),
    ]
    assert choose_map(maps) is maps[2]
    assert choose_map(maps, layer=0) is maps[0]
    assert choose_map(maps[1:2]) is maps[1]


def test_gives_the_entry_of_the_gallery() -> None:
    found = word_maps(AttentionMap(torch.full((1, 1, 4, 4), 0.25), "text", "image"), PIECES, grid=(2, 2))
    entry = found.to_json(fusion="cross", photo="p1", caption="surfer")
    assert entry["words"] == ["surfer"]
    assert entry["grid"] == [2, 2]
    assert entry["weights"] == [[0.25] * 4]
    assert (entry["fusion"], entry["photo"], entry["caption"]) == ("cross", "p1", "surfer")


def test_no_words_give_an_empty_table() -> None:
    found = word_maps(AttentionMap(torch.ones(1, 1, 2, 4), "text", "image"), ["[CLS]", "[SEP]"], grid=(2, 2))
    assert found.weights.shape == (0, 4)


def test_refuses_what_does_not_fit() -> None:
    fit = AttentionMap(torch.ones(1, 1, 4, 4), "text", "image")
    with pytest.raises(ShapeError, match="expected 9 image tokens for a 3 x 3 grid, got 4"):
        word_maps(fit, PIECES, grid=(3, 3))
    with pytest.raises(ShapeError, match=r"at most 4 pieces .* got 5"):
        word_maps(fit, [*PIECES, "x"], grid=(2, 2))
    with pytest.raises(InputError, match="expected a row from 0 to 0, got 1"):
        word_maps(fit, PIECES, grid=(2, 2), row=1)
    with pytest.raises(InputError, match="between text and image, got none"):
        choose_map([])
    with pytest.raises(InputError, match=r"in layer 4, got text->image layer 0"):
        choose_map([fit], layer=4)
