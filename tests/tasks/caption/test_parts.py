"""Parts of captions: what is refused, texts, baselines, variety, and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from plait.core.config import Recipe, recipe_from_dict
from plait.core.errors import ConfigError, InputError, UnknownNameError
from plait.core.types import Batch, CaptionLogits, Tokens
from plait.data.collection import Caption, Collection, Photo
from plait.data.text import PAD, SOS, UNK, Vocabulary, WordInput
from plait.explain.overlay import strip
from plait.runs.assemble import assemble
from plait.tasks.caption.assemble import Decoding, use_of
from plait.tasks.caption.baselines import nearest_rows
from plait.tasks.caption.evaluate import SAYS_THE_SAME, blanked, exchanged, variety_of
from plait.tasks.caption.learner import CaptionLearner
from plait.tasks.caption.targets import check_captions, coverage_of, most_common, references_of
from plait.tasks.caption.work import WORK
from plait.tasks.caption.writing import as_text


def recipe(**fusion: Any) -> Recipe:
    plain = {
        "task": "caption",
        "text": {"encoder": "word_table", "max_tokens": 8, "options": {"width": 16}},
        "image": {"encoder": "cnn_small", "size_px": 32},
        "fusion": {"name": "unfused", "width": 16, **fusion},
    }
    return recipe_from_dict(plain)


def learner(**objective: Any) -> CaptionLearner:
    words = WordInput(Vocabulary(["a", "dog", "cat", "runs", "sits"]), max_tokens=8)
    plain = recipe()
    made = assemble(
        recipe_from_dict(
            {
                "task": "caption",
                "text": {"encoder": "word_table", "max_tokens": 8, "options": {"width": 16}},
                "image": {"encoder": "cnn_small", "size_px": 32},
                "fusion": {"name": plain.fusion.name, "width": 16},
                "objective": {"options": objective},
            }
        ),
        words,
    )
    assert isinstance(made, CaptionLearner)
    return made


@pytest.mark.parametrize(
    ("fusion", "said"),
    [
        ({"name": "cross"}, r"'cross' does not serve task 'caption'; these do: unfused"),
        ({"head": {"name": "logit"}}, r"'logit' does not serve.*show_attend_tell"),
        ({"adapter": "transformer"}, "lets a word read those after it"),
        ({"pairing": "all"}, "leave fusion.pairing out"),
        ({"tokens": "pooled"}, "read word by word"),
        ({"head": {"beam": 0}}, r"fusion\.head\.beam"),
        ({"head": {"length_penalty": -1}}, r"fusion\.head\.length_penalty"),
    ],
)
def test_what_does_not_serve_is_refused(fusion: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        use_of(recipe(**fusion))


@pytest.mark.parametrize("encoder", ["words", "words_transformer", "minilm", "hub:bert"])
def test_text_encoders_that_read_ahead_are_refused(encoder: str) -> None:
    plain = {"task": "caption", "text": {"encoder": encoder}, "fusion": {"name": "unfused"}}
    with pytest.raises(ConfigError, match=r"reads the words after it.*word_table"):
        use_of(recipe_from_dict(plain))
    with pytest.raises(ConfigError, match="'infonce' does not serve"):
        use_of(recipe_from_dict({**plain, "text": {"encoder": "word_table"}, "objective": {"name": "infonce"}}))


def test_unknown_options_are_refused_and_decoding_is_not_the_heads() -> None:
    words = WordInput(Vocabulary(["a"]), max_tokens=8)
    with pytest.raises(ConfigError, match="has no option 'beams'"):
        assemble(recipe(head={"beams": 3}), words)
    with pytest.raises(UnknownNameError, match="show_attend_tell"):
        use_of(recipe(head={"name": "show_attend_tel"}))
    assert isinstance(assemble(recipe(head={"beam": 5}), words), CaptionLearner)
    assert Decoding.of(recipe(head={"beam": 5}).fusion) == Decoding(beam=5)


@torch.no_grad()
def test_the_loss_is_that_of_each_next_word_of_each_caption() -> None:
    made = learner()
    ids, _ = made.words(["a dog runs", "a cat"])
    pixels = torch.randn(2, 3, 32, 32)
    whole = made.loss(Batch(ids, ids != PAD, pixels, None)).total
    values = made.logits(ids[:, :-1], made.model.encode_image(pixels)).values.log_softmax(-1)
    picked = [float(-values[row, t, ids[row, t + 1]]) for row in range(2) for t in range(4) if ids[row, t + 1] != PAD]
    assert len(picked) == 4 + 3
    assert float(whole) == pytest.approx(np.mean(picked), rel=1e-5)
    shared = made.loss(Batch(ids, ids != PAD, pixels[:1], None, image_row=torch.zeros(2, dtype=torch.int64)))
    same = made.loss(Batch(ids, ids != PAD, pixels[:1].expand(2, -1, -1, -1), None))
    assert float(shared.total) == pytest.approx(float(same.total), rel=1e-4)


def test_sampled_words_take_the_place_of_a_part_of_the_true_ones() -> None:
    made = learner(sampled=0.5, sampled_after=1)
    ids = made.words(["a dog runs"] * 200 + ["a cat"] * 200)[0][:, :-1]
    image = made.seen(made.model.encode_image(torch.randn(1, 3, 32, 32)))
    rows = torch.zeros(len(ids), dtype=torch.int64)
    changed = made.sampled_words(ids, image, rows, rate=0.5)
    assert bool((changed[:, 0] == SOS).all())
    assert bool(((ids == PAD) == (changed == PAD)).all())
    assert not bool((changed == UNK).any())
    real = ids[:, 1:] != PAD
    share = float((changed != ids)[:, 1:][real].float().mean())
    assert 0.3 < share < 0.5  # some draws give the true word
    torch.testing.assert_close(made.sampled_words(ids, image, rows, rate=0.0), ids)


def test_words_are_joined_as_people_write_them() -> None:
    assert as_text(["a", "dog", "'s", "ball", ",", "red"]) == "a dog's ball, red"
    assert as_text(["he", "does", "n't", "run", "."]) == "he doesn't run."
    assert as_text([]) == ""


def test_another_image_s_text_is_never_an_image_s_own() -> None:
    texts = [str(n) for n in range(20)]
    moved = exchanged(texts)
    assert sorted(moved) == sorted(texts)
    assert all(one != other for one, other in zip(texts, moved, strict=True))
    assert exchanged(["a"]) == ["a"]


def test_a_model_that_says_the_same_is_named_with_its_number() -> None:
    references = [[["photo", str(n)]] for n in range(1000)]
    said = variety_of(["a", "b", "c"] * 333 + ["a"], references)
    assert said["sentence"] == f"{SAYS_THE_SAME}: 3 distinct captions in 1,000"
    assert said["says_the_same"] is True
    assert variety_of([str(n % 100) for n in range(1000)], references)["says_the_same"] is False
    # Where people say the same of every photo too, it is no fault.
    assert variety_of(["a"] * 1000, [[["a", str(n % 5)]] for n in range(1000)])["says_the_same"] is False
    assert variety_of(["a"] * 40, references[:40])["sentence"].endswith("1 distinct caption in 40")
    assert variety_of(["a"], references[:1])["says_the_same"] is False


def test_the_most_common_caption_is_that_of_most_images_or_the_most_usual() -> None:
    assert most_common(["a dog", "a cat", "a cat", "a bird"]) == "a cat"
    assert most_common(["a red dog", "a blue dog", "one green cat"]) in ("a red dog", "a blue dog")


def test_the_nearest_image_is_another_one() -> None:
    keys = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    queries = torch.tensor([[2.0, 0.0], [0.0, 0.1]])
    assert nearest_rows(queries, keys).tolist() == [0, 2]
    assert nearest_rows(queries, keys, same=np.array([7, 8]), than=np.array([7, 9, 10])).tolist() == [1, 2]


def test_a_vocabulary_says_what_it_covers() -> None:
    words = WordInput(Vocabulary(["a", "dog"]), max_tokens=5)
    found = coverage_of(words, ["a dog", "a cat runs fast"], min_count=2)
    assert (found.words, found.min_count, found.covered, found.cut) == (2, 2, 50.0, 50.0)


def test_references_are_all_captions_of_an_image_without_punctuation() -> None:
    photos = tuple(Photo(f"p{n}", np.full((8, 8, 3), n, np.uint8)) for n in range(2))
    texts = ((0, "A dog, running!"), (1, "A cat."), (0, "One dog"))
    captions = tuple(Caption(f"c{n}", text, image) for n, (image, text) in enumerate(texts))
    collection = Collection("toys", "tests", photos, captions, {"val": (0, 1)})
    assert references_of(collection, [1, 0]) == [[["a", "cat"]], [["a", "dog", "running"], ["one", "dog"]]]
    check_captions(collection)
    with pytest.raises(InputError, match="needs captions, and there is none"):
        check_captions(Collection("toys", "tests", photos, (), {"val": (0, 1)}))


def test_a_blank_image_has_no_content_left() -> None:
    tokens = Tokens(torch.randn(1, 4, 8), torch.ones(1, 4, dtype=torch.bool), grid=(2, 2), pooled=torch.randn(1, 8))
    found = blanked(tokens)
    assert float(found.values.abs().sum() + found.pooled.abs().sum()) == 0
    assert (found.grid, bool(found.valid.all())) == ((2, 2), True)


def test_learned_means_above_all_that_never_looked() -> None:
    metrics = {"cider_d": 50.0, "cider_d_most_common": 20.0, "cider_d_other_image": 30.0, "cider_d_nearest": 90.0}
    assert WORK.learned({"metrics": {**metrics, "cider_d_no_image": 49.0}})
    assert not WORK.learned({"metrics": {**metrics, "cider_d_no_image": 51.0}})
    assert not WORK.learned({"metrics": {**metrics, "cider_d_other_image": 50.0}})


def test_there_is_no_first_stage_and_no_audit_of_its_own() -> None:
    made = learner()
    assert WORK.first_stage(recipe()) is None
    with pytest.raises(ConfigError, match="one stage"):
        WORK.begin_from(made, made)
    with pytest.raises(ConfigError, match="no audit of its own"):
        WORK.audit_split(None, made, None, recipe(), split="val", thorough=True)  # type: ignore[arg-type]


def test_a_strip_has_a_tile_per_word_and_takes_any_letters() -> None:
    tiles = [np.full((4, 8, 3), 90, np.uint8), np.full((300, 200, 3), 10, np.uint8)]
    sheet = strip(tiles, ["a" * 100, "日本語"], side_px=64, columns=1)
    assert sheet.shape == (2 * 80, 64, 3)
    assert sheet[32, 32].tolist() == [90] * 3
    assert sheet[80 + 32, 32].tolist() == [10] * 3
    with pytest.raises(InputError, match="one label for each"):
        strip(tiles, ["one"])


def test_logits_move_nothing_but_their_values() -> None:
    assert len(CaptionLogits(torch.zeros(3, 2, 5))) == 3
