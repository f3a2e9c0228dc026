"""Write what the doctor found as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from plait.core.errors import InputError
from plait.core.files import write_bytes
from plait.data.describe import printable
from plait.data.images import load_rgb, thumbnail_jpeg
from plait.report.text import badge, count, escape, figure

__all__ = ["check_thumbnails", "write_check"]

_THUMBNAIL_PX = 120
_BADGES = {"error": "bad", "warning": "warn", "note": "plain"}
_BARS = 30


def check_thumbnails(check: Mapping[str, Any], photos: Mapping[str, Path | np.ndarray]) -> dict[str, str]:
    """Give data URIs of the images that examples name; those that cannot be read are left out.

    Shapes:
        photos: image name -> file or (H, W, 3) uint8 array
    """
    wanted = [name for found in check["findings"] for example in found["examples"] for name in example["images"]]
    shown: dict[str, str] = {}
    sources = {printable(name): source for name, source in photos.items()}
    for name in dict.fromkeys(wanted):
        if name not in sources:
            continue
        try:
            rgb = load_rgb(sources[name], enough_px=2 * _THUMBNAIL_PX)
        except InputError:
            continue
        shown[name] = "data:image/jpeg;base64," + base64.b64encode(thumbnail_jpeg(rgb, _THUMBNAIL_PX)).decode()
    return shown


def write_check(check: Mapping[str, Any], thumbnails: Mapping[str, str], path: Path) -> Path:
    """Write the page and give its path.

    Arguments:
        check:      what `Checkup.to_json` gives
        thumbnails: image name -> data URI (`check_thumbnails`)
    Raises:
        StorageError: the file cannot be written.
    """
    counts = check["counts"]
    counts_line = ", ".join(
        count(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]
    )
    template = resources.files("plait.report").joinpath("check.html").read_text(encoding="utf-8")
    text = Template(template).substitute(
        title=escape(f"{check['name']}: data checked"),
        name=escape(check["name"]),
        style=resources.files("plait.report").joinpath("page.css").read_text(encoding="utf-8"),
        lead=f"{counts_line}." if counts_line else "Nothing was found.",
        figures=_figures(check),
        findings="".join(_card(found, thumbnails) for found in check["findings"])
        or '<p class="empty">Nothing was found.</p>',
        inspected=_inspected(check),
        cannot="".join(f"<p>{escape(sentence)}</p>" for sentence in check["cannot"])
        or '<p class="quiet">Every check was run.</p>',
        version=escape(version("plait")),
    )
    write_bytes(path, text.encode("utf-8", "replace"))
    return path


def _figures(check: Mapping[str, Any]) -> str:
    cards = [(figure(check["images"]["readable"], 0), "images that can be read")]
    for role in ("captions", "questions", "labels", "masks"):
        if role in check:
            cards.append((figure(check[role]["rows"], 0), role))
    cards += [(figure(size, 0), f"images in {escape(split)}") for split, size in check["splits"].items()]
    return "".join(f"<li><b>{value}</b><span>{label}</span></li>" for value, label in cards)


def _card(found: Mapping[str, Any], thumbnails: Mapping[str, str]) -> str:
    severity = str(found["severity"])
    total = f" of {figure(found['of'], 0)}" if found["of"] else ""
    detail = f"<p>{escape(found['detail'])}</p>" if found["detail"] else ""
    rows = "".join(
        f"<tr><td>{_thumbnails(example['images'], thumbnails)}</td><td>{escape(example['where'])}</td>"
        f"<td>{escape(example['what'])}</td></tr>"
        for example in found["examples"]
    )
    shown = len(found["examples"])
    examples = (
        f"<details{' open' if severity == 'error' else ''}><summary>{count(shown, 'example')}</summary>"
        '<table class="table"><caption class="hidden">Examples</caption><thead><tr><th scope="col">Image</th>'
        f'<th scope="col">Where</th><th scope="col">What</th></tr></thead><tbody>{rows}</tbody></table></details>'
        if shown
        else ""
    )
    return (
        f'<article class="finding-card is-{escape(severity)}" id="{escape(found["code"])}">'
        f"<h3>{badge(severity, _BADGES.get(severity, 'plain'))} {escape(found['title'])}</h3>"
        f'<p class="count">{figure(found["count"], 0)}{total} {escape(found["unit"])} · {escape(found["code"])}</p>'
        f"{detail}<p><b>What it does:</b> {escape(found['effect'])}</p><p><b>Fix:</b> {escape(found['fix'])}</p>"
        f"{examples}</article>"
    )


def _thumbnails(names: Sequence[str], thumbnails: Mapping[str, str]) -> str:
    images = "".join(
        f'<img src="{escape(thumbnails[name])}" alt="{escape(name)}" loading="lazy">'
        for name in names
        if name in thumbnails
    )
    return f'<span class="thumbs">{images}</span>' if images else ""


def _inspected(check: Mapping[str, Any]) -> str:
    tables = "".join(
        f'<tr><th scope="row">{escape(t["file"])}</th><td>{escape(t["role"])}</td><td>{figure(t["rows"], 0)}</td>'
        f"<td>{escape(', '.join(t['columns']))}</td></tr>"
        for t in check["tables"]
    )
    facts = [("Origin", check["origin"])]
    images = check["images"]
    if "kinds" in images:
        facts.append(("Image files", ", ".join(f"{kind}: {number}" for kind, number in images["kinds"].items())))
        sides = (f"{side} {images[side]['least']} to {images[side]['most']} px" for side in ("width", "height"))
        facts.append(("Sizes", ", ".join(sides)))
    facts.append(("Splits", "given with the data" if check["splits_given"] else "made by plait"))
    if "masks" in check:
        marked = check["masks"]["marked"]
        facts.append(
            (
                "Masks mark",
                f"{100 * marked['mean']:.1f} % of the image on average, {100 * marked['most']:.1f} % at most",
            )
        )
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    spreads = "".join(
        f"<h3>{role.capitalize()} per image</h3>{_spread(check[role]['per_image'])}"
        for role in ("captions", "questions")
        if role in check
    )
    return (
        f'<dl class="facts">{listed}</dl><table class="table"><caption class="hidden">Files read</caption><thead><tr>'
        '<th scope="col">File</th><th scope="col">Rows are</th><th scope="col">Rows</th><th scope="col">Columns</th>'
        f"</tr></thead><tbody>{tables}</tbody></table>{spreads}"
    )


def _spread(each: Mapping[str, int]) -> str:
    most = max(each.values(), default=1)
    rows = "".join(
        f'<span>{escape(number)}</span><i style="width:{100 * images / most:.1f}%"></i>'
        f"<span>{count(images, 'image')}</span>"
        for number, images in list(each.items())[:_BARS]
    )
    rest = f'<p class="quiet">… and {len(each) - _BARS} more.</p>' if len(each) > _BARS else ""
    return f'<div class="spread">{rows}</div>{rest}'
