"""How data sets and the token cache look in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plait.report.terminal import table

__all__ = ["cache", "checked", "cleared", "data", "skips"]

EXAMPLES_SHOWN = 3
SKIPS_SHOWN = 10


def data(found: dict[str, Any]) -> str:
    """Show what a data set holds."""
    lines = [f"{found['name']}  ({found['origin']})"]
    rows = [[name, f"{split['photos']:,}", f"{split['captions']:,}"] for name, split in found["splits"].items()]
    lines.append(table(rows, ["split", "photos", "captions"]))
    captions, words = found["captions_per_image"], found["words_per_caption"]
    lines.append(
        f"captions per photo: {captions['fewest']} to {captions['most']}; "
        f"words per caption: median {words['median']}, longest {words['longest']}"
    )
    lines += _masks(found["masks"]) if "masks" in found else []
    return "\n".join([*lines, *(skips(found["skipped"]) or ["skipped: 0"])])


def skips(skipped: Sequence[Mapping[str, str]], *, most: int = SKIPS_SHOWN) -> list[str]:
    """Say what was left out and why, the first of it one per line; nothing where nothing was."""
    if not skipped:
        return []
    lines = [f"skipped: {len(skipped):,}", *(f"  {skip['where']}: {skip['reason']}" for skip in skipped[:most])]
    more = len(skipped) - most
    return [*lines, f"  ... and {more:,} more (--json lists all)"] if more > 0 else lines


def _masks(found: dict[str, Any]) -> list[str]:
    area = found["area"]
    lines = [
        f"masks: {found['count']:,} of {found['texts']:,} texts, declared {' and '.join(found['polarities'])}; "
        f"empty {found['empty']}, unusable {found['unusable']}"
    ]
    if area is not None:
        lines.append(
            f"part of a photo that is marked: mean {100 * area['mean']:.1f} %, median {100 * area['median']:.1f} %, "
            f"most {100 * area['most']:.1f} %"
        )
    if found["nearly_all_foreground"]:
        lines.append("nearly everything is marked: probably inverted; declare it with DATA#polarity=background")
    return [*lines, *([f"the first unusable: {found['first_problem']}"] if found["unusable"] else [])]


def checked(found: dict[str, Any]) -> str:
    """Show what is wrong with a data set, the most serious first."""
    images = found["images"]
    lines = [f"{found['name']}  ({found['origin']})", f"images: {images['files']:,}, readable: {images['readable']:,}"]
    for one in found["findings"]:
        total = f" of {one['of']:,}" if one["of"] else ""
        lines.append(f"\n{one['severity']}: {one['title']}: {one['count']:,}{total} {one['unit']}  [{one['code']}]")
        lines += [f"  {one['detail']}"] if one["detail"] else []
        lines += [f"  - {example['where']}: {example['what']}" for example in one["examples"][:EXAMPLES_SHOWN]]
        lines += [f"  effect: {one['effect']}", f"  fix: {one['fix']}"]
    lines += ["", *(f"not checked: {sentence}" for sentence in found["cannot"])]
    counts = found["counts"]
    lines.append(f"{counts['error']} kinds of error, {counts['warning']} of warning, {counts['note']} notes")
    if "fixed" in found:
        fixed = found["fixed"]
        lines.append(f"cleaned: {fixed['images']:,} images, {fixed['captions']:,} captions in {fixed['out']}")
        lines += [f"  left out, {reason}: {number}" for reason, number in fixed["dropped"].items()]
    if "page" in found:
        lines.append(found["page"])
    return "\n".join(lines)


def cache(found: dict[str, Any]) -> str:
    """Show the token cache."""
    if not found["entries"]:
        return f"{found['root']}: empty"
    rows = [
        [e["name"][:12], e["what"], f"{e['items']:,}", f"{e['bytes'] / 2**20:,.0f}", "yes" if e["complete"] else "no"]
        for e in found["entries"]
    ]
    return f"{found['root']}\n" + table(rows, ["name", "what", "items", "MiB", "complete"])


def cleared(found: dict[str, Any]) -> str:
    """Show what was cleared."""
    return f"{found['root']}: {found['entries']} entries removed, {found['bytes'] / 2**20:,.0f} MiB freed"
