"""From an image's name in a table to its file: names with a folder, absolute paths, other case, missing suffixes."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from plait.core.errors import InputError
from plait.core.os_errors import os_sentence
from plait.data.collection import Skip
from plait.data.images import IMAGE_SUFFIXES

__all__ = ["Finder", "file_finder"]

# Gives the image of a name, or the reason why there is none.
Finder = Callable[[str], "Path | np.ndarray | Skip"]

_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
_HINT_CUTOFF = 0.9
# The nearest name is looked for among all names of the folder, so only for the first few that are missing.
_MOST_HINTS = 20


class _Folder:
    """A folder's files by name, in lower case too; each sub-folder is listed once, when a name is first missing in it.

    `hints` counts how many nearest names were looked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hints = 0
        self._listed: dict[Path, dict[str, list[str]]] = {}

    def in_any_case(self, path: Path) -> list[Path]:
        """Give the files beside `path` whose name is its own in another case."""
        return [path.parent / name for name in self._names(path.parent).get(path.name.casefold(), [])]

    def hint(self, path: Path) -> str:
        """Give "; did you mean 'b.png'?" for the image of another suffix or nearly the same name, or ""."""
        names = self._names(path.parent)
        stem = path.stem.casefold() if path.suffix.lower() in IMAGE_SUFFIXES else path.name.casefold()
        found = next((names[key][0] for suffix in IMAGE_SUFFIXES if (key := stem + suffix) in names), None)
        if found is None and self.hints < _MOST_HINTS:
            self.hints += 1
            near = get_close_matches(path.name.casefold(), names, n=3, cutoff=_HINT_CUTOFF)
            # Numbered names are all alike: one with other digits is another image.
            found = next((names[key][0] for key in near if _digits(key) == _digits(path.name)), None)
        return f"; did you mean {found!r}?" if found else ""

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listed:
            listed: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(folder)):
                    listed.setdefault(name.casefold(), []).append(name)
            except OSError:
                listed = {}
            self._listed[folder] = listed
        return self._listed[folder]


def file_finder(folder: Path, origin: str) -> Finder:
    """Give a `Finder` of image files in a folder.

    A name may begin with the folder's own name ("images/a.jpg"), be an absolute path into the folder, differ in upper
    and lower case, or lack its suffix. The exact name is always tried first.

    The finder raises:
        InputError: a name leads out of the folder.
    """
    names = _Folder(folder)

    def find(name: str) -> Path | Skip:
        relative = _inside(name, folder, origin)
        candidates = list(_candidates(relative, folder))
        for path in candidates:
            try:
                status = path.stat()
            except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
                if isinstance(error, OSError) and error.errno not in _NOT_THERE:
                    return Skip(name, f"cannot be read: {os_sentence(error)}")
                continue
            if path.is_file():
                return path if status.st_size else Skip(name, "the image file is empty (0 bytes)")
        if "\0" in name:
            return Skip(name, f"no such image in {folder}")
        for path in candidates:
            found = [other for other in names.in_any_case(path) if other.is_file()]
            if len(found) > 1:
                several = " and ".join(repr(other.name) for other in found)
                return Skip(name, f"{several} differ in upper and lower case only; name one of them exactly")
            if found:
                return found[0] if found[0].stat().st_size else Skip(name, "the image file is empty (0 bytes)")
        hint = next((hint for path in candidates[:2] if (hint := names.hint(path))), "")
        return Skip(name, f"no such image in {folder}{hint}")

    return find


def _inside(name: str, folder: Path, origin: str) -> str:
    """Give the name relative to the folder. Raises InputError where it leads out of it."""
    pure, windows = PurePosixPath(name), PureWindowsPath(name)
    absolute = pure.is_absolute() or windows.drive or windows.root
    if absolute and ".." not in (*pure.parts, *windows.parts):
        for root in (folder.absolute(), folder.resolve()):
            if Path(name).is_relative_to(root):
                return str(Path(name).relative_to(root))
    if absolute or ".." in (*pure.parts, *windows.parts):
        raise InputError(f"{origin}: image name {name!r} leads out of {folder}; expected a file inside it")
    return name


def _candidates(name: str, folder: Path) -> Iterator[Path]:
    """Give the paths that a name may mean, the exact one first."""
    spelt = [name, *([name.replace("\\", "/")] if "\\" in name else [])]
    for path in list(spelt):
        parts = PurePosixPath(path).parts
        tail = [part.casefold() for part in folder.absolute().parts]
        spelt += [
            "/".join(parts[count:])
            for count in range(1, len(parts))
            if [part.casefold() for part in parts[:count]] == tail[-count:]
        ]
    for path in spelt:
        yield folder / path
        if PurePosixPath(path).suffix.lower() not in IMAGE_SUFFIXES:
            yield from (folder / (path + suffix) for suffix in IMAGE_SUFFIXES[:4])


def _digits(name: str) -> list[str]:
    return re.findall(r"\d+", name)
