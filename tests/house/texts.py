"""House rules over any text file: nothing unfinished, nothing of one machine, plain words, decisions written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["decision_faults", "machine_traces", "missing_from_changelog", "private_words", "unfinished"]

# Written in pieces so that this file does not find itself.
_WORDS = [
    "TO" + "DO",
    "FIX" + "ME",
    "XX" + "X",
    "HA" + "CK",
    "TB" + "D",
    "W" + "IP",
    "NotImplemented" + "Error",
    "(?i:lorem " + "ipsum)",
    "(?i:coming " + "soon)",
    "(?i:not (?:yet )?imple" + "mented)",
    "(?i:place" + r"holder)(?!\s*=)",  # the attribute of an HTML input is no unfinished work
]
_UNFINISHED = re.compile(r"(?<![A-Za-z])(?:" + "|".join(_WORDS) + r")(?![A-Za-z])")
# A word that readers elsewhere would have to decode -> the field's own. Old names may be quoted.
_PRIVATE = {
    r"rungs?": "version (of the ladder)",
    r"climb(?:s|ed|ing)?": "rise, or say what happens",
    r"luck(?:y)?": "random, or chance",
    r"cures?": "fix",
    r"mend(?:s|ed|ing)?": "fix, or repair",
    r"deaf": "ablated",
    r"brain": "bfloat16",
    r"anew": "again",
    r"knock(?:s|ed)?": "say what is called",
    r"(?:speaks?|spoke|spoken) of": "refer to, or be about",
    r"(?:steps?|pairs?|rows?|tokens?|vectors?|captions?|figures?|seconds?|ms|s|layers?|projections?|once|number)"
    r"[ _]an?[ _](?:step|epoch|seed|photo|image|batch|row|side|pair|direction|second|core|phrase|caption)": "per",
}
_PATH = re.compile(r"(?<![\w.}>)])/(?:work|home|root|Users|tmp|mnt|opt|srv|data)/[\w.]")
_HOST = re.compile(r"https?://([^\s/\"'<>)\]}:]+)(:\d+)?")
_LOCAL = ("127.0.0.1", "localhost", "[", "{")
_STATUS = re.compile(r"^Status: (accepted|superseded by \d{4})$", re.MULTILINE)


def unfinished(where: str, text: str) -> list[str]:
    """Refuse words that mark work not done."""
    return [
        f"{where}:{_line(text, hit)}: {hit.group()!r} says something is unfinished. Fix: finish it, or leave it out"
        for hit in _UNFINISHED.finditer(text)
    ]


def private_words(where: str, text: str) -> list[str]:
    """Refuse words that the project once used in a sense of its own; names in quotes or backticks are let through."""
    found = []
    for word, plain in _PRIVATE.items():
        for hit in re.finditer(rf"(?i)(?<![A-Za-z_.]){word}(?![A-Za-z_])", text):
            around = text[max(0, hit.start() - 1) : hit.end() + 1]
            if not (around[0] in "`'\"" and around[-1] == around[0]):
                found.append(f"{where}:{_line(text, hit)}: {hit.group()!r}. Fix: write {plain}")
    return found


def machine_traces(where: str, text: str, host: str = "") -> list[str]:
    """Refuse paths and hosts that exist on one machine only; `host` is this machine's own name."""
    found = [
        f"{where}:{_line(text, hit)}: an absolute path ({hit.group()}...). Fix: a path relative to the checkout"
        for hit in _PATH.finditer(text)
    ]
    for hit in _HOST.finditer(text):
        name = hit.group(1)
        inner = "." not in name or name.endswith((".local", ".lan", ".internal", ".corp")) or name[0].isdigit()
        if inner and not name.startswith(_LOCAL):
            found.append(f"{where}:{_line(text, hit)}: the host {name!r}. Fix: a public address, or 127.0.0.1")
    if len(host) > 5 and host in text:
        found.append(f"{where}: names the machine {host!r}. Fix: leave it out")
    return found


def missing_from_changelog(changelog: str, names: Iterable[str]) -> list[str]:
    """Give the public names the changelog does not mention in backticks; `name(...)` and `plait.name` count."""
    said = {word for quoted in re.findall(r"`([^`\n]+)`", changelog) for word in re.findall(r"\w+", quoted)}
    return [f"CHANGELOG.md: no `{n}`. Fix: a line on it under the unreleased version" for n in names if n not in said]


def decision_faults(pages: Mapping[str, str]) -> list[str]:
    """Hold decision pages (file name -> text) to a number of their own, a status, and context, choice and price."""
    found = []
    for number, name in enumerate(sorted(pages), start=1):
        text = pages[name]
        if not re.fullmatch(rf"{number:04d}-[a-z0-9-]+\.md", name):
            found.append(f"{name}: expected the number {number:04d} and lower-case words. Fix: rename it")
        if not _STATUS.search(text):
            found.append(f"{name}: no status. Fix: a line `Status: accepted` or `Status: superseded by NNNN`")
        found += [
            f"{name}: no section {part!r}. Fix: write `## {part}`"
            for part in ("Context", "Choice", "Price")
            if not re.search(rf"^## {part}$", text, re.MULTILINE)
        ]
    return found


def _line(text: str, hit: re.Match[str]) -> int:
    return text.count("\n", 0, hit.start()) + 1
