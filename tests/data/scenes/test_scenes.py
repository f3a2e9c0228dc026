"""Scenes: what is drawn, what is said of it, and that nothing but binding tells the true sentence from the false."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from plait.core.errors import InputError
from plait.data.scenes.draw import COLOURS, SHAPES, SIZES, Scene, Thing, render, thing_mask
from plait.data.scenes.make import FAMILY, MAXIMUM, draw_scenes, generate
from plait.data.scenes.words import CaptionPair, Description, Statement, caption_pairs, holds, phrases, questions

RED, BLUE = Description("square", "red", "small"), Description("circle", "blue", "large")
GREY_LIMITS = (70, 191)


def scene(*things: Thing) -> Scene:
    return Scene("by hand", things, backdrop=5)


@pytest.fixture
def pair() -> Scene:
    """A small red square left of a large blue circle, at equal height."""
    return scene(Thing("square", "red", "small", 0.25, 0.5), Thing("circle", "blue", "large", 0.75, 0.5))


@pytest.fixture(scope="module")
def drawn() -> dict[str, tuple[Scene, ...]]:
    return draw_scenes(240, seed=3)


@pytest.fixture(scope="module")
def told(drawn: dict[str, tuple[Scene, ...]]) -> list[tuple[Scene, CaptionPair]]:
    return [
        (each, found)
        for scenes in drawn.values()
        for each, pairs in zip(scenes, caption_pairs(scenes, seed=1), strict=True)
        for found in pairs
    ]


def read(sentence: str) -> Statement:
    """Read a caption back, by other means than those that wrote it."""
    sides = {"left": "left", "right": "right", "above": "above", "below": "below"}
    words = [w for w in sentence.split() if w not in ("a", "is", "there", "of", "to", "the", "with", "on", "its", "it")]
    side = next(w for w in words if w in sides)
    kinds = [w for w in words if w not in sides]
    first_end = next(n for n, w in enumerate(kinds) if w in SHAPES) + 1
    one, other = (
        Description(
            shape=next(w for w in part if w in SHAPES),
            colour=next(w for w in part if w in COLOURS),
            size=next((w for w in part if w in SIZES), ""),
        )
        for part in (kinds[:first_end], kinds[first_end:])
    )
    turned = " with " in sentence or " there is " in sentence
    return Statement(other, side, one) if turned else Statement(one, side, other)


class TestDrawing:
    def test_things_have_their_colour_and_place(self, pair: Scene) -> None:
        picture = render(pair, 64)
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == np.uint8
        assert tuple(picture[32, 16]) == COLOURS["red"]
        assert tuple(picture[32, 48]) == COLOURS["blue"]
        corner = picture[:4, :4].astype(int)
        assert corner.min() >= GREY_LIMITS[0]
        assert corner.max() < GREY_LIMITS[1]

    @pytest.mark.parametrize(
        ("shape", "area"),
        [
            ("circle", np.pi * 0.95**2),
            ("square", (2 * 0.84) ** 2),
            ("ring", np.pi * (0.95**2 - 0.49**2)),
            ("cross", 2 * (1.9 * 0.66) - 0.66**2),
            ("triangle", 0.5 * 1.94 * 1.68),
            ("star", 5 * 2 * 0.5 * 1.0 * 0.4 * np.sin(np.pi / 5)),
        ],
    )
    def test_masks_have_the_area_of_the_outline(self, shape: str, area: float) -> None:
        mask = thing_mask(scene(Thing(shape, "red", "large", 0.5, 0.5)), 0, size_px=512)
        radius = SIZES["large"] * 512
        assert mask.sum() == pytest.approx(area * radius**2, rel=0.02)

    def test_every_shape_is_drawn_apart_from_the_others(self) -> None:
        masks = [thing_mask(scene(Thing(shape, "red", "small", 0.5, 0.5)), 0, size_px=64) for shape in SHAPES]
        for n, mask in enumerate(masks):
            assert mask.any()
            for other in masks[:n]:
                assert (mask ^ other).sum() >= 0.1 * mask.sum()

    def test_edges_are_soft(self) -> None:
        disc = scene(Thing("circle", "white", "large", 0.5, 0.5))
        picture, empty = render(disc, 64).astype(int), render(Scene("empty", (), 5), 64).astype(int)
        part = (picture - empty)[..., 0] / np.maximum(245 - empty[..., 0], 1)
        soft = (part > 0.1) & (part < 0.9)
        assert 20 < soft.sum() < 120

    def test_a_mask_covers_what_the_thing_changed(self, pair: Scene) -> None:
        changed = (render(pair, 64) != render(Scene("empty", (), 5), 64)).any(2)
        masks = thing_mask(pair, 0) | thing_mask(pair, 1)
        assert not (masks & ~changed).any()
        assert masks.sum() > 0.75 * changed.sum()

    def test_a_thing_at_the_rim_is_cut(self) -> None:
        mask = thing_mask(scene(Thing("circle", "red", "large", 0.0, 0.5)), 0, size_px=64)
        whole = thing_mask(scene(Thing("circle", "red", "large", 0.5, 0.5)), 0, size_px=64)
        assert mask.sum() == pytest.approx(whole.sum() / 2, rel=0.05)

    def test_too_small_pictures_are_refused(self, pair: Scene) -> None:
        with pytest.raises(InputError, match="size_px: expected at least 16, got 15"):
            render(pair, 15)
        with pytest.raises(InputError, match="size_px: expected at least 16, got 15"):
            thing_mask(pair, 0, size_px=15)


class TestTruth:
    def test_what_is_clear_is_true_and_its_swaps_are_false(self, pair: Scene) -> None:
        assert holds(pair, Statement(RED, "left", BLUE))
        assert holds(pair, Statement(BLUE, "right", RED))
        for wrong in (
            Statement(BLUE, "left", RED),
            Statement(RED, "right", BLUE),
            Statement(RED, "above", BLUE),
            Statement(Description("square", "blue", "small"), "left", Description("circle", "red", "large")),
            Statement(Description("square", "red", "large"), "left", Description("circle", "blue", "small")),
        ):
            assert not holds(pair, wrong, generous=True)

    def test_a_slant_is_neither_claimed_nor_denied(self) -> None:
        slanted = scene(Thing("square", "red", "small", 0.25, 0.3), Thing("circle", "blue", "large", 0.75, 0.6))
        for side in ("left", "above"):
            assert not holds(slanted, Statement(RED, side, BLUE))
            assert holds(slanted, Statement(RED, side, BLUE), generous=True)
        assert not holds(slanted, Statement(RED, "below", BLUE), generous=True)

    def test_an_open_attribute_fits_anything(self, pair: Scene) -> None:
        assert holds(pair, Statement(Description("", "red"), "left", Description("circle", "")))

    def test_the_plain_form_says_left_or_above(self) -> None:
        assert Statement(BLUE, "right", RED).plain == Statement(RED, "left", BLUE)
        assert Statement(BLUE, "above", RED).plain == Statement(BLUE, "above", RED)


class TestCaptionPair:
    def test_captions_are_true_and_counterfactuals_false(self, told: list[tuple[Scene, CaptionPair]]) -> None:
        assert len(told) == 4 * 240
        for each, found in told:
            assert holds(each, read(found.text)), (each, found)
            assert not holds(each, read(found.counterfactual), generous=True), (each, found)

    def test_a_bag_of_words_cannot_tell_them_apart(self, told: list[tuple[Scene, CaptionPair]]) -> None:
        for _, found in told:
            assert Counter(found.text.split()) == Counter(found.counterfactual.split())
            assert found.text != found.counterfactual

    def test_both_swaps_are_about_equally_frequent(self, told: list[tuple[Scene, CaptionPair]]) -> None:
        shares = Counter(found.swapped for _, found in told)
        assert set(shares) == {"colour", "place"}
        assert min(shares.values()) > 0.45 * len(told)

    def test_how_much_there_is_of_a_colour_tells_nothing(self, told: list[tuple[Scene, CaptionPair]]) -> None:
        for _, found in told:
            if found.swapped == "colour":
                fact = read(found.text)
                assert fact.first.size == fact.second.size, found

    def test_most_captions_are_true_of_one_scene_of_the_split(self, told: list[tuple[Scene, CaptionPair]]) -> None:
        assert sum(found.true_of == 1 for _, found in told) > 0.95 * len(told)

    def test_true_of_counts_scenes(self, pair: Scene) -> None:
        other = scene(Thing("star", "green", "small", 0.25, 0.5), Thing("ring", "white", "large", 0.75, 0.5))
        assert {found.true_of for found in caption_pairs([pair, other])[0]} == {1}
        assert {found.true_of for found in caption_pairs([pair, pair, other])[0]} == {2}

    def test_counterfactuals_are_true_of_relatives(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        family = [each for each in drawn["train"] if each.family == 0 and len(each.things) == 2]
        family = family or [each for each in drawn["train"] if each.family == 1]
        assert len(family) == FAMILY
        for pairs in caption_pairs(family):
            for found in pairs:
                assert any(holds(other, read(found.counterfactual)) for other in family)

    def test_a_scene_without_a_clear_side_gets_no_caption(self) -> None:
        slanted = scene(Thing("square", "red", "small", 0.25, 0.3), Thing("circle", "blue", "large", 0.75, 0.6))
        assert caption_pairs([slanted]) == [[]]


class TestPhrases:
    def test_phrases_of_a_pair(self, pair: Scene) -> None:
        assert [(p.text, p.thing, p.kind) for p in phrases(pair)] == [
            ("the red square", 0, "object"),
            ("the blue circle", 1, "object"),
            ("the shape left of the blue shape", 0, "binding"),
            ("the shape right of the red shape", 1, "binding"),
        ]

    def test_a_phrase_that_fits_two_things_is_not_used(self) -> None:
        crowd = scene(
            Thing("square", "red", "small", 0.2, 0.2),
            Thing("square", "red", "large", 0.2, 0.6),
            Thing("circle", "blue", "small", 0.7, 0.2),
        )
        texts = {p.text: p.thing for p in phrases(crowd)}
        assert texts["the small red square"] == 0
        assert texts["the large red square"] == 1
        assert "the shape left of the blue shape" not in texts  # the large square is left of it as well
        assert texts["the shape directly left of the blue shape"] == 0
        assert texts["the shape below and left of the blue shape"] == 1

    def test_masks_show_the_thing(self, pair: Scene) -> None:
        mask = thing_mask(pair, phrases(pair)[2].thing, size_px=32)
        assert mask.shape == (32, 32)
        assert mask.dtype == bool
        assert mask[16, 8]
        assert not mask[:, 16:].any()


class TestQuestions:
    def test_questions_of_a_pair(self, pair: Scene) -> None:
        asked = {q.text: q.answer for q in questions(pair)}
        assert asked["what colour is the square?"] == "red"
        assert asked["what is the shape left of the blue shape?"] == "square"

    def test_yes_and_no_are_right_and_about_even(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        answers: Counter[str] = Counter()
        for each in drawn["train"]:
            for question in questions(each):
                if question.kind == "relation":
                    statement = read(question.text.removeprefix("is ").removesuffix("?"))
                    assert holds(each, statement, generous=True) == (question.answer == "yes")
                    answers[question.answer] += 1
        assert 0.4 < answers["yes"] / answers.total() < 0.6

    def test_one_question_has_several_answers_within_a_family(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        answers = defaultdict(set)
        for each in drawn["train"][:FAMILY]:
            for question in questions(each):
                answers[question.kind, question.text].add(question.answer)
        for kind in ("colour", "shape"):
            assert any(len(found) > 1 for (of, _), found in answers.items() if of == kind)


class TestCollection:
    def test_splits_share_no_photo_and_no_family(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        assert {name: len(scenes) for name, scenes in drawn.items()} == {"train": 168, "val": 24, "test": 48}
        families = [{each.family for each in scenes} for scenes in drawn.values()]
        assert not families[0] & families[1] | families[0] & families[2] | families[1] & families[2]

    def test_a_family_holds_one_bag_bound_in_eight_ways(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        family = drawn["train"][:FAMILY]
        bindings = {tuple(sorted((t.shape, t.colour, t.size) for t in each.things)) for each in family}
        words = {tuple(sorted(w for t in each.things for w in (t.shape, t.colour, t.size))) for each in family}
        assert len(words) == 1
        assert len(bindings) == 2  # each in four places

    def test_no_thing_hides_another_or_leaves_the_picture(self, drawn: dict[str, tuple[Scene, ...]]) -> None:
        for each in drawn["train"][:48]:
            masks = [thing_mask(each, n) for n in range(len(each.things))]
            assert sum(mask.astype(int) for mask in masks).max() == 1
            for mask in masks:
                assert not mask[0].any()
                assert not mask[-1].any()
                assert not mask[:, 0].any()
                assert not mask[:, -1].any()

    def test_generate_gives_photos_captions_and_counterfactuals(self) -> None:
        collection = generate(count=20, seed=1, size_px=32)
        assert collection.name == "scenes"
        assert [len(collection.splits[name]) for name in ("train", "val", "test")] == [14, 2, 4]
        assert len(collection.photos) == 20
        assert all(isinstance(p.source, np.ndarray) and p.source.shape == (32, 32, 3) for p in collection.photos)
        assert len(collection.captions) == 80
        assert all(caption.counterfactual for caption in collection.captions)
        assert collection.photos[0].id == "scene-000-0"
        assert collection.captions[5].id == "scene-000-1#1"

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        collection = generate(count=20, seed=1, size_px=32)
        again = generate(count=20, seed=1, size_px=32)
        other = generate(count=20, seed=2, size_px=32)
        assert collection.fingerprint == again.fingerprint != other.fingerprint

    def test_pictures_are_those_of_every_machine(self) -> None:
        collection = generate(count=20, seed=1, size_px=32)
        total = hashlib.sha256(
            b"".join(p.source.tobytes() for p in collection.photos if isinstance(p.source, np.ndarray))
        )
        assert total.hexdigest()[:16] == "bc0c05757e50a694"
        assert collection.captions_fingerprint[:16] == "12b79c8c23864048"

    def test_counterfactuals_exchange_what_is_asked(self) -> None:
        def pairs(kind: str) -> list[tuple[Statement, Statement]]:
            captions = generate(count=16, seed=1, size_px=16, kinds=(kind,)).captions
            assert len(captions) == 64
            return [(read(c.text), read(str(c.counterfactual))) for c in captions]

        for true, false in pairs("colour"):
            assert false.first == replace(true.first, colour=true.second.colour)
            assert false.second == replace(true.second, colour=true.first.colour)
        for true, false in pairs("place"):
            assert (false.first, false.second) == (true.second, true.first)
        with pytest.raises(InputError, match="kinds: expected some of colour, place, got size"):
            generate(count=16, kinds=("size",))

    @pytest.mark.parametrize("count", [5, MAXIMUM + 1])
    def test_counts_that_cannot_be_had_are_refused(self, count: int) -> None:
        with pytest.raises(InputError, match=f"count: expected 6 to 7,000 images .* got {count:,}"):
            generate(count=count)

    def test_the_largest_and_smallest_counts_can_be_had(self) -> None:
        assert sum(map(len, draw_scenes(MAXIMUM).values())) == MAXIMUM
        assert [len(scenes) for scenes in draw_scenes(6).values()] == [2, 2, 2]
