"""What an audit found, as records that JSON can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plait.audit.ablation import Recalls
from plait.audit.influence import Influence
from plait.audit.metric_self_test import MetricSelfTest
from plait.audit.noise import Noise
from plait.audit.overlap import Overlap

__all__ = ["Audit", "OnData", "in_short"]


@dataclass(frozen=True)
class OnData:
    """What a trained model does on a split, one caption a photo.

    Fields:
        split, photos: which, and how many of its photos were asked about
        whole:      R@1 both ways as trained and scored, in percent
        ablations:  the same with one side spoiled (see `ablate`)
        bound:      the R@1 that luck passes once in 100,000 times, in percent
        influence:  what the outputs depend on, by swaps, with the trained weights (see `swap_influence`)
        dead_parameters: of fusion, head, towers and objective, with the trained weights
        baselines:  R@1 of answers that read nothing, on the whole split, or None
        overlap:    photos shared with the training split, or None
        metric:     the metrics' self-test on the split's shape, or None
    """

    split: str
    photos: int
    whole: Recalls
    ablations: dict[str, Recalls]
    bound: float
    influence: Influence
    dead_parameters: tuple[str, ...]
    baselines: dict[str, Recalls] | None = None
    overlap: Overlap | None = None
    metric: MetricSelfTest | None = None

    @property
    def is_leaky(self) -> bool:
        """Whether pairs are found although one side was taken away or given to the wrong item."""
        return any(value > self.bound for found in self.ablations.values() for value in found.values())


@dataclass(frozen=True)
class Audit:
    """Did it learn, and from what?

    Fields:
        fusion, tokens, pairing: what was audited
        noise:      what random weights find in noise
        batch, seeds: the noise test's size
        influence:  what the outputs depend on, by swaps, on noise with random weights; 0 = not at all
        gradients:  the same by gradients
        partner:    how far a score moves with another item's partner; 0 for every honest score
        single_key: whether some attention has one key, so that it is a swap
        dead_parameters: names of those that no batch of noise gives a gradient
        data:       what the trained model does on data, or None
        flags:      "leaky", "single-key", "ignores the text", "ignores the image", "shared photos", "broken metric"
        verdict:    the findings in words, with their cure
    """

    fusion: str
    tokens: str
    pairing: str
    noise: Noise
    batch: int
    seeds: int
    influence: Influence
    gradients: Influence
    partner: float
    single_key: bool
    dead_parameters: tuple[str, ...]
    data: OnData | None = None
    flags: tuple[str, ...] = ()
    verdict: str = ""

    @property
    def is_leaky(self) -> bool:
        """Whether noise, or data with one side spoiled, is matched better than luck explains."""
        return self.noise.is_leaky or (self.data is not None and self.data.is_leaky)

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain data; accuracies, chance and bounds in percent."""
        found: dict[str, Any] = {
            "fusion": self.fusion,
            "tokens": self.tokens,
            "pairing": self.pairing,
            "noise_accuracy": self.noise.accuracy,
            "chance": self.noise.chance,
            "bound": self.noise.bound,
            "batch": self.batch,
            "seeds": self.seeds,
            "leaky": self.is_leaky,
            "influence": self.influence,
            "influence_gradients": self.gradients,
            "partner_influence": self.partner,
            "single_key": self.single_key,
            "dead_parameters": list(self.dead_parameters),
            "flags": list(self.flags),
            "verdict": self.verdict,
        }
        if self.data is not None:
            data = dataclasses.asdict(self.data)
            data["dead_parameters"] = list(self.data.dead_parameters)
            if self.data.metric is not None:
                data["metric"]["passed"] = self.data.metric.passed
            found["data"] = {key: value for key, value in data.items() if value is not None}
        return found


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row of a comparison shows of `Audit.to_json`: no names of parameters, no tables of influence."""
    short = {
        key: found[key] for key in ("noise_accuracy", "chance", "bound", "leaky", "single_key", "partner_influence")
    }
    data = found.get("data") or {}
    short["dead_parameters"] = len(data.get("dead_parameters", found["dead_parameters"]))
    if data:
        short |= {"photos": data["photos"], "ablations": {"whole": data["whole"], **data["ablations"]}}
        short["ablation_bound"] = data["bound"]
    return {**short, "verdict": found["verdict"]}
