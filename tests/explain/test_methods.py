"""Every method finds the one cell that matters, for the text and for its one word; and says where it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.core.errors import ConfigError, ShapeError
from plait.core.tables import load_entry
from plait.core.types import AttentionMap, Level, Tokens
from plait.explain.blank import keep_cells
from plait.explain.methods import METHODS
from plait.explain.methods.integrated import integrated_gradients
from plait.explain.methods.occlusion import occlusion
from plait.explain.methods.propagate import carried
from plait.explain.subject import Scored, Subject, shuffled_weights
from tests.explain.toys import CELLS, GRID, PIECES, SPOT, known_subject


@pytest.mark.parametrize("name", METHODS)
def test_it_finds_the_cell_that_matters(name: str) -> None:
    found = load_entry(METHODS[name])(known_subject())
    assert found.image.shape == (CELLS,)
    assert found.words.shape == (2, CELLS)
    assert int(found.image.argmax()) == SPOT
    assert int(found.words[1].argmax()) == SPOT  # "dog"
    assert found.words[1, SPOT] > 3 * abs(found.words[0, SPOT])  # "a" asks for nothing
    assert np.isfinite(found.words).all()
    if not found.signed:
        assert (found.image >= 0).all()


@pytest.mark.parametrize("name", ["attention", "rollout", "gradient_attention"])
def test_methods_of_attention_refuse_a_fusion_without_it(name: str) -> None:
    subject = known_subject()
    bare = replace(subject, score=lambda m, t, i, maps: Scored(subject.score(m, t, i, False).values))
    with pytest.raises(ConfigError, match="needs attention"):
        load_entry(METHODS[name])(bare)
    with pytest.raises(ConfigError, match="needs attention"):
        load_entry(METHODS[name])(known_subject(pieces=()))


@pytest.mark.parametrize("name", ["occlusion", "gradient", "integrated_gradients"])
def test_an_answer_without_words_has_one_map(name: str) -> None:
    found = load_entry(METHODS[name])(known_subject(pieces=()))
    assert int(found.image.argmax()) == SPOT
    assert found.words.shape == (0, CELLS)


def test_occlusion_by_hand() -> None:
    subject = known_subject()
    keep = torch.ones(2, CELLS, dtype=torch.bool)
    keep[1, SPOT] = False
    both = subject.values(subject.text, keep_cells(subject.image, keep))
    assert occlusion(subject).image[SPOT] == pytest.approx(float(both[0] - both[1]), rel=1e-5)


def test_integrated_gradients_add_up_to_the_change_of_the_answer() -> None:
    subject = known_subject()
    blank = keep_cells(subject.image, torch.zeros(1, CELLS, dtype=torch.bool))
    change = float(subject.values(subject.text, subject.image)[0] - subject.values(subject.text, blank)[0])
    assert integrated_gradients(subject).image.sum() == pytest.approx(change, rel=0.02)


def test_blank_cells_are_the_mean_at_every_level() -> None:
    values = torch.arange(8.0).view(1, 4, 2)
    level = Level(torch.arange(16.0).view(1, 16, 1), (4, 4))
    image = Tokens(values, torch.ones(1, 4, dtype=torch.bool), grid=(2, 2), pooled=torch.ones(1, 3), levels=(level,))
    found = keep_cells(image, torch.tensor([[True, False, False, True]]))
    assert found.values[0].tolist() == [[0.0, 1.0], [3.0, 4.0], [3.0, 4.0], [6.0, 7.0]]
    finer = found.levels[0].values.view(4, 4)
    assert finer[0].tolist() == [0.0, 1.0, 7.5, 7.5]
    assert finer[3].tolist() == [7.5, 7.5, 14.0, 15.0]
    assert found.pooled is None
    with pytest.raises(ShapeError, match="cells to keep"):
        keep_cells(image, torch.ones(1, 3, dtype=torch.bool))


def test_rollout_multiplies_along_layers() -> None:
    own = AttentionMap(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]]), "image", "image", 0)
    across = AttentionMap(torch.tensor([[[[1.0, 0.0]]]]), "text", "image", 1)
    table = carried([across, own], lambda n: [across, own][n].weights[0].mean(0), texts=1, cells=2)
    assert table.tolist() == [[0.5, 0.5]]  # half of cell 0 came from cell 1
    back = AttentionMap(torch.tensor([[[[1.0], [3.0]]]]), "image", "text", 0)
    assert carried([back], lambda n: back.weights[0].mean(0), texts=1, cells=2).tolist() == [[1.0, 3.0]]


def test_a_word_is_removed_and_a_lone_one_becomes_zeros() -> None:
    less = known_subject().without_words()
    assert less.valid.tolist() == [[True, False, True, True], [True, True, False, True]]
    alone = known_subject()
    one = Subject(
        alone.model,
        alone.score,
        alone.text.take(slice(0, 1)).__class__(alone.text.values[:, 2:3], alone.text.valid[:, 2:3]),
        alone.image,
        ("dog",),
        "",
    )
    assert one.without_words().valid.tolist() == [[True]]
    assert not one.without_words().values.any()


def test_shuffled_weights_keep_their_values_and_lose_their_places() -> None:
    model = known_subject().model.head
    other = shuffled_weights(model, 1)
    assert sorted(other.weight.tolist()) == sorted(model.weight.tolist())  # type: ignore[union-attr, operator]
    assert other.weight.tolist() != model.weight.tolist()  # type: ignore[union-attr, operator]


def test_a_subject_is_one_pair_on_a_grid() -> None:
    subject = known_subject()
    with pytest.raises(ShapeError, match="one text and one image"):
        replace(subject, image=replace(subject.image, grid=None))
    assert (subject.grid, subject.words) == (GRID, ("a", "dog"))
    assert len(PIECES) == subject.text.values.shape[1]
