"""Checks of sentences, questions, answers, labels and licences."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from plait.data.text import split_words
from plait.doctor.findings import Example, Finding, finding
from plait.doctor.material import Material, TextRow

__all__ = ["caption_ceiling", "check_texts", "plain_text", "text_facts"]

# Words seen less often in training are unknown to encoders that learn their words (`text.min_count` of a recipe).
MIN_COUNT = 2
UNEVEN_CLASSES = 10


def check_texts(material: Material, splits: Mapping[str, list[str]]) -> list[Finding]:
    """Give what is wrong with sentences, questions, answers, labels and licences."""
    home = {name: split for split, names in splits.items() for name in names}
    captions = material.of("caption")
    found = _captions(captions, home) if captions else []
    for role in ("caption", "question"):
        found += _unknown_words(material.of(role), home)
    return found + _questions(material.of("question"), home) + _labels(material.of("label")) + _licences(material)


def text_facts(material: Material) -> dict[str, Any]:
    """Give counts of texts: per image, words per text, distinct ones; as plain data."""
    facts: dict[str, Any] = {}
    for role in ("caption", "question", "label"):
        rows = [row for row in material.of(role) if row.text.strip()]
        if not rows:
            continue
        each = Counter(Counter(row.image for row in rows).values())
        words = sorted(len(split_words(row.text)) for row in rows)
        facts[f"{role}s"] = {
            "rows": len(rows),
            "images": len({row.image for row in rows}),
            "different": len({plain_text(row.text) for row in rows}),
            "per_image": {str(number): each[number] for number in sorted(each)},
            "words": {"fewest": words[0], "median": words[len(words) // 2], "most": words[-1]},
        }
    return facts


def caption_ceiling(rows: list[TextRow]) -> float:
    """Give text-to-image recall@1 of a perfect model, in percent: equal sentences cannot be distinguished.

    Formula: mean over sentences of 1 / (number of images with the same sentence).
    """
    images: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        images[plain_text(row.text)].add(row.image)
    return 100 * sum(1 / len(images[plain_text(row.text)]) for row in rows) / max(1, len(rows))


def _captions(rows: list[TextRow], home: Mapping[str, str]) -> list[Finding]:
    empty = [Example(row.where, f"{row.image}: no sentence", (row.image,)) for row in rows if not row.text.strip()]
    found = finding("caption_empty", empty, unit="rows", of=len(rows))
    full = [row for row in rows if row.text.strip()]
    seen: set[tuple[str, str]] = set()
    twice = []
    images: dict[str, dict[str, TextRow]] = defaultdict(dict)
    for row in full:
        key = (row.image, plain_text(row.text))
        if key in seen:
            twice.append(Example(row.where, f"{row.image}: {row.text.strip()}", (row.image,)))
        seen.add(key)
        images[key[1]].setdefault(row.image, row)
    found += finding("caption_twice", twice, unit="rows", of=len(rows))
    shared = sorted((named for named in images.values() if len(named) > 1), key=len, reverse=True)
    examples = []
    for named in shared:
        first = next(iter(named.values()))
        what = f"“{first.text.strip()}” on {len(named)} images: {', '.join(list(named)[:4])}"
        examples.append(Example(first.where, what + (", ..." if len(named) > 4 else ""), tuple(list(named)[:4])))
    count = sum(len(named) for named in shared)
    held = sorted(set(home.values()) - {"train"})
    ceilings = [f"{split} {caption_ceiling([r for r in full if home.get(r.image) == split]):.2f} %" for split in held]
    detail = f"{len(shared)} sentences; ceiling of text-to-image recall@1: {', '.join(ceilings)}"
    found += finding("caption_shared", examples, unit="rows", of=len(rows), count=count, detail=detail)
    short = [row for row in full if len(split_words(row.text)) <= 2]
    examples = [Example(row.where, f"{row.image}: {row.text.strip()}", (row.image,)) for row in short]
    found += finding("caption_short", examples, unit="rows", of=len(rows))
    each = Counter(row.image for row in full)
    if each and min(each.values()) != max(each.values()):
        spread = Counter(each.values())
        usual = spread.most_common(1)[0][0]
        odd = [Example(name, f"{n} sentences", (name,)) for name, n in each.items() if n != usual]
        counts = ", ".join(f"{spread[n]} images with {n}" for n in sorted(spread)[:8])
        found += finding("caption_uneven", odd, unit="images", of=len(each), detail=counts)
    return found


def _unknown_words(rows: list[TextRow], home: Mapping[str, str]) -> list[Finding]:
    trained = [row for row in rows if home.get(row.image) == "train"]
    held = [row for row in rows if home.get(row.image) not in (None, "train")]
    if not trained or not held:
        return []
    known = Counter(word for row in trained for word in split_words(row.text))
    unknown: Counter[str] = Counter()
    first: dict[str, TextRow] = {}
    words = rare = touched = 0
    for row in held:
        tokens = split_words(row.text)
        words += len(tokens)
        rare += sum(known[word] < MIN_COUNT for word in tokens)
        new = [word for word in tokens if word not in known]
        touched += bool(new)
        unknown.update(new)
        for word in new:
            first.setdefault(word, row)
    examples = [Example(first[w].where, f"“{w}”, {n} times: {first[w].text.strip()}") for w, n in unknown.most_common()]
    role = rows[0].role
    share, rare_share = (100 * count / max(1, words) for count in (sum(unknown.values()), rare))
    detail = (
        f"of {role}s held out: {sum(unknown.values())} of {words} words ({share:.2f} %) in {touched} of {len(held)} "
        f"{role}s; with words seen once in training also unknown (min_count {MIN_COUNT}): {rare} ({rare_share:.2f} %)"
    )
    return finding("words_outside_train", examples, unit=f"different words in {role}s", detail=detail)


def _questions(rows: list[TextRow], home: Mapping[str, str]) -> list[Finding]:
    if not rows:
        return []
    answers: dict[tuple[str, str], dict[str, TextRow]] = defaultdict(dict)
    for row in rows:
        answers[row.image, plain_text(row.text)].setdefault(_set(row.answer), row)
    examples = []
    for (image, _), found in answers.items():
        if len(found) > 1:
            first = next(iter(found.values()))
            examples.append(Example(first.where, f"{image}: {first.text.strip()} {' / '.join(found)}", (image,)))
    result = finding("question_twice", examples, unit="questions", of=len(answers))
    known = {_set(row.answer) for row in rows if home.get(row.image) == "train"}
    held = [row for row in rows if home.get(row.image) not in (None, "train")]
    new = [row for row in held if known and _set(row.answer) not in known]
    examples = [Example(row.where, f"{row.text.strip()} {row.answer}", (row.image,)) for row in new]
    ceiling = f"ceiling of held-out accuracy: {100 - 100 * len(new) / max(1, len(held)):.2f} %"
    return result + finding("answers_outside_train", examples, unit="rows", of=len(held), detail=ceiling)


def _labels(rows: list[TextRow]) -> list[Finding]:
    sizes = Counter(row.text.strip() for row in rows)
    if len(sizes) < 2 or max(sizes.values()) <= UNEVEN_CLASSES * min(sizes.values()):
        return []
    examples = [Example(name, f"{number} images") for name, number in sizes.most_common()]
    return finding("label_uneven", examples, unit="classes")


def _licences(material: Material) -> list[Finding]:
    if material.folder is None:
        return []
    if material.licences is None:
        return finding("licence_absent", [], unit="data set", count=1)
    strict = {n: c for n, c in material.licences.items() if _restricted(n)}
    examples = [Example(name, f"{count} images") for name, count in Counter(strict).most_common()]
    total = sum(material.licences.values())
    return finding("licence_restricted", examples, unit="rows", of=total, count=sum(strict.values()))


def _restricted(licence: str) -> bool:
    name = licence.lower().replace("-", "").replace(" ", "")
    parts = re.split(r"[^a-z]+", licence.lower())
    return "noncommercial" in name or "noderiv" in name or "nc" in parts or "nd" in parts


def _set(answer: str) -> str:
    """Give the parts of an answer in a fixed order: "pillow, blanket" and "blanket, pillow" are the same answer."""
    return ", ".join(sorted(plain_text(part) for part in answer.split(",")))


def plain_text(text: str) -> str:
    """Give a text's words in lower case: texts that differ in capitals, punctuation or spaces count as equal."""
    return " ".join(split_words(text)) or text.strip()
