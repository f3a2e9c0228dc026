"""One row of a comparison: a run fitted and evaluated, or opened where it is finished, and what results say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.audit.record import in_short
from plait.build import resolve_pairing, tokens_seen
from plait.core.errors import TrainingError
from plait.core.files import write_json
from plait.data.collection import Collection
from plait.compare.budget import Share
from plait.tasks.mask.evaluate import CONSTANT
from plait.train.events import Event, Listener, silent
from plait.runs.run import fit_run

__all__ = ["make_row", "run_name"]


def run_name(fusion: str, seed: int) -> str:
    """Give the folder name of a run: "cross-s0"; a family member's slash becomes a dot."""
    return f"{fusion.replace('/', '.')}-s{seed}"


def make_row(
    label: str,
    share: Share,
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    jobs: int = 1,
    listener: Listener = silent,
) -> dict[str, Any]:
    """Fit and evaluate one fusion under one seed, and give its row of results.json; it is also kept with the run.

    A run whose training failed gives a row that says so.

    Args:
        label: what the comparison calls the fusion
        share: its recipe, with the seed, and its budget
        jobs:  how many runs train side by side, this one among them
    Raises:
        PlaitError: as `fit_run`, all but TrainingError.
    """
    recipe = share.recipe
    fusion, seed = recipe.fusion, recipe.train.seed
    pairing = resolve_pairing(fusion, recipe.task)
    row: dict[str, Any] = {
        "fusion": label,
        "tokens": tokens_seen(fusion, recipe.task),
        "pairing": pairing,
        "rerank_k": fusion.rerank_k if pairing == "itm" else None,
        "seed": seed,
        "run": f"runs/{run_name(label, seed)}",
        "flags": [*(["leaky"] if pairing == "matched" else []), *share.flags],
        **({"budget": share.told} if share.told else {}),
    }
    try:
        record, _ = fit_run(
            recipe,
            collection,
            out / row["run"],
            cache=cache,
            steps=share.steps,
            label=label,
            jobs=jobs,
            listener=listener,
        )
    except TrainingError as error:
        listener(Event("note", row["run"], data={"failed": str(error)}))
        row |= {"status": "failed", "reason": str(error), "metrics": {}, "curve": []}
        write_json(out / row["run"] / "row.json", row)  # a later command that asks for less still reports it
        return row
    row |= {
        key: record[key]
        for key in ("metrics", "params", "step_ms", "train_s", "eval_s", "peak_mb", "curve", "score_kind")
    }
    row |= {key: record[key] for key in ("jobs", "threads") if key in record}  # older runs do not say
    row["flags"] = list(dict.fromkeys((*row["flags"], *record.get("flags", ()))))
    if "audit" in record:
        row["audit"] = in_short(record["audit"])
    if "mask" in record:
        row["mask"] = record["mask"]
    row["status"] = "ok" if _trained(record) else "did not train"
    if row["status"] != "ok":
        row["flags"].append("did not train")
    write_json(out / row["run"] / "row.json", row)
    return row


def _trained(record: dict[str, Any]) -> bool:
    """Whether text-to-image recall@1 is above chance by more than three binomial standard deviations.

    For masks: whether mIoU is above that of every mask that reads nothing (see `evaluate_mask.BASELINES`).
    """
    metrics = record["metrics"]
    if "miou" in metrics:
        return bool(metrics["miou"] > max(metrics[name] for name in CONSTANT))
    chance = 1.0 / record["data"]["photos"]
    bound = chance + 3.0 * (chance * (1 - chance) / record["data"]["captions"]) ** 0.5
    return bool(record["metrics"]["t2i_r1"] / 100.0 > bound)
