"""Fusions of question answering against their papers' formulas, computed one pair at a time without padding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.fusion.control.text_only import TextOnlyFusion
from plait.fusion.cross.coattention import CoAttentionFusion
from plait.fusion.cross.coattention_alternating import AlternatingCoAttentionFusion
from plait.fusion.cross.mcan import ModularCoAttentionFusion
from plait.fusion.stacked.dan import DualAttentionFusion
from plait.fusion.stacked.san import StackedAttentionFusion
from tests.contracts.fusions import WIDTH, sides


def real(tokens: Tokens, values: Tensor, row: int) -> Tensor:
    return values[row][tokens.valid[row]]


@pytest.fixture
def pair() -> tuple[Tokens, Tokens]:
    torch.manual_seed(0)
    return sides(grid=False)


def test_stacked_attention_is_the_papers_formula(pair: tuple[Tokens, Tokens]) -> None:
    fusion = StackedAttentionFusion(WIDTH, layers=2, hidden=6)
    found = fusion(*pair, maps=True)
    for row in range(len(pair[0])):
        words = real(pair[0], fusion.input_norm.text(pair[0]), row)
        regions = real(pair[1], fusion.input_norm.image(pair[1]), row)
        question = words.mean(0)
        for layer in range(2):
            hidden = torch.tanh(fusion.image_project[layer](regions) + fusion.question_project[layer](question))
            weights = (hidden @ fusion.score[layer].weight[0]).softmax(0)
            shown = found.maps[layer].weights[row, 0, 0][pair[1].valid[row]]
            torch.testing.assert_close(shown, weights, atol=1e-6, rtol=1e-5)
            question = weights @ regions + question
        torch.testing.assert_close(found.image.values[row, 0], question, atol=1e-5, rtol=1e-5)


def test_dual_attention_is_the_papers_formula(pair: tuple[Tokens, Tokens]) -> None:
    fusion = DualAttentionFusion(WIDTH, layers=2, hidden=6)
    found = fusion(*pair)
    for row in range(len(pair[0])):
        words = real(pair[0], fusion.input_norm.text(pair[0]), row)
        regions = real(pair[1], fusion.input_norm.image(pair[1]), row)
        memory = torch.tanh(fusion.see[0](regions.mean(0))) * words.mean(0)
        for layer in range(2):
            sums = []
            for look, tokens in ((fusion.image_attention[layer], regions), (fusion.text_attention[layer], words)):
                hidden = torch.tanh(look.token(tokens)) * torch.tanh(look.memory(memory))
                sums.append((hidden @ look.score.weight[0]).softmax(0) @ tokens)
            memory = memory + torch.tanh(fusion.see[layer + 1](sums[0])) * sums[1]
        torch.testing.assert_close(found.text.values[row, 0], memory, atol=1e-5, rtol=1e-5)


def test_parallel_co_attention_is_the_papers_formula(pair: tuple[Tokens, Tokens]) -> None:
    fusion = CoAttentionFusion(WIDTH, hidden=6)
    found = fusion(*pair)
    for row in range(len(pair[0])):
        words = real(pair[0], fusion.input_norm.text(pair[0]), row)
        regions = real(pair[1], fusion.input_norm.image(pair[1]), row)
        affinity = torch.tanh(words @ fusion.affinity.weight.T @ regions.T / WIDTH**0.5)
        of_text, of_image = fusion.text_project(words), fusion.image_project(regions)
        seen = torch.tanh(of_image + affinity.T @ of_text / len(words))
        read = torch.tanh(of_text + affinity @ of_image / len(regions))
        image = (seen @ fusion.image_score.weight[0]).softmax(0) @ regions
        text = (read @ fusion.text_score.weight[0]).softmax(0) @ words
        torch.testing.assert_close(found.image.values[row, 0], image, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.text.values[row, 0], text, atol=1e-5, rtol=1e-5)


def test_alternating_co_attention_is_the_papers_formula(pair: tuple[Tokens, Tokens]) -> None:
    fusion = AlternatingCoAttentionFusion(WIDTH, hidden=6)
    found = fusion(*pair)

    def attended(part: torch.nn.Module, tokens: Tensor, guide: Tensor | None) -> Tensor:
        hidden = part.token(tokens) + (0 if guide is None else part.guide(guide))
        summed: Tensor = (torch.tanh(hidden) @ part.score.weight[0]).softmax(0) @ tokens
        return summed

    for row in range(len(pair[0])):
        words = real(pair[0], fusion.input_norm.text(pair[0]), row)
        regions = real(pair[1], fusion.input_norm.image(pair[1]), row)
        image = attended(fusion.image_attention, regions, attended(fusion.summarise, words, None))
        text = attended(fusion.text_attention, words, image)
        torch.testing.assert_close(found.image.values[row, 0], image, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.text.values[row, 0], text, atol=1e-5, rtol=1e-5)


def test_modular_co_attention_encodes_the_question_without_the_image(pair: tuple[Tokens, Tokens]) -> None:
    fusion = ModularCoAttentionFusion(WIDTH, layers=1, heads=2).eval()
    text, image = pair
    found, other = fusion(text, image), fusion(text, image.take(torch.tensor([1, 2, 3, 0])))
    torch.testing.assert_close(found.text.values[text.valid], other.text.values[text.valid])
    words = fusion.text_blocks[0](fusion.input_norm.text(text), text.valid)
    regions = fusion.image_blocks[0](fusion.input_norm.image(image), image.valid)
    expected = fusion.image_norm(fusion.guided_blocks[0](regions, words, text.valid)[0])
    torch.testing.assert_close(found.image.values, expected)


def test_the_control_without_images_gives_every_image_the_same_token() -> None:
    text, image = sides()
    fusion = TextOnlyFusion(WIDTH, heads=2).eval()
    found, other = fusion(text, image), fusion(text, image.take(torch.tensor([3, 2, 1, 0])))
    torch.testing.assert_close(found.text.values, other.text.values)
    torch.testing.assert_close(found.image.values, other.image.values)
    assert found.image.values[0].equal(found.image.values[3])
    assert not found.text.values[0].equal(fusion(text.take(torch.tensor([1, 0, 2, 3])), image).text.values[0])


@pytest.mark.parametrize("fusion", [StackedAttentionFusion, DualAttentionFusion, ModularCoAttentionFusion])
def test_no_layer_is_refused(fusion: type) -> None:
    with pytest.raises(ConfigError, match=r"layers: expected at least 1, got 0"):
        fusion(WIDTH, layers=0)


def test_the_control_refuses_fewer_than_no_layers() -> None:
    with pytest.raises(ConfigError, match=r"layers: expected at least 0"):
        TextOnlyFusion(WIDTH, layers=-1)
