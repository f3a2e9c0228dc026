"""The bench an input lies on: a folder of its own, and copies of what was made once for all inputs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.campaign import adapter
from tests.data.mask_sets import mask_set
from tests.doors.tools import TINY, give_splits
from tests.tiny import make_tiny

__all__ = ["MASK_RECIPE", "Bench", "Shared", "make_shared", "snapshot"]

MASK_RECIPE = TINY.replace('task = "match"', 'task = "mask"').replace('name = "late"', 'name = "pixel_word"')
NOBODY = 65534
# path below a folder -> what tells whether it was written: kind, size, time, inode
Seen = dict[str, tuple[str, int, int, int]]


@dataclass(frozen=True)
class Shared:
    """What is made once: data, recipes, a finished run of each task, a packaged one, a comparison, scenes.

    Fields:
        root: the folder that holds all of them; no input may change it
    """

    root: Path

    @property
    def data(self) -> Path:
        """12 photos of two captions each, 8 to train on and 4 in "val"."""
        return self.root / "data"

    @property
    def many(self) -> Path:
        """36 photos of one caption each, 12 to train on; the comparison's, as a probe takes batches of 24."""
        return self.root / "many"

    @property
    def masks(self) -> Path:
        """6 photos with two masks each."""
        return self.root / "masks"

    @property
    def recipe(self) -> Path:
        """Matching, trained from scratch in a second."""
        return self.root / "tiny.toml"

    @property
    def mask_recipe(self) -> Path:
        """Masks, likewise."""
        return self.root / "mask.toml"

    @property
    def run(self) -> Path:
        """`recipe` on `data`."""
        return self.root / "run"

    @property
    def mask_run(self) -> Path:
        """`mask_recipe` on `masks`."""
        return self.root / "mask_run"

    @property
    def scenes_run(self) -> Path:
        """`recipe` on scenes:60."""
        return self.root / "scenes_run"

    @property
    def packaged(self) -> Path:
        """`run`, packaged."""
        return self.root / "packaged"

    @property
    def comparison(self) -> Path:
        """`late` and `cross` under one seed on `many`."""
        return self.root / "comparison"

    @property
    def photo(self) -> Path:
        """One photo of `data`."""
        return self.data / "images" / "p000.png"


def make_shared(root: Path) -> Shared:
    """Make all of it; takes some seconds."""
    shared = Shared(root)
    give_splits(make_tiny(shared.data, photos=12), 4)
    give_splits(make_tiny(shared.many, photos=36, captions=1), 24)
    mask_set(shared.masks)
    shared.recipe.write_text(TINY, encoding="utf-8")
    shared.mask_recipe.write_text(MASK_RECIPE, encoding="utf-8")
    adapter.fit(shared.recipe, shared.data, shared.run)
    adapter.fit(shared.mask_recipe, shared.masks, shared.mask_run)
    adapter.fit(shared.recipe, "scenes:60", shared.scenes_run)
    adapter.package(shared.run, shared.packaged)
    adapter.compare(shared.many, shared.comparison, fusions=["late", "cross"], seeds=1, recipe=shared.recipe)
    return shared


class Bench:
    """A folder of one input's own, with ways to put things in it.

    Fields:
        shared:  what was made once
        folder:  the input's own folder; commands run in its folder `here`
        as_user: whether the call is made without root's rights, so that permissions count
    """

    def __init__(self, shared: Shared, folder: Path) -> None:
        self.shared = shared
        self.folder = folder
        self.here = folder / "here"
        self.here.mkdir(parents=True)
        self.as_user = False

    @property
    def out(self) -> Path:
        """Where a call writes."""
        return self.folder / "out"

    def data(self) -> Path:
        """Copy the data."""
        return self._copied(self.shared.data, "data")

    def masks(self) -> Path:
        """Copy the data with masks."""
        return self._copied(self.shared.masks, "masks")

    def run(self, source: Path | None = None, name: str = "run") -> Path:
        """Copy a finished run; the matching one where none is named."""
        return self._copied(source or self.shared.run, name)

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        return path

    def recipe(self, text: str = TINY) -> Path:
        """Write a recipe."""
        return self.file("recipe.toml", text)

    def without_rights(self, *paths: Path, mode: int = 0) -> None:
        """Take this user's rights to paths away, and make the call as a user for whom that counts."""
        self.as_user = True
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        for path in paths:
            path.chmod(mode)

    def _copied(self, source: Path, name: str) -> Path:
        target = self.folder / name
        if not target.exists():
            shutil.copytree(source, target)
        return target


def snapshot(*roots: Path) -> Seen:
    """Give every file and folder below these."""
    found: Seen = {}
    for root in roots:
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                path = Path(folder, name)
                facts = path.lstat()
                kind = "link" if path.is_symlink() else "folder" if name in folders else "file"
                size, time = (0, 0) if kind == "folder" else (facts.st_size, facts.st_mtime_ns)
                found[str(path.relative_to(root))] = (kind, size, time, facts.st_ino)
    return found


def changed_json(path: Path, changes: Mapping[str, object]) -> None:
    """Change keys of a JSON object in a file."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
