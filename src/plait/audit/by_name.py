"""The audit of a fusion by its settings alone: random weights, noise, no data, seconds."""

from __future__ import annotations

from dataclasses import replace

import torch

from plait.audit.dead import dead_parameters
from plait.audit.influence import gradient_influence, swap_influence
from plait.audit.noise import noise_accuracy
from plait.audit.partner import partner_influence
from plait.audit.record import Audit, OnData
from plait.audit.single_key import has_single_key
from plait.audit.subject import subject_of
from plait.audit.verdict import flags_of, words_of
from plait.build import resolve_pairing, tokens_seen
from plait.core.config import FusionSettings, ObjectiveSettings
from plait.core.errors import ConfigError

__all__ = ["audit_fusion", "with_data"]

# Gradients of all pairs of a batch: a few suffice to see which parameters get none.
PAIRS_A_BATCH = 8
BATCHES = 3


def audit_fusion(
    fusion: FusionSettings, objective: ObjectiveSettings | None = None, *, batch: int = 24, seeds: int = 20
) -> Audit:
    """Audit a fusion with random weights on independent noise. The global random state is left as it was.

    Arguments:
        batch: pairs a batch; chance is 1 / batch
        seeds: sets of random weights and noise
    Raises:
        ConfigError: unknown names or options, a pairing the fusion lacks, fewer than 4 pairs or no seed.
    """
    if batch < 4 or seeds < 1:
        raise ConfigError(f"audit: expected at least 4 pairs a batch and 1 seed, got {batch} and {seeds}")
    pairing = resolve_pairing(fusion)
    with torch.random.fork_rng(devices=[]):
        subject = subject_of(fusion, objective)
        noise = noise_accuracy(subject, batch=batch, seeds=range(seeds))
        built = subject.built(0)
        model = built.model
        text, image = subject.noise(model, batch, seeds)
        pairs = torch.arange(PAIRS_A_BATCH)
        batches = [(*subject.noise(model, len(pairs), seeds + n), pairs) for n in range(BATCHES)]
        audit = Audit(
            fusion=fusion.name,
            tokens=tokens_seen(fusion),
            pairing=pairing,
            noise=noise,
            batch=batch,
            seeds=seeds,
            influence=swap_influence(model, text, image),
            gradients=gradient_influence(model, text, image),
            partner=partner_influence(model, text, image),
            single_key=has_single_key(model, text, image),
            dead_parameters=dead_parameters(model, built.objective, batches),
        )
    return _judged(audit)


def with_data(audit: Audit, data: OnData) -> Audit:
    """Add to a fusion's audit what its trained model does on data, and judge both together."""
    return _judged(replace(audit, data=data))


def _judged(audit: Audit) -> Audit:
    audit = replace(audit, flags=flags_of(audit))
    return replace(audit, verdict=words_of(audit))
