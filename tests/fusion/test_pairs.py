"""Fusing chosen pairs: a fusion that writes `forward` alone, work that is done once per row, order and chunks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from plait.core.types import Fused, Tokens
from plait.fusion.base import pairs
from plait.fusion.base.fusion import Fusion
from plait.fusion.base.pairs import PairFusion, fuse_in_chunks, fuse_pairs
from plait.fusion.base.prepared import Prepared, Values, prepared
from plait.fusion.stacked.scan import ScanTextToImage

TEXT_ROW, IMAGE_ROW = torch.tensor([2, 0, 1, 2, 0]), torch.tensor([1, 1, 0, 0, 1])


class Plain(Fusion):
    """Add the mean region to every word."""

    def forward(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        return Fused(replace(text, values=text.values + image.values.mean(1, keepdim=True)), image)


class Counting(PairFusion[Values, Values]):
    """The same, cut in two, counting the rows that it prepares and the pairs that meet."""

    def __init__(self, *, by_image: bool = False) -> None:
        super().__init__()
        self.shares_image = by_image
        self.prepared: list[int] = []
        self.met: list[list[float]] = []

    def prepare_text(self, text: Tokens) -> Prepared[Values]:
        self.prepared.append(len(text))
        return prepared(text, Values(text.values))

    def prepare_image(self, image: Tokens) -> Prepared[Values]:
        self.prepared.append(len(image))
        return prepared(image, Values(image.values.mean(1, keepdim=True)))

    def meet(self, text: Prepared[Values], image: Prepared[Values], *, maps: bool = False) -> Fused:
        assert text.row is None
        assert image.row is None
        self.met.append(image.parts.values[:, 0, 0].tolist())
        return Fused(text.tokens(text.parts.values + image.parts.values), image.tokens(image.parts.values))


def sides() -> tuple[Tokens, Tokens]:
    """Three texts of 4, 1 and 2 words, and three images, of which the last takes no part."""
    generator = torch.Generator().manual_seed(0)
    valid = torch.arange(4) < torch.tensor([[4], [1], [2]])
    text = Tokens(torch.randn(3, 4, 2, generator=generator), valid)
    return text, Tokens(torch.randn(3, 5, 2, generator=generator), torch.ones(3, 5).bool())


def test_a_fusion_that_writes_forward_alone_is_given_aligned_rows() -> None:
    text, image = sides()
    expected = Plain()(text.take(TEXT_ROW), image.take(IMAGE_ROW)).text.values
    fused = fuse_pairs(Plain(), text, image, text_row=TEXT_ROW, image_row=IMAGE_ROW)
    assert torch.equal(fused.text.values, expected)
    seen = []
    for places, part in fuse_in_chunks(Plain(), text, image, text_row=TEXT_ROW, image_row=IMAGE_ROW):
        seen += places.tolist()
        assert torch.equal(part.text.values, expected[places][:, : part.text.values.shape[1]])
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_work_on_one_side_is_done_once_for_rows_that_take_part() -> None:
    text, image = sides()
    fusion = Counting()
    list(fuse_in_chunks(fusion, text, image, text_row=TEXT_ROW, image_row=IMAGE_ROW))
    assert fusion.prepared == [3, 2]


def test_forward_is_the_meeting_of_prepared_sides() -> None:
    text, image = sides()
    assert torch.equal(Counting()(text, image).text.values, Plain()(text, image).text.values)


@pytest.mark.parametrize("by_image", [False, True])
def test_pairs_come_by_length_or_image_by_image_in_small_chunks(
    monkeypatch: pytest.MonkeyPatch, *, by_image: bool
) -> None:
    monkeypatch.setattr(pairs, "TOKENS_PER_CHUNK", 19)
    monkeypatch.setattr(pairs, "COPIED_TOKENS_PER_CHUNK", 19)
    text, image = sides()
    fusion = Counting(by_image=by_image)
    chunks = fuse_in_chunks(fusion, text, image, text_row=TEXT_ROW, image_row=IMAGE_ROW)
    places = [chunk.tolist() for chunk, _ in chunks]
    assert places == ([[2, 3], [0, 1], [4]] if by_image else [[2, 0], [3, 1], [4]])


def test_a_pair_larger_than_a_chunk_is_fused_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "TOKENS_PER_CHUNK", 1)
    monkeypatch.setattr(pairs, "COPIED_TOKENS_PER_CHUNK", 1)
    text, image = sides()
    for fusion in (Plain(), Counting(), ScanTextToImage(2)):
        chunks = list(fuse_in_chunks(fusion, text, image, text_row=TEXT_ROW, image_row=IMAGE_ROW))
        assert [len(chunk) for chunk, _ in chunks] == [1] * 5


def test_no_pairs_give_no_chunks_of_pairs() -> None:
    text, image = sides()
    none = torch.zeros(0, dtype=torch.int64)
    for fusion in (Plain(), ScanTextToImage(2)):
        assert sum(len(chunk) for chunk, _ in fuse_in_chunks(fusion, text, image, text_row=none, image_row=none)) == 0


@pytest.mark.parametrize("kind", [Fusion, PairFusion])
def test_an_unfinished_fusion_says_what_it_lacks(kind: type[Fusion]) -> None:
    with pytest.raises(TypeError, match="meet" if kind is PairFusion else "forward"):
        kind()
