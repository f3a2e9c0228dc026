"""Simultaneous runs of a comparison, each in its own process with its part of the cores.

The processes call `make_row` in the same folders, as a comparison in one process does: a run does not depend on the
number of jobs, and a command with another number continues where one was stopped. The processes end when the process
that started them ends, however that happens.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch

from plait.compare.budget import Share
from plait.compare.row import make_row, run_name
from plait.core.errors import ConfigError, TrainingError
from plait.data.collection import Collection
from plait.runs.assemble import assemble_for
from plait.runs.feed import open_feed
from plait.runs.record import whole_record
from plait.tasks import find_task
from plait.train.events import Event, Listener
from plait.train.hardware import choose_hardware

__all__ = ["check_jobs", "throttled", "train_side_by_side"]

# How often the listener is given the processes' events, and how often a process reports on one run.
POLL_S = 0.1
EVERY_S = 0.25

Rows = dict[int, dict[str, Any]]


def check_jobs(jobs: int, match: str) -> None:
    """Refuse what cannot be done side by side.

    Raises:
        ConfigError: fewer than one job, or several under a budget of time.
    """
    if jobs < 1:
        raise ConfigError(f"jobs: expected at least 1, got {jobs}")
    if jobs > 1 and match == "time":
        raise ConfigError(
            f"match time: steps are timed one fusion at a time on all cores, and {jobs} jobs would then train at "
            "another speed than was measured; use one job, or match params"
        )


def train_side_by_side(
    requested: Sequence[tuple[str, Share]],
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    jobs: int,
    device: str = "auto",
    listener: Listener,
) -> list[dict[str, Any]]:
    """Make the rows of these runs, `jobs` at a time, and give them in the order requested.

    Every process has `threads of this one // jobs` threads, at least one. The listener is called here, in this thread;
    it is given a few steps per second.

    Raises:
        PlaitError: what a process raised, as `make_row`; the others are stopped, finished runs stay.
        TrainingError: a process was ended from outside.
    """
    _encode_first(requested, collection, out, cache=cache, device=device, listener=listener)
    context = get_context("spawn")  # a copy of a process whose torch has started threads may wait for them forever
    events: SimpleQueue[Event] = context.SimpleQueue()
    threads = max(1, torch.get_num_threads() // jobs)
    shared = {"collection": collection, "out": out, "cache": cache, "jobs": jobs, "device": device}
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(shared, threads, events))
    rows: Rows = {}
    try:
        futures = _submit(pool, requested, threads)
        _follow(futures, requested, rows, events=events, jobs=jobs, listener=listener)
    except BrokenProcessPool as error:
        _stop(pool)
        raise TrainingError(_ended_outside(requested, rows, out, jobs)) from error
    except BaseException:
        _stop(pool)
        raise
    pool.shutdown()
    return [rows[number] for number in range(len(requested))]


def throttled(listener: Listener) -> Listener:
    """Make a listener that passes steps on a few times per second for each task, its first and last always."""
    last: dict[str, float] = {}

    def listen(event: Event) -> None:
        if event.kind in ("step", "encode", "verify"):
            now = time.monotonic()
            if now - last.get(event.what, -EVERY_S) < EVERY_S and event.done != event.total:
                return
            last[event.what] = now
        listener(event)

    return listen


def _encode_first(
    requested: Sequence[tuple[str, Share]],
    collection: Collection,
    out: Path,
    *,
    cache: Path,
    device: str,
    listener: Listener,
) -> None:
    """Fill the token cache before several processes want it: one would encode, and all others wait for its lock."""
    known: set[str] = set()
    for label, share in requested:
        # Of two stages the second reads tokens that the first one's weights decide: they cannot be made before.
        recipe = find_task(share.recipe.task).load_work().first_stage(share.recipe) or share.recipe
        settings = repr((recipe.text, recipe.image, recipe.train.precision))  # what frozen tokens depend on
        if settings in known or whole_record(out / "runs" / run_name(label, recipe.train.seed)) is not None:
            continue
        known.add(settings)
        learner = assemble_for(recipe, collection)
        choose_hardware(device).place(learner)
        open_feed(learner, recipe, collection, cache=cache, listener=listener)


def _submit(
    pool: ProcessPoolExecutor, requested: Sequence[tuple[str, Share]], threads: int
) -> dict[Future[dict[str, Any]], int]:
    """Start the processes and hand them all runs in their order; each is given the data while it starts."""
    with _inherited(threads):
        try:
            return {pool.submit(_work, label, share): number for number, (label, share) in enumerate(requested)}
        except ConnectionError as error:  # it ended before it had read the data
            raise BrokenProcessPool("a process ended while it started") from error


def _follow(
    futures: Mapping[Future[dict[str, Any]], int],
    requested: Sequence[tuple[str, Share]],
    rows: Rows,
    *,
    events: SimpleQueue[Event],
    jobs: int,
    listener: Listener,
) -> None:
    """Pass on what the processes say and collect their rows until all have come or one has failed."""
    beside = {"side_by_side": jobs}
    listener(Event("run", "", 0, len(requested), beside))
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=POLL_S, return_when=FIRST_COMPLETED)
        while not events.empty():  # a process has said all of a run before it gives the row
            listener(events.get())
        for future in done:
            number = futures[future]
            rows[number] = future.result()
            listener(Event("run", _words(*requested[number]), len(rows), len(requested), beside))


def _words(label: str, share: Share) -> str:
    """Give what the run's own events call it."""
    return f"{label}, seed {share.recipe.train.seed}"


def _ended_outside(requested: Sequence[tuple[str, Share]], rows: Rows, out: Path, jobs: int) -> str:
    names = [run_name(label, share.recipe.train.seed) for label, share in requested]
    left = [name for number, name in enumerate(names) if number not in rows and not whole_record(out / "runs" / name)]
    return (
        f"a process that trained one of {', '.join(left[:jobs])} was ended from outside, without an error of its "
        "own; most often memory ran out. What is finished is kept, and the same command goes on from there; give it "
        f'fewer jobs than {jobs}. A script that uses jobs must call this below `if __name__ == "__main__":`'
    )


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the processes at once: checkpoints are replaced in one rename, so nothing is lost but the last minutes."""
    for process in list((pool._processes or {}).values()):  # `kill_workers` is public from Python 3.14 on
        process.kill()
    pool.shutdown(cancel_futures=True)


@contextmanager
def _inherited(threads: int) -> Iterator[None]:
    """Set what new processes take over: their threads, and that an interrupt from the keyboard is for us alone.

    An interrupt that comes meanwhile is held back, not lost.
    """
    wanted = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1")}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    masked = sys.platform != "win32"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else set()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


# What `_begin` leaves for `_work` in a worker process: a pool has no other way to hand over something once.
_WORKER: dict[str, Any] = {}


def _begin(shared: dict[str, Any], threads: int, events: SimpleQueue[Event]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    _WORKER.update(shared, listener=throttled(events.put))


def _work(label: str, share: Share) -> dict[str, Any]:
    return partial(make_row, label, share)(**_WORKER)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
