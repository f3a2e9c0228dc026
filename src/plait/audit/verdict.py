"""What an audit's findings mean: flags, and sentences that name the cure."""

from __future__ import annotations

from plait.audit.record import Audit

__all__ = ["flags_of", "words_of"]

# Below this part of the outputs' spread a dependence is no dependence.
NOTHING = 1e-3
_NAMED = 4
_CURE = 'cure: pairing "itm" or "all", where a score is a function of one image and one text alone'


def flags_of(audit: Audit) -> tuple[str, ...]:
    """Give the flags an audit's findings raise, the gravest first."""
    flags = ["leaky"] if audit.is_leaky else []
    flags += ["single-key"] if audit.single_key else []
    flags += [f"ignores the {side}" for side in _ignored(audit)]
    if audit.data is not None:
        if audit.data.overlap is not None and audit.data.overlap.exact:
            flags.append("shared photos")
        if audit.data.metric is not None and not audit.data.metric.passed:
            flags.append("broken metric")
    return tuple(flags)


def words_of(audit: Audit) -> str:
    """Say what was found and what helps; a sound fusion is called sound and nothing more."""
    said = [*_leak(audit), *_attention(audit), *_sides(audit), *_data(audit)]
    noise = f"noise is matched at {audit.noise.accuracy:.1f} % (chance {audit.noise.chance:.1f} %)"
    if not said:
        but = ", but for biases that a softmax cancels" if _dead(audit) else ""
        said = [f"Sound: {noise}, no score moves with another item's partner, and every weight learns{but}."]
    elif not audit.is_leaky:
        said.insert(0, f"Not leaky: {noise}.")
    return " ".join(said)


def _leak(audit: Audit) -> list[str]:
    said = []
    if audit.noise.is_leaky:
        said.append(
            f"Leaky: with random weights it finds {audit.noise.accuracy:.1f} % of the pairs in independent noise, "
            f"where there is nothing to find (chance {audit.noise.chance:.1f} %, luck ends at "
            f"{audit.noise.bound:.1f} %). A pair that is fused before it is scored carries the answer; {_CURE}."
        )
    elif audit.partner > NOTHING:
        said.append(
            "A score moves with the partner of what it compares, so it is not a score of that image with that text, "
            f"and no figure made of it is a matching result; {_CURE}."
        )
    data = audit.data
    if data is not None and data.is_leaky:
        kept = {kind: max(found.values()) for kind, found in data.ablations.items()}
        worst = max(kept, key=lambda kind: kept[kind])
        said.append(
            f"With {worst} it still finds {kept[worst]:.1f} % of the pairs on {data.split} (luck ends at "
            f"{data.bound:.1f} %): it reads the pairing, not the content; {_CURE}."
        )
    return said


def _dead(audit: Audit) -> tuple[str, ...]:
    return audit.dead_parameters if audit.data is None else audit.data.dead_parameters


def _attention(audit: Audit) -> list[str]:
    # Biases that a softmax cancels (of keys, or on a logit of which only the order counts) have nothing to learn and do
    # no harm: they are listed, but not worth a sentence.
    names = tuple(name for name in _dead(audit) if ".bias" not in name)
    dead = ""
    if names:
        shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        dead = f"never given a gradient: {shown}"
    if audit.single_key:
        tail = f"; {dead}" if dead else ""
        return [
            "Attention over a single key is a swap: its softmax is 1 whatever query and key are, so nothing is "
            f'attended to{tail}; cure: tokens = "tokens", words that meet regions.'
        ]
    return (
        [f"Parameters {dead}; cure: leave out the options they belong to, or find what cuts them off."] if dead else []
    )


def _sides(audit: Audit) -> list[str]:
    other = {"text": "image", "image": "text"}
    ignored = _ignored(audit)
    if len(ignored) == 2:
        return ["Nothing in the outputs changes with text or image: it collapsed; cure: a lower rate or warm-up."]
    return [
        f"It ignores the {side}: everything it gives comes from the {other[side]} alone; cure: a fusion in which the "
        f"{side} reaches the score."
        for side in ignored
    ]


def _data(audit: Audit) -> list[str]:
    data = audit.data
    said: list[str] = []
    if data is None:
        return said
    if data.overlap is not None and data.overlap.exact:
        said.append(
            f"{len(data.overlap.exact)} photos of {data.split} are in {data.overlap.train} too, byte for byte: figures "
            "on them are no test; cure: keep each photo in one split."
        )
    if data.overlap is not None and data.overlap.near:
        said.append(
            f"{len(data.overlap.near)} photos of {data.split} look like one of {data.overlap.train}: see `overlap` for "
            "their names."
        )
    if data.metric is not None and not data.metric.passed:
        said.append("The metrics do not give a perfect model 100 %: no figure of this machine counts.")
    return said


def _ignored(audit: Audit) -> list[str]:
    """Name the sides that neither the score nor, for the leaky pairing, any output depends on."""
    found = audit.influence if audit.data is None else audit.data.influence
    outputs = ("image_out", "text_out") if audit.pairing == "matched" else ("score",)
    return [side for side in ("text", "image") if all(found[output][side] <= NOTHING for output in outputs)]
