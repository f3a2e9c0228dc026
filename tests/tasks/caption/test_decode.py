"""Choosing words: against all captions there are, from a decoder whose probabilities are a table."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from plait.core.types import Tokens
from plait.data.text import EOS, PAD, SOS, UNK
from plait.heads.caption.base import CaptionDecoder, Parts, Step
from plait.tasks.caption.decode import Decoded, Steps, beam_search, greedy, nucleus
from plait.tasks.caption.decode.chain import nucleus_of

VOCABULARY, MOST, IMAGES = 8, 3, 5


class TableDecoder(CaptionDecoder):
    """The next word depends on the image, on the last word and on the word before it; the state is the last word."""

    attends = False

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = 2 * torch.randn(IMAGES, VOCABULARY, VOCABULARY, VOCABULARY, generator=generator)

    def prepare(self, image: Tokens) -> Parts:
        return (image.values[:, 0, 0].long(),)

    def begin(self, memory: Parts) -> Parts:
        return (torch.zeros_like(memory[0]),)

    def advance(self, word: Tensor, memory: Parts, state: Parts) -> Step:
        last = word[:, 0].long()
        return Step(self.table[memory[0], state[0], last], None, (last,))

    def read(self, features: Tensor) -> Tensor:
        return features


def steps_of(decoder: TableDecoder) -> Steps:
    return Steps(decoder, lambda ids: ids[:, None].float(), MOST)


def memory_of(decoder: TableDecoder) -> Parts:
    image = torch.arange(IMAGES, dtype=torch.float32)[:, None, None]
    return decoder.prepare(Tokens(image, torch.ones(IMAGES, 1, dtype=torch.bool)))


def all_captions(decoder: TableDecoder, image: int) -> dict[tuple[int, ...], float]:
    """Give every caption of one to MOST words with its log-probability, the end included."""
    words = [number for number in range(VOCABULARY) if number not in (PAD, SOS, EOS, UNK)]
    table = decoder.table[image].log_softmax(-1)
    found = {}
    for count in range(1, MOST + 1):
        for caption in product(words, repeat=count):
            whole = (PAD, SOS, *caption, EOS)
            found[caption] = sum(float(table[whole[i - 2], whole[i - 1], whole[i]]) for i in range(2, len(whole)))
    return found


def captions(decoded: Decoded) -> list[tuple[int, ...]]:
    return [tuple(number for number in row if number not in (PAD, EOS)) for row in decoded.ids.tolist()]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_the_best_of_all_captions(seed: int, penalty: float) -> None:
    decoder = TableDecoder(seed)
    # As many as there are unfinished captions at most: nothing is ever dropped.
    decoded = beam_search(steps_of(decoder), memory_of(decoder), beam=4**MOST, length_penalty=penalty)
    for image, caption in enumerate(captions(decoded)):
        every = all_captions(decoder, image)
        best = max(every, key=lambda one: every[one] / (len(one) + 1) ** penalty)
        assert caption == best
        assert float(decoded.log_prob[image]) == pytest.approx(every[best], abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_beam_keeps_the_best_at_each_place(seed: int) -> None:
    decoder = TableDecoder(seed)
    decoded = beam_search(steps_of(decoder), memory_of(decoder), beam=2)
    for image, caption in enumerate(captions(decoded)):
        assert caption == plain_beam(decoder, image, beam=2)


def plain_beam(decoder: TableDecoder, image: int, *, beam: int) -> tuple[int, ...]:
    """Search for one image with lists, and to the end: no early stop."""
    table = decoder.table[image].log_softmax(-1)
    live, done = [((PAD, SOS), 0.0)], []
    for place in range(MOST + 1):
        grown = [((*w, n), p + float(table[w[-2], w[-1], n])) for w, p in live for n in range(VOCABULARY)]
        done += [(w, p) for w, p in grown if w[-1] == EOS and place]
        grown = [(w, p) for w, p in grown if w[-1] > UNK]
        live = sorted(grown, key=lambda one: -one[1])[:beam]
    return max(done, key=lambda one: one[1])[0][2:-1]


def test_images_do_not_see_each_other() -> None:
    decoder = TableDecoder()
    memory = memory_of(decoder)
    together = captions(beam_search(steps_of(decoder), memory, beam=3))
    alone = [captions(beam_search(steps_of(decoder), (memory[0][i : i + 1],), beam=3))[0] for i in range(IMAGES)]
    assert together == alone


def test_greedy_takes_the_most_probable_word_and_ends() -> None:
    decoder = TableDecoder()
    decoded = greedy(steps_of(decoder), memory_of(decoder))
    for image, row in enumerate(decoded.ids.tolist()):
        table, before, last, total = decoder.table[image].log_softmax(-1), PAD, SOS, 0.0
        for place in range(MOST + 1):
            allowed = [EOS] if place == MOST else [n for n in range(VOCABULARY) if n > UNK or (n == EOS and place)]
            best = max(allowed, key=lambda n: float(table[before, last, n]))
            total += float(table[before, last, best])
            assert row[place] == best
            before, last = last, best
            if best == EOS:
                assert set(row[place + 1 :]) <= {PAD}
                break
        assert float(decoded.log_prob[image]) == pytest.approx(total, abs=1e-4)


def test_no_caption_is_empty_or_holds_a_special_word() -> None:
    for seed in range(5):
        decoder = TableDecoder(seed)
        decoder.table[..., EOS] += 10
        decoder.table[..., UNK] += 20
        ways = (
            greedy(steps_of(decoder), memory_of(decoder)),
            beam_search(steps_of(decoder), memory_of(decoder), beam=3),
            nucleus(steps_of(decoder), memory_of(decoder), top_p=0.9, seed=seed),
        )
        for decoded in ways:
            for caption in captions(decoded):
                assert caption
                assert min(caption) > UNK
            assert bool((decoded.ids == EOS).sum(1).eq(1).all())
            assert bool(decoded.log_prob.isfinite().all())


def test_the_nucleus_is_the_smallest_set_that_reaches_p() -> None:
    probs = torch.tensor([[0.1, 0.5, 0.15, 0.25]])
    assert nucleus_of(probs, 0.5).tolist() == [pytest.approx([0, 0.5, 0, 0])]
    assert nucleus_of(probs, 0.6).tolist() == [pytest.approx([0, 0.5, 0, 0.25])]
    assert nucleus_of(probs, 1.0).tolist() == [pytest.approx([0.1, 0.5, 0.15, 0.25])]


def test_draws_depend_on_the_seed_alone_and_a_small_nucleus_is_greedy() -> None:
    decoder = TableDecoder()
    steps, memory = steps_of(decoder), memory_of(decoder)
    one, same, other = (captions(nucleus(steps, memory, top_p=1.0, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert captions(nucleus(steps, memory, top_p=1e-6)) == captions(greedy(steps, memory))
    assert captions(nucleus(steps, memory, top_p=1.0, temperature=1e-4)) == captions(greedy(steps, memory))


def test_draws_have_the_probabilities_of_the_model() -> None:
    decoder = TableDecoder()
    memory = (torch.zeros(4000, dtype=torch.int64),)
    first = nucleus(steps_of(decoder), memory, top_p=1.0).ids[:, 0]
    probs = decoder.table[0, PAD, SOS].clone()
    probs[[PAD, SOS, EOS, UNK]] = -math.inf
    expected = probs.softmax(-1)
    counted = torch.bincount(first, minlength=VOCABULARY) / 4000
    assert float((counted - expected).abs().max()) < 0.03
