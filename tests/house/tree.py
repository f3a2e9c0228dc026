"""Where the project's files are, read once for all house tests."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

__all__ = ["PACKAGE", "ROOT", "package_sources", "sources", "tracked_texts"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "plait"
_TEXT = {".py", ".md", ".toml", ".txt", ".html", ".css", ".js", ".json", ".cfg", ".yml", ".yaml", ""}


@cache
def sources() -> dict[str, str]:
    """Give every Python file of the project: path below the checkout -> text."""
    folders = [ROOT / name for name in ("src", "tests", "benchmarks", "examples", "docs")]
    paths = sorted(p for folder in folders for p in folder.rglob("*.py"))
    return {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in paths}


@cache
def package_sources() -> dict[str, str]:
    """Give every Python file of the package: path below the package -> text."""
    head = "src/plait/"
    return {path.removeprefix(head): text for path, text in sources().items() if path.startswith(head)}


@cache
def tracked_texts() -> dict[str, str]:
    """Give every text file git knows or would take; in an archive without git, those under the usual folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [p for name in ("src", "tests", "docs", "recipes", "benchmarks") for p in (ROOT / name).rglob("*")]
    texts = {}
    for path in paths:
        if path.suffix in _TEXT and path.is_file():
            texts[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return texts
