"""One row of a comparison: a run fitted and evaluated, or opened where it is finished, and what results say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plait.audit.record import in_short
from plait.compare.budget import Share
from plait.core.errors import TrainingError
from plait.core.files import write_json
from plait.data.collection import Collection
from plait.runs.fit import fit_run
from plait.tasks import find_task
from plait.train.events import Event, Listener, silent

__all__ = ["make_row", "run_name"]

_COPIED = ("metrics", "params", "step_ms", "train_s", "eval_s", "peak_mb", "curve", "score_kind")
# Runs of earlier versions do not say these.
_WHERE_KNOWN = ("jobs", "threads", "device", "first_stage_s")


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
    device: str = "auto",
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
    work = find_task(recipe.task).load_work()
    use = work.use(recipe)
    row: dict[str, Any] = {
        "fusion": label,
        **use.columns,
        "seed": recipe.train.seed,
        "run": f"runs/{run_name(label, recipe.train.seed)}",
        "flags": [*use.flags, *share.flags],
        **({"budget": share.budget} if share.budget else {}),
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
            device=device,
            shared=out,
            listener=listener,
        )
    except TrainingError as error:
        listener(Event("note", row["run"], data={"failed": str(error)}))
        row |= {"status": "failed", "reason": str(error), "metrics": {}, "curve": []}
        write_json(out / row["run"] / "row.json", row)  # a later command that names fewer fusions still reports it
        return row
    row |= {key: record[key] for key in _COPIED}
    row |= {key: record[key] for key in (*_WHERE_KNOWN, recipe.task) if key in record}
    row["flags"] = list(dict.fromkeys((*row["flags"], *record.get("flags", ()))))
    if "audit" in record:
        row["audit"] = in_short(record["audit"])
    row["status"] = record["status"]
    write_json(out / row["run"] / "row.json", row)
    return row
