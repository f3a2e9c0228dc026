"""Keys and names of earlier versions: taken, warned of, and given with what they are called now."""

from __future__ import annotations

import warnings

import pytest

from plait.core.config import recipe_from_dict, recipe_to_dict
from plait.core.recipe.renamed import RenamedWarning, renamed


def test_an_old_key_is_taken_and_its_new_name_is_said() -> None:
    with pytest.warns(RenamedWarning, match="'train.captions_a_photo' is called 'train.captions_per_image'"):
        recipe = recipe_from_dict({"train": {"captions_a_photo": 3}}, where="mine.toml")
    assert recipe.train.captions_per_image == 3


def test_an_old_decoder_is_the_heads_name() -> None:
    old = {"task": "mask", "fusion": {"decoder": "vector", "head": {"channels": 64}}}
    with pytest.warns(RenamedWarning, match="fusion.decoder"):
        assert recipe_from_dict(old).fusion.head == {"name": "vector", "channels": 64}


def test_an_old_fusion_is_found_under_its_new_name_in_variants_too() -> None:
    with pytest.warns(RenamedWarning) as said:
        recipe = recipe_from_dict({"fusion": {"name": "chapter/hierarchical"}, "variants": {"chapter/x": {}}})
    assert recipe.fusion.name == "textbook/hierarchical"
    assert set(recipe.variants) == {"textbook/x"}
    assert any("textbook/hierarchical" in str(one.message) for one in said)


def test_todays_names_pass_without_a_word() -> None:
    plain = recipe_to_dict(recipe_from_dict({}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert renamed(plain, "here") == plain


def test_what_is_no_table_is_left_for_the_checks() -> None:
    assert renamed({"train": 3, "fusion": "late"}, "here") == {"train": 3, "fusion": "late"}
