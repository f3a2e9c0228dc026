"""What an audit found, as records that JSON can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plait.audit.ablation import Recalls
from plait.audit.influence import Influence
from plait.audit.metric_self_test import MetricSelfTest
from plait.audit.noise import Noise
from plait.audit.overlap import Overlap
from plait.audit.partner import PARTNER_TOLERANCE

__all__ = ["Audit", "OnData", "in_short"]


@dataclass(frozen=True)
class OnData:
    """What a trained model does on a split.

    Fields:
        split, images: which, and how many of its images were scored
        whole:      the task's figures as trained, in percent: for matching R@1 both ways, with one caption per image
        ablations:  the same with one side shuffled or removed (see `ablate`)
        bound:      the power of the ablations, in percent: an R@1 above it is flagged (see `recall_bound`); None where
                    the figure is no rate of pairs found, and falls tell what is read
        influence:  what the outputs depend on, by swaps, with the trained weights (see `swap_influence`)
        dead_parameters: those that no batch of these pairs gives a gradient, with the trained weights
        partner:    how far a trained score moves with another item's partner; 0 for every leak-free score
        baselines:  R@1 of answers that read nothing, on these images, or None
        overlap:    images shared with the training split, or None
        metric:     the metrics' self-test on the split's shape, or None
        falls:      ablation -> by how much the figure falls, {"difference", "low", "high"}: 95 % interval over images
        ignored:    sides, "text" or "image", without whose own content the figure does not fall
    """

    split: str
    images: int
    whole: Recalls
    ablations: dict[str, Recalls]
    bound: float | None
    influence: Influence
    dead_parameters: tuple[str, ...]
    partner: float = 0.0
    baselines: dict[str, Recalls] | None = None
    overlap: Overlap | None = None
    metric: MetricSelfTest | None = None
    falls: dict[str, dict[str, float]] | None = None
    ignored: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """Give the R@1 of a random guess among these images, in percent, in both directions."""
        return 100.0 / self.images

    @property
    def finds_ablated_pairs(self) -> bool:
        """Whether pairs are found although one side was removed or given to the wrong item."""
        if self.bound is None:
            return False
        return any(value > self.bound for found in self.ablations.values() for value in found.values())

    @property
    def is_leaky(self) -> bool:
        """Whether ablated pairs are found, or a score depends on other pairs of the call."""
        return self.finds_ablated_pairs or self.partner > PARTNER_TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """Give everything that was measured as plain data; recalls and bound in percent."""
        found: dict[str, Any] = {
            "split": self.split,
            "photos": self.images,
            "chance": self.chance,
            "whole": self.whole,
            "ablations": self.ablations,
            "bound": self.bound,
            "influence": self.influence,
            "dead_parameters": list(self.dead_parameters),
            "partner_influence": self.partner,
            "baselines": self.baselines,
            "overlap": None if self.overlap is None else dataclasses.asdict(self.overlap),
            "falls": self.falls,
        }
        if self.metric is not None:
            found["metric"] = {**dataclasses.asdict(self.metric), "passed": self.metric.passed}
        return {key: value for key, value in found.items() if value is not None}


@dataclass(frozen=True)
class Audit:
    """Did it learn, and from what?

    Fields:
        fusion:     what was audited
        columns:    how it is used, as results say it: {"tokens": ..., "pairing": ...}
        noise:      what random weights find in noise; None where the task asks for no pairs
        batch, seeds: the noise test's size; 0 without one
        influence:  what the outputs depend on, by swaps; 0 = not at all. On noise with random weights where there is a
                    noise test, else on data with the trained ones
        gradients:  the same by gradients
        partner:    how far a score moves with another item's partner; 0 for every leak-free score
        single_key: whether some attention has one key, so that it is a swap
        dead_parameters: names of those that no batch of noise gives a gradient
        outputs:    the outputs that the answer is made of: a side that none of them depends on is ignored
        leak_fix:   what to do about a leak, as the end of a sentence
        data:       what the trained model does on data, or None
        flags:      "leaky", "single-key", "ignores the text", "ignores the image", "shared photos", "broken metric"
        verdict:    the findings in words, with their fix
    """

    fusion: str
    columns: Mapping[str, Any]
    noise: Noise | None
    batch: int
    seeds: int
    influence: Influence
    gradients: Influence
    partner: float
    single_key: bool
    dead_parameters: tuple[str, ...]
    outputs: tuple[str, ...] = ("score",)
    leak_fix: str = "score each pair from its own image and text alone"
    data: OnData | None = None
    flags: tuple[str, ...] = field(default=())
    verdict: str = ""

    @property
    def is_leaky(self) -> bool:
        """Whether a score can know the answer.

        That is so where noise, or data with one side ablated, is matched better than a random guess explains, or where
        a score depends on other pairs of the call.
        """
        on_data = self.data is not None and self.data.is_leaky
        in_noise = self.noise is not None and self.noise.is_leaky
        return in_noise or self.partner > PARTNER_TOLERANCE or on_data

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain data; accuracies, chance and bounds in percent."""
        noise: dict[str, Any] = {}
        if self.noise is not None:
            noise = {
                "noise_accuracy": self.noise.accuracy,
                "chance": self.noise.chance,
                "bound": self.noise.bound,
                "batch": self.batch,
                "seeds": self.seeds,
            }
        found: dict[str, Any] = {
            "fusion": self.fusion,
            **self.columns,
            **noise,
            "leaky": self.is_leaky,
            "influence": self.influence,
            "influence_gradients": self.gradients,
            "partner_influence": self.partner,
            "single_key": self.single_key,
            "dead_parameters": list(self.dead_parameters),
            "flags": list(self.flags),
            "verdict": self.verdict,
        }
        return found if self.data is None else {**found, "data": self.data.to_json()}


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row of a comparison shows of `Audit.to_json`: no names of parameters, no tables of influence."""
    keys = ("noise_accuracy", "chance", "bound", "leaky", "single_key", "partner_influence")
    short = {key: found[key] for key in keys if key in found}
    data = found.get("data") or {}
    # How many pairs of noise the first figures are of; audits of the first versions do not say.
    short |= {key: found[key] for key in ("batch", "seeds") if key in found}
    short["dead_parameters"] = len(data.get("dead_parameters", found["dead_parameters"]))
    if data:
        short |= {"photos": data["photos"], "ablations": {"whole": data["whole"], **data["ablations"]}}
        if "bound" in data:
            short |= {"ablation_chance": 100.0 / data["photos"], "ablation_bound": data["bound"]}
    return {**short, "verdict": found["verdict"]}
