"""Decoders of captions: each predicts from the past alone, step by step as in whole captions, in both precisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from plait.core.errors import ConfigError
from plait.core.tables import load_entry
from plait.core.types import CaptionLogits, Fused, Tokens
from plait.heads.caption import CAPTION_HEADS
from plait.heads.caption.base import CaptionDecoder, take_rows
from plait.heads.caption.parts import AdditiveAttention, LstmStep
from plait.nn.precision import autocast_context
from tests.contracts.placement import NoImplicitDevice
from tests.contracts.precisions import BFLOAT16, FLOAT32, Tolerance

WIDTH, WORDS, VOCABULARY, CELLS = 16, 5, 11, 6
every_decoder = pytest.mark.parametrize("name", CAPTION_HEADS)


@pytest.fixture(params=[FLOAT32, BFLOAT16], ids=["fp32", "bf16"])
def near(request: pytest.FixtureRequest) -> Iterator[Tolerance]:
    with autocast_context(request.param.precision):
        yield request.param


def make(name: str, **options: Any) -> CaptionDecoder:
    torch.manual_seed(0)
    decoder: CaptionDecoder = load_entry(CAPTION_HEADS[name])(WIDTH, VOCABULARY, **options)
    return decoder.eval()


def given(rows: int = 3, *, seed: int = 1) -> Fused:
    """Give captions and images; the last image has padding where others have a cell."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn(rows, WORDS, WIDTH, generator=generator)
    image = torch.randn(rows, CELLS, WIDTH, generator=generator)
    valid = torch.ones(rows, CELLS, dtype=torch.bool)
    valid[-1, -2:] = False
    return Fused(
        Tokens(text, torch.ones(rows, WORDS, dtype=torch.bool)), Tokens(image, valid, pooled=torch.zeros(rows, WIDTH))
    )


@every_decoder
def test_a_word_changes_no_prediction_before_it(name: str, near: Tolerance) -> None:
    decoder, fused = make(name), given()
    changed = fused.text.values.clone()
    changed[:, 3] = 3 * given(seed=2).text.values[:, 3]
    before = decoder(fused).values
    after = decoder(Fused(Tokens(changed, fused.text.valid), fused.image)).values
    # The same arithmetic on the same numbers: equal in either precision.
    torch.testing.assert_close(after[:, :3], before[:, :3], atol=1e-6, rtol=0)
    assert (after[:, 3] - before[:, 3]).abs().max() > 1e-3


@every_decoder
def test_step_by_step_is_what_whole_captions_give(name: str, near: Tolerance) -> None:
    decoder, fused = make(name), given()
    whole = decoder(fused)
    memory = decoder.prepare(fused.image)
    state = decoder.begin(memory)
    for place, word in enumerate(fused.text.values.unbind(1)):
        step = decoder.advance(word, memory, state)
        state = step.state
        near.check(decoder.read(step.features), whole.values[:, place])
        assert (step.weights is None) == (whole.weights is None) == (not decoder.attends)
        if step.weights is not None and whole.weights is not None:
            near.check(step.weights, whole.weights[:, place])


@every_decoder
def test_rows_are_apart_and_shared_images_are_read_once(name: str, near: Tolerance) -> None:
    decoder, fused = make(name), given()
    row = torch.tensor([2, 0, 0])
    shared = decoder(Fused(fused.text, fused.image, image_row=row))
    copied = decoder(Fused(fused.text, fused.image.take(row)))
    near.check(shared.values, copied.values)
    alone = decoder(Fused(fused.text.take(slice(1, 2)), fused.image.take(slice(1, 2))))
    near.check(alone.values[0], decoder(fused).values[1])


@every_decoder
def test_the_image_is_read_and_its_padding_is_not(name: str, near: Tolerance) -> None:
    decoder, fused = make(name), given()
    before = decoder(fused)
    image = fused.image.values.clone()
    image[-1, -2:] = 50
    padding = decoder(Fused(fused.text, Tokens(image, fused.image.valid)))
    near.check(padding.values, before.values)
    seen = decoder(Fused(fused.text, Tokens(3 * given(seed=2).image.values, fused.image.valid)))
    assert (seen.values - before.values).abs().max() > near.absolute
    if before.weights is not None:
        near.check(before.weights.sum(-1), torch.ones(3, WORDS))
        assert before.weights[-1, :, -2:].abs().max() == 0


@every_decoder
def test_a_state_can_be_taken_row_by_row(name: str, near: Tolerance) -> None:
    decoder, fused = make(name), given()
    memory = decoder.prepare(fused.image)
    state = decoder.advance(fused.text.values[:, 0], memory, decoder.begin(memory)).state
    rows = torch.tensor([1, 1, 0, 2])
    word = fused.text.values[:, 1]
    one = decoder.advance(word, memory, state).features[rows]
    other = decoder.advance(word[rows], take_rows(memory, rows), take_rows(state, rows)).features
    near.check(other, one)


@every_decoder
def test_every_weight_gets_a_gradient_where_tensors_are_made_beside_their_inputs(name: str, near: Tolerance) -> None:
    decoder, fused = make(name).train(), given()
    with NoImplicitDevice():
        logits = decoder(fused)
        logits.values.float().square().sum().backward()
    assert isinstance(logits, CaptionLogits)
    assert logits.values.shape == (3, WORDS, VOCABULARY)
    without = [key for key, weight in decoder.named_parameters() if weight.grad is None]
    assert without == []


def test_an_lstm_step_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = LstmStep(3, 4), torch.nn.LSTMCell(3, 4)
    i, f, o, g = ours.gates.weight.chunk(4)
    bias = ours.gates.bias.chunk(4)
    with torch.no_grad():
        weight = torch.cat([i, f, g, o])
        theirs.weight_ih.copy_(weight[:, :3])
        theirs.weight_hh.copy_(weight[:, 3:])
        theirs.bias_ih.copy_(torch.cat([bias[0], bias[1], bias[3], bias[2]]))
        theirs.bias_hh.zero_()
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    for one, other in zip(ours(x, h, c), theirs(x, (h, c)), strict=True):
        torch.testing.assert_close(one, other)


def test_hard_attention_takes_one_cell_in_training_and_all_outside() -> None:
    torch.manual_seed(0)
    attention = AdditiveAttention(WIDTH, WIDTH, hidden=8, sampled=True)
    values, valid = torch.randn(4, CELLS, WIDTH), torch.ones(4, CELLS, dtype=torch.bool)
    valid[:, 0] = False
    query = torch.randn(4, WIDTH)
    attended, weights = attention.train()(attention.keys(values), values, valid, query)
    assert sorted(set(weights.flatten().tolist())) == pytest.approx([0.0, 1.0], abs=1e-6)
    assert weights[:, 0].abs().max() == 0
    torch.testing.assert_close(attended, values[torch.arange(4), weights.argmax(1)])
    attended.sum().backward()
    assert attention.query.weight.grad is not None
    assert attention.query.weight.grad.abs().sum() > 0
    soft = attention.eval()(attention.keys(values), values, valid, query)[1].detach()
    assert 0 < float(soft[:, 1:].min()) < float(soft.max()) < 1


@pytest.mark.parametrize("options", [{"layers": 0}, {"heads": 3}, {"heads": 0}])
def test_a_transformer_that_cannot_be_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected at least one layer"):
        make("transformer", **options)
