"""The report's examples: photos in the page, and blocks of which a button shows one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.text import PICTURE, colour_of, escape

__all__ = ["photo", "safe_photos", "switched"]


def safe_photos(gallery: Mapping[str, Any]) -> dict[str, str]:
    """Give the gallery's photos that lie in the file itself; any other address is dropped."""
    return {
        str(key): value
        for key, value in (gallery.get("photos") or {}).items()
        if isinstance(value, str) and PICTURE.fullmatch(value)
    }


def photo(name: object, alt: str, photos: Mapping[str, str]) -> str:
    """Draw a photo of the gallery. The page holds each once; JavaScript puts it where it is shown."""
    if str(name) not in photos:
        return f'<span class="gone">{escape(name)}</span>'
    return f'<img data-photo="{escape(name)}" alt="{escape(alt)}" decoding="async">'


def switched(blocks: Mapping[str, str], order: Sequence[str], *, label: str, says: str) -> str:
    """Draw one block per fusion, of which a row of buttons shows one.

    Arguments:
        blocks: fusion -> HTML
        order:  the fusions, best first; those that are not in it come last
        label:  of the buttons, for screen readers
        says:   before the buttons
    """
    names = [*(name for name in order if name in blocks), *(name for name in blocks if name not in order)]
    buttons = "".join(
        f'<button type="button" data-choice="{escape(name)}" aria-pressed="{str(not place).lower()}">'
        f'<i class="s{colour_of(name, order) if name in order else 0}"></i>{escape(name)}</button>'
        for place, name in enumerate(names)
    )
    parts = "".join(
        f'<div class="block" data-fusion="{escape(name)}"{" hidden" if place else ""}>{blocks[name]}</div>'
        for place, name in enumerate(names)
    )
    return (
        f'<div class="switched"><div class="tools"><span>{escape(says)}</span><div class="switch" role="group" '
        f'aria-label="{escape(label)}">{buttons}</div></div><div aria-live="polite">{parts}</div></div>'
    )
