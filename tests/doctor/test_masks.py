"""Masks: inverted ones, masks hidden in transparency, odd sizes, and texts that cannot matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plait.doctor.check import Checkup, check_data
from tests.data.photos import scene
from tests.doctor.sick import write


def masked(folder: Path, marked: float, *, table: bool = True) -> Path:
    """Make 6 images with one mask each that marks a part of it."""
    rows = ["image,text,mask"]
    for n in range(6):
        write(folder / "images" / f"p{n}.png", scene(n))
        mask = np.zeros((90, 120), dtype=np.uint8)
        mask[: round(90 * marked)] = 255
        write(folder / "masks" / f"p{n}.png", mask)
        rows.append(f"p{n}.png,dog,p{n}.png")
    if table:
        (folder / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def counts(found: Checkup) -> dict[str, int]:
    return {one.code: one.count for one in found.findings if one.code.startswith("mask_")}


def test_masks_of_things_pass(tmp_path: Path) -> None:
    found = check_data(masked(tmp_path, 0.1))
    assert counts(found) == {"mask_text_alone": 6}
    assert found.to_json()["masks"]["marked"] == {"mean": 0.1, "median": 0.1, "most": 0.1}


@pytest.mark.parametrize("table", [True, False])
def test_inverted_masks_are_called_out(tmp_path: Path, table: bool) -> None:
    found = check_data(masked(tmp_path, 0.9, table=table))
    assert counts(found)["mask_polarity"] == 6
    (polarity,) = [one for one in found.findings if one.code == "mask_polarity"]
    assert polarity.detail == "mean 90.0 %, median 90.0 % of a mask is marked; all ones score IoU 0.900"


def test_a_mask_in_the_transparency_is_called_out(tmp_path: Path) -> None:
    folder = masked(tmp_path, 0.1)
    rgba = np.dstack([scene(0), np.full((90, 120), 255, dtype=np.uint8)])
    rgba[:9, :, 3] = 0  # the edit region
    write(folder / "masks" / "p0.png", rgba)
    found = check_data(folder)
    assert counts(found) == {"mask_alpha": 1, "mask_text_alone": 6}
    (alpha,) = [one for one in found.findings if one.code == "mask_alpha"]
    assert alpha.examples[0].what == "10.0 % of it is transparent"


def test_other_faults_of_masks(tmp_path: Path) -> None:
    folder = masked(tmp_path, 0.2)
    write(folder / "masks" / "p0.png", np.zeros((90, 120), dtype=np.uint8))
    write(folder / "masks" / "p1.png", np.full((90, 120), 255, dtype=np.uint8))
    write(folder / "masks" / "p2.png", np.eye(50, dtype=np.uint8) * 255)
    write(folder / "masks" / "p3.png", (np.arange(90 * 120) % 3 * 100).reshape(90, 120).astype(np.uint8))
    (folder / "masks" / "p4.png").write_bytes(b"nothing")
    (folder / "masks" / "p5.png").unlink()
    assert counts(check_data(folder)) == {
        "mask_missing": 1,
        "mask_unreadable": 1,
        "mask_unclear": 1,
        "mask_size": 1,
        "mask_empty": 1,
        "mask_full": 1,
        "mask_text_alone": 6,
    }


def test_soft_edges_are_a_warning_and_label_maps_an_error(tmp_path: Path) -> None:
    folder = masked(tmp_path, 0.1)
    soft = np.zeros((90, 120), dtype=np.uint8)
    soft[:9], soft[9] = 255, 128
    write(folder / "masks" / "p0.png", soft)
    write(folder / "masks" / "p1.png", soft // 100)  # 0, 1 and 2
    found = check_data(folder)
    assert counts(found) == {"mask_levels": 1, "mask_unclear": 1, "mask_text_alone": 6}
    (unclear,) = [one for one in found.findings if one.code == "mask_unclear"]
    assert unclear.examples[0].what.startswith("it has the numbers 0, 1, 2, as label maps do; declare 'label:N'")
