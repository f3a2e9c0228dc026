"""Images are found by the names that tables give them, or the message says which name is near."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plait.core.errors import InputError
from plait.data.collection import Skip
from plait.data.finder import file_finder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "images"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "B.JPG", "c.jpeg", "d", "sub/e.png", "1000268201_693b08cb0e.jpg"):
        (folder / name).write_bytes(b"x")
    (folder / "empty.jpg").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("images/a.jpg", "a.jpg"),
        ("Images/a.jpg", "a.jpg"),
        ("data/images/a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("images\\a.jpg", "a.jpg"),
        ("sub\\e.png", "sub/e.png"),
        ("a.JPG", "a.jpg"),
        ("A.jpg", "a.jpg"),
        ("b.jpg", "B.JPG"),
        ("b", "B.JPG"),
        ("sub/E.png", "sub/e.png"),
        ("images/sub/e.png", "sub/e.png"),
        ("d", "d"),
    ],
)
def test_names_that_are_found(images: Path, name: str, file: str) -> None:
    assert file_finder(images, "data")(name) == images / file


def test_absolute_paths_into_the_folder_are_found(images: Path) -> None:
    find = file_finder(images, "data")
    assert find(str(images / "a.jpg")) == images / "a.jpg"
    assert find(str(images / "sub" / "e.png")) == images / "sub" / "e.png"
    assert isinstance(find(str(images / "gone.jpg")), Skip)


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.jpg", "sub/../../a.jpg", "C:\\a.jpg", "\\\\host\\a.jpg"])
def test_names_that_lead_out_are_refused(images: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out of"):
        file_finder(images, "data")(name)


def test_absolute_paths_out_of_the_folder_are_refused(images: Path) -> None:
    for name in (str(images.parent / "x.jpg"), f"{images}/../x.jpg", f"{images}2/a.jpg"):
        with pytest.raises(InputError, match="leads out of"):
            file_finder(images, "data")(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.jpg", "no such image in"),
        ("c.jpg", "did you mean 'c.jpeg'?"),
        ("1000268201_693b08cb0f.jpg", "no such image in"),
        ("1000268201-693b08cb0e.jpg", "did you mean '1000268201_693b08cb0e.jpg'?"),
        ("empty.jpg", "empty (0 bytes)"),
        ("Empty.jpg", "empty (0 bytes)"),
        ("sub", "no such image in"),
        ("a\0.jpg", "no such image in"),
        ("x" * 5000, "no such image in"),
    ],
)
def test_names_that_are_not(images: Path, name: str, reason: str) -> None:
    found = file_finder(images, "data")(name)
    assert isinstance(found, Skip)
    assert found.where == name
    assert reason in found.reason


def test_numbered_names_are_no_hint(images: Path) -> None:
    """Among names that differ in digits the nearest is another image."""
    (images / "p10.png").write_bytes(b"x")
    found = file_finder(images, "data")("p11.png")
    assert isinstance(found, Skip)
    assert "did you mean" not in found.reason


def test_names_that_differ_in_case_only_must_be_exact(images: Path) -> None:
    (images / "A.JPG").write_bytes(b"x")
    if len(list(images.glob("[aA].*"))) == 1:
        pytest.skip("this file system does not distinguish upper and lower case")
    find = file_finder(images, "data")
    assert find("a.jpg") == images / "a.jpg"
    found = find("a.Jpg")
    assert isinstance(found, Skip)
    assert "'A.JPG' and 'a.jpg' differ in upper and lower case only" in found.reason


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="permissions do not bind this user")
def test_a_folder_without_permission_says_so(images: Path) -> None:
    (images / "sub").chmod(0)
    found = file_finder(images, "data")("sub/e.png")
    (images / "sub").chmod(0o755)
    assert isinstance(found, Skip)
    assert "Permission denied" in found.reason


def test_a_missing_permission_is_not_a_missing_image(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    find = file_finder(images, "data")
    monkeypatch.setattr(Path, "stat", refuse)
    found = find("a.jpg")
    assert isinstance(found, Skip)
    assert "Permission denied; give this user permission" in found.reason
