"""What an audit's findings mean: flags, and sentences that name the fix."""

from __future__ import annotations

from dataclasses import replace

from plait.audit.ablation import how_of
from plait.audit.overlap import Overlap
from plait.audit.partner import PARTNER_TOLERANCE
from plait.audit.record import Audit, OnData

__all__ = ["IGNORED", "concluded", "flags_of", "verdict_of", "with_data", "with_overlap"]

# Below this part of the outputs' spread an output does not depend on a side.
IGNORED = 1e-3
_NAMED = 4


def concluded(audit: Audit) -> Audit:
    """Give the audit with its flags and its verdict."""
    audit = replace(audit, flags=flags_of(audit))
    return replace(audit, verdict=verdict_of(audit))


def with_data(audit: Audit, data: OnData) -> Audit:
    """Add what the trained model does on data, and conclude from both."""
    return concluded(replace(audit, data=data))


def with_overlap(audit: Audit, overlap: Overlap | None) -> Audit:
    """Add which images of the split are in the training split too, to an audit that has data, and conclude again."""
    if audit.data is None:
        return audit
    return with_data(audit, replace(audit.data, overlap=overlap))


def flags_of(audit: Audit) -> tuple[str, ...]:
    """Give the flags an audit's findings raise, the most serious first."""
    flags = ["leaky"] if audit.is_leaky else []
    flags += ["single-key"] if audit.single_key else []
    flags += [f"ignores the {side}" for side in _ignored(audit)]
    if audit.data is not None:
        if audit.data.overlap is not None and audit.data.overlap.exact:
            flags.append("shared photos")
        if audit.data.metric is not None and not audit.data.metric.passed:
            flags.append("broken metric")
    return tuple(flags)


def verdict_of(audit: Audit) -> str:
    """Say what was found and what fixes it; what was looked for and not found is said with the test's power."""
    said = [*_leak(audit), *_attention(audit), *_sides(audit), *_data(audit)]
    noise = ""
    if audit.noise is not None:
        noise = f"noise is matched at {audit.noise.accuracy:.1f} % (chance {audit.noise.chance:.1f} %)"
    if not said:
        but = ", but for biases that a softmax cancels" if _dead(audit) else ""
        sound = f"{noise}, no score depends on other pairs" if noise else "text and image decide what it gives"
        said = [f"Sound: {sound}, and every weight gets a gradient{but}."]
    elif noise and not audit.is_leaky:
        said.insert(0, f"Not leaky: {noise}.")
    return " ".join([*said, *_power(audit.data), *_falls(audit.data)])


def _leak(audit: Audit) -> list[str]:
    said = []
    fix = f"fix: {audit.leak_fix}"
    if audit.noise is not None and audit.noise.is_leaky:
        said.append(
            f"Leaky: with random weights it finds {audit.noise.accuracy:.1f} % of the pairs in independent noise, "
            f"where there is nothing to find (chance {audit.noise.chance:.1f} %; above {audit.noise.bound:.1f} % is "
            f"flagged). A pair that is fused before it is scored carries the answer; {fix}."
        )
    data = audit.data
    partner = max(audit.partner, 0.0 if data is None else data.partner)
    if partner > PARTNER_TOLERANCE:
        begin = "It" if said else "Leaky: it"
        said.append(
            f"{begin} scores an image with a text differently when other pairs of the call are exchanged, by "
            f"{partner:.2g} of the scores' spread (up to {PARTNER_TOLERANCE:g} is rounding), so no figure made of "
            f"these scores is a matching result; {fix}."
        )
    if data is not None and data.bound is not None and data.finds_ablated_pairs:
        kept = {kind: max(found.values()) for kind, found in data.ablations.items()}
        worst = max(kept, key=lambda kind: kept[kind])
        begin = "With" if said else "Leaky: with"
        said.append(
            f"{begin} {worst} it still finds {kept[worst]:.1f} % of {data.images} pairs of {data.split} (above "
            f"{data.bound:.1f} % is flagged): the score depends on the pairing, not on the content; {fix}."
        )
    return said


def _power(data: OnData | None) -> list[str]:
    """Say how large a leak the ablations could miss."""
    if data is None or data.bound is None or data.finds_ablated_pairs or not data.ablations:
        return []
    most = max(value for found in data.ablations.values() for value in found.values())
    ways = " or ".join(dict.fromkeys(how_of(kind) for kind in data.ablations))
    return [
        f"With one side {ways} it finds at most {most:.1f} % of {data.images} pairs of {data.split} (chance "
        f"{data.chance:.1f} %); a leak that finds more than {data.bound:.1f} % would have been flagged."
    ]


def _falls(data: OnData | None) -> list[str]:
    """Say by how much the figure falls under each ablation."""
    if data is None or not data.falls:
        return []
    parts = [
        f"{kind} by {fall['difference']:.1f} points ({fall['low']:.1f} to {fall['high']:.1f})"
        for kind, fall in data.falls.items()
    ]
    return [f"On {data.images} photos of {data.split} its figure falls with {', '.join(parts)}; 95 % intervals."]


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
            f'attended to{tail}; fix: tokens = "tokens", so that words attend to regions.'
        ]
    return (
        [f"Parameters {dead}; fix: leave out the options they belong to, or find what cuts them off."] if dead else []
    )


def _sides(audit: Audit) -> list[str]:
    other = {"text": "image", "image": "text"}
    ignored = _without_influence(audit)
    if len(ignored) == 2:
        return ["Nothing in the outputs changes with text or image: it collapsed; fix: a lower rate or warm-up."]
    goal = "reaches the score" if audit.noise is not None else "reaches the answer"
    said = [
        f"It ignores the {side}: everything it gives comes from the {other[side]} alone; fix: a fusion in which the "
        f"{side} {goal}."
        for side in ignored
    ]
    for side in _ignored(audit):
        if side not in ignored:
            said.append(
                f"It ignores the {side} as far as its figure tells: that does not fall when every {other[side]} gets "
                f"another one's {side}; fix: longer training, or a fusion in which the {side} reaches the {goal}."
            )
    return said


def _data(audit: Audit) -> list[str]:
    data = audit.data
    said: list[str] = []
    if data is None:
        return said
    if data.overlap is not None and data.overlap.exact:
        said.append(
            f"{len(data.overlap.exact)} photos of {data.split} are in {data.overlap.train} too, byte for byte: figures "
            "on them are no test; fix: keep each photo in one split."
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
    """Name the sides that none of the outputs of the answer depends on, or that the task's figure does not need."""
    ignored = {*_without_influence(audit), *(() if audit.data is None else audit.data.ignored)}
    return [side for side in ("text", "image") if side in ignored]


def _without_influence(audit: Audit) -> list[str]:
    """Name the sides that none of the outputs of the answer depends on."""
    found = audit.influence if audit.data is None else audit.data.influence
    return [side for side in ("text", "image") if all(found[output][side] <= IGNORED for output in audit.outputs)]
