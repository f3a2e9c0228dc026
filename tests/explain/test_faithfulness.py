"""Faithfulness tells a map that matters from one that does not."""

from __future__ import annotations

import numpy as np
import pytest

from plait.core.errors import InputError, ShapeError
from plait.explain.explanation import explain_subject, write_explanation
from plait.explain.faithfulness import evenness, faithfulness, pointing, rank_correlation
from plait.explain.methods.occlusion import occlusion
from plait.explain.methods.relevance import Relevance
from tests.explain.toys import CELLS, GRID, SPOT, known_subject


def test_a_map_that_matters_beats_random_orders() -> None:
    subject = known_subject()
    found = faithfulness(subject, occlusion(subject), method=occlusion)
    assert found.deletion_gain > 0
    assert found.insertion_gain > 0
    assert found.deletion_rank <= 0.05
    assert found.deletion[0] == found.insertion[-1] == pytest.approx(found.random_deletion[0, 0])
    assert found.deletion[-1] == pytest.approx(found.insertion[0])
    assert not any("no faster" in one for one in found.sentences())


def test_an_even_or_wrong_map_is_called_so() -> None:
    subject = known_subject()
    even = faithfulness(subject, Relevance(np.ones(CELLS), np.zeros((2, CELLS)), signed=False))
    assert "nearly even" in even.sentences()[0]
    wrong = np.ones(CELLS)
    wrong[SPOT] = -1.0
    found = faithfulness(subject, Relevance(wrong, np.zeros((2, CELLS)), signed=True))
    assert found.deletion_gain < 0
    assert sum("no faster than random" in one for one in found.sentences()) == 2
    with pytest.raises(ShapeError, match="relevance of 20 cells"):
        faithfulness(subject, Relevance(np.ones(3), np.zeros((2, 3)), signed=False))


def test_evenness_correlation_and_pointing_by_hand() -> None:
    assert evenness(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert evenness(np.array([-1.0, -2.0])) == 1.0
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 90.0])) == pytest.approx(1.0)
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    assert rank_correlation(np.array([1.0, 2.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(
        0.9487, abs=1e-4
    )
    assert rank_correlation(np.ones(3), np.array([3.0, 2.0, 1.0])) == 0.0
    mask = np.array([[0.0, 0.4], [0.1, 0.2]])
    assert pointing(np.array([0.0, 1.0, 0.0, 0.0]), mask) == (True, 0.5)
    assert pointing(np.array([0.0, 0.0, 1.0, 0.0]), mask) == (False, 0.5)
    with pytest.raises(InputError, match="covers no cell"):
        pointing(np.ones(4), np.zeros((2, 2)))


def test_an_explanation_is_written_as_arrays_picture_and_page(tmp_path):  # type: ignore[no-untyped-def]
    hostile = "<script>alert(1)</script> & a dog"
    found = explain_subject(known_subject(), method="occlusion", photo="p.png", text=hostile)
    rgb = np.full((40, 50, 3), 120, np.uint8)
    written = write_explanation(found, rgb, tmp_path / "out")
    assert written.files is not None
    arrays = np.load(written.files["arrays"])
    np.testing.assert_array_equal(arrays["image"], found.image)
    assert arrays["words"].tolist() == ["a", "dog"]
    assert found.image.shape == GRID
    assert found.worth[1] > abs(found.worth[0])
    page = (tmp_path / "out" / "explanation.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "4 x 5 cells" in page
    assert "faster than random orders" in page
    assert "http" not in page.split("<style>")[1]
    unmeasured = explain_subject(known_subject(), method="gradient", photo="p", text="a dog", measure=False)
    assert unmeasured.faithful is None
    assert "was not measured" in write_and_read(unmeasured, rgb, tmp_path / "plain")


def write_and_read(found, rgb, folder):  # type: ignore[no-untyped-def]
    write_explanation(found, rgb, folder)
    return (folder / "explanation.html").read_text(encoding="utf-8")
