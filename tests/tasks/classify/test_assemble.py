"""The list of classes comes from the training split, and only what reads no text serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plait.core.errors import ConfigError, InputError
from plait.core.recipe.text import recipe_to_toml
from plait.data.collection import keep_photos
from plait.tasks.classify.work import WORK
from tests.tasks.classify.toys import ORDER, class_collection, class_recipe
from tests.toys import toy_sides


def test_classes_are_those_of_training_in_the_order_of_the_alphabet() -> None:
    filled = WORK.fill_in(class_recipe(width=16), class_collection(extra="yellow"))
    assert filled.fusion.head["classes"] == list(ORDER)
    assert WORK.fill_in(filled, class_collection()) == filled
    assert '"blue", "green", "red"' in recipe_to_toml(filled)
    learner = WORK.assemble(filled, *toy_sides())
    assert learner.classes == ORDER  # type: ignore[attr-defined]


def test_a_list_of_the_recipe_keeps_its_order_and_must_hold_every_class() -> None:
    own = class_recipe(head={"classes": ["red", "green", "blue", "white"]})
    assert WORK.fill_in(own, class_collection()) == own
    with pytest.raises(InputError, match=r"'blue', which fusion.head.classes lacks"):
        WORK.fill_in(class_recipe(head={"classes": ["red", "green"]}), class_collection())
    with pytest.raises(ConfigError, match="expected a list of names"):
        WORK.fill_in(class_recipe(head={"classes": "red,green"}), class_collection())


def test_one_class_is_none() -> None:
    collection = class_collection()
    red = keep_photos(collection, [i for i, c in enumerate(collection.captions) if c.text == "red"])
    with pytest.raises(InputError, match=r"has 1 class\(es\) \(red\)"):
        WORK.fill_in(class_recipe(), red)


@pytest.mark.parametrize(
    ("fusion", "said"),
    [
        ({"name": "cross"}, "no fusion may read it"),
        ({"head": {"name": "logit"}}, "head 'logit' does not serve"),
        ({"pairing": "itm"}, "leave fusion.pairing out"),
        ({"objective": {}, "head": {"name": "clas"}}, "class"),
    ],
)
def test_parts_that_do_not_serve_are_refused(fusion: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        WORK.use(class_recipe(**fusion))
    recipe = class_recipe()
    with pytest.raises(ConfigError, match="objective 'infonce' does not serve"):
        WORK.use(replace(recipe, objective=replace(recipe.objective, name="infonce")))
    with pytest.raises(ConfigError, match="at least two names"):
        WORK.assemble(class_recipe(width=16), *toy_sides())
    with pytest.raises(ConfigError, match="one stage"):
        WORK.begin_from(None, None)  # type: ignore[arg-type]
