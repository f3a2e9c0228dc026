"""Facts from a user's text file, and the memory that a model reads them from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from plait.core.errors import ConfigError, InputError
from plait.core.types import Fused
from plait.data.sources.table import read_text
from plait.nn.pooling import masked_mean

__all__ = ["Fact", "FactMemory", "as_facts", "read_facts"]

# (what it is about, what is said of it)
Fact = tuple[str, str]
# All facts are encoded in every step.
MOST_FACTS = 2000


def read_facts(path: Path) -> list[list[str]]:
    """Read one fact per line: "key: value" or "key<tab>value"; a line without either is its own key.

    Empty lines and lines that begin with "#" are passed over.

    Returns: [key, value] of each fact, as plain data.
    Raises:
        InputError: the file cannot be read, holds no fact or more than 2,000, or a line has an empty side.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        divider = "\t" if "\t" in text else ":"
        key, divided, value = (part.strip() for part in text.partition(divider))
        if divided == ":" and not (key and value):
            raise InputError(f"{path}, row {number}: expected `key: value`, got {text[:60]!r}")
        found.append([key, value or key])
    if not found or len(found) > MOST_FACTS:
        raise InputError(f"{path}: expected 1 to {MOST_FACTS:,} facts, one per line, got {len(found):,}")
    return found


class FactMemory(nn.Module):
    """Read facts by their keys, and add what is read to the question.

    Formula: u_0 = mean of the fused text's tokens; for h = 1 to H, p = softmax over facts of (A u_{h-1}) . (B k_f) /
    sqrt(D), u_h = u_{h-1} + sum_f p_f C v_f. Each text token (and the summary) gets u_H - u_0 added.

    Arguments:
        width: D
        hops:  H of the formula, at least 1
    Shapes:
        fused:  text (R, T, D) float
        keys:   (F, D) float, one vector per fact's key; values: (F, D) float
        returns: Fused, and the weights of the last hop, (R, F) float; rows sum to 1
    Raises:
        ConfigError: hops is below 1.
    Source: Miller et al. 2016 (key-value memory networks), section 3.1. Differs: facts are encoded by the model's own
    text encoder, not as bags of words; scaled dot product; one projection for all hops.
    """

    def __init__(self, width: int, *, hops: int = 1) -> None:
        super().__init__()
        if isinstance(hops, bool) or not isinstance(hops, int) or hops < 1:
            raise ConfigError(f"fusion.head.hops: expected a whole number of at least 1, got {hops!r}")
        self.hops = hops
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, fused: Fused, keys: Tensor, values: Tensor) -> tuple[Fused, Tensor]:
        """Add what is read to the fused text; see the class."""
        text = fused.text
        first = masked_mean(text.values, text.valid) if text.pooled is None else text.pooled
        at, read = self.key(self.norm(keys)), self.value(self.norm(values))
        question, weights = first, first.new_zeros(len(first), len(keys))
        for _ in range(self.hops):
            scores = self.query(self.norm(question)) @ at.T * at.shape[-1] ** -0.5
            weights = scores.float().softmax(-1).to(scores.dtype)
            question = question + weights @ read
        added = question - first
        pooled = None if text.pooled is None else text.pooled + added
        changed = replace(text, values=text.values + added[:, None], pooled=pooled)
        return replace(fused, text=changed), weights


def as_facts(given: Sequence[Sequence[str]]) -> tuple[Fact, ...]:
    """Give plain data as facts."""
    return tuple((str(key), str(value)) for key, value in given)
