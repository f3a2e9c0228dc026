"""What each command does: call the verb, print what came back."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from importlib.metadata import version
from typing import Any

from plait.cli import show, show_data
from plait.cli.out import complain, say, writes_unicode
from plait.cli.progress import ProgressBar
from plait.cli.tasks import task_of

__all__ = ["run"]

RUN_FAILED = 3
AUDIT_FLAGGED = 1
DATA_WRONG = 1
WRONG_COMMAND = 2


def run(arguments: Namespace) -> int:
    """Run the chosen command and give its exit code."""
    if arguments.version:
        say(f"plait {version('plait')}")
        return 0
    if arguments.command is None:
        complain("plait: no command; `plait --help` shows them")
        return WRONG_COMMAND
    arguments.progress = None
    commands = {
        "fit": _fit,
        "compare": _compare,
        "evaluate": _evaluate,
        "explain": _explain,
        "faithfulness": _faithfulness,
        "audit": _audit,
        "list": _list,
        "recipe": _recipe,
        "data": _data,
        "cache": _cache,
        "report": _report,
        "package": _package,
        "demo": _demo,
    }
    code = commands.get(arguments.command, _of_task)(arguments)
    return code or int(arguments.progress is not None and arguments.progress.failed)


def _of_task(arguments: Namespace) -> int:
    """Run a command that a task brings."""
    from plait import api

    if _several_devices(arguments):
        return WRONG_COMMAND
    with _listening(arguments) as listener:
        answer = arguments.of_task.run(arguments, api, listener)
    if answer.code == WRONG_COMMAND:
        complain(f"plait {arguments.command}: {answer.text}")
    else:
        _print(arguments, answer.data, answer.text)
    return int(answer.code)


def _fit(arguments: Namespace) -> int:
    from plait import api

    with _listening(arguments) as listener:
        run = api.fit(
            arguments.data,
            arguments.out,
            recipe=arguments.recipe,
            fusion=arguments.fusion,
            epochs=arguments.epochs,
            seed=arguments.seed,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            minutes=arguments.minutes,
            limit=arguments.limit,
            images=arguments.images,
            device=arguments.device,
            devices=arguments.devices,
            listener=listener,
        )
    _print(arguments, run.record, show.record(run.record, arguments.out))
    return 0


def _compare(arguments: Namespace) -> int:
    from plait import api

    if _several_devices(arguments):
        return WRONG_COMMAND
    with _listening(arguments) as listener:
        found = api.compare(
            arguments.data,
            arguments.out,
            fusions=arguments.fusions,
            seeds=arguments.seeds,
            epochs=arguments.epochs,
            recipe=arguments.recipe,
            match_budget=arguments.match,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            minutes=arguments.minutes,
            jobs=arguments.jobs,
            limit=arguments.limit,
            images=arguments.images,
            device=arguments.device,
            listener=listener,
        )
        found = api.requested_by(found, show.command_line())
    _print(arguments, found.results, show.comparison(found.results, found.folder))
    return RUN_FAILED if found.failed else 0


def _explain(arguments: Namespace) -> int:
    from plait import api

    found = api.explain(
        arguments.image,
        arguments.text,
        run=arguments.run,
        method=arguments.method,
        measure=not arguments.no_measure,
        out=arguments.out,
    )
    plain = found.to_json()
    _print(arguments, plain, show.explanation(plain))
    return 0


def _faithfulness(arguments: Namespace) -> int:
    from plait import api

    with _listening(arguments) as listener:
        found = api.faithfulness(
            arguments.run,
            arguments.data,
            split=arguments.split,
            method=arguments.method,
            images=arguments.images,
            seed=arguments.seed,
            listener=listener,
        )
    _print(arguments, found, show.faithfulness(found))
    return 0


def _evaluate(arguments: Namespace) -> int:
    from plait import api
    from plait.metrics.intervals import intervals

    if _several_devices(arguments):
        return WRONG_COMMAND
    run = api.load_run(arguments.run, device=arguments.device)
    collection = api.open_data(arguments.data, limit=arguments.limit, images=arguments.images)
    with _listening(arguments) as listener:
        collection = api.verify(collection, listener=listener)
        found = api.evaluate(run, collection, split=arguments.split, device=arguments.device, listener=listener)
    result = {
        "run": str(arguments.run),
        "split": found.split,
        "photos": len(found.images),
        "captions": len(found.captions),
        "score_kind": found.score_kind,
        "flags": list(found.flags),
        "skipped": skipped_of(collection),
        "metrics": found.metrics,
        "intervals": intervals(found),
    }
    metrics = [one.metric for one in found.measured]
    task = task_of(metrics)
    if found.details and task is not None:
        result[task.name] = found.details
    _print(arguments, result, show.evaluation(result, metrics))
    return 0


def _audit(arguments: Namespace) -> int:
    from plait import api

    if _several_devices(arguments):
        return WRONG_COMMAND
    data = arguments.data
    with _listening(arguments) as listener:
        if data is not None:
            data = api.open_data(data, limit=arguments.limit, images=arguments.images)
            data = api.verify(data, listener=listener)
        found = api.audit(
            arguments.run,
            fusion=arguments.fusion,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            data=data,
            split=arguments.split,
            seeds=arguments.seeds,
            device=arguments.device,
            listener=listener,
        )
    result = found.to_json()
    if data is not None:
        result["skipped"] = skipped_of(data)
    _print(arguments, result, show.audit(result))
    return AUDIT_FLAGGED if arguments.strict and found.flags else 0


def _list(arguments: Namespace) -> int:
    from plait.listing import list_names

    rows = list_names(arguments.kind)
    _print(arguments, rows, show.names(rows))
    return 0


def _recipe(arguments: Namespace) -> int:
    from plait import api

    text = api.recipe_text(arguments.name)
    _print(arguments, {"name": arguments.name, "recipe": text}, text.rstrip("\n"))
    return 0


def _data(arguments: Namespace) -> int:
    from plait import api

    if arguments.check:
        with _listening(arguments) as listener:
            checked = api.check(
                arguments.data, images=arguments.images, fix=arguments.fix, out=arguments.out, listener=listener
            ).record
        _print(arguments, checked, show_data.checked(checked))
        errors = checked["counts"]["error"]
        if arguments.strict and errors:
            kinds = "1 kind of error" if errors == 1 else f"{errors} kinds of error"
            complain(f"plait data check: {kinds}, so under --strict the exit code is {DATA_WRONG}")
            return DATA_WRONG
        return 0
    if arguments.fix is not None or arguments.out is not None or arguments.strict:
        complain("plait data: --fix, --out and --strict belong to `plait data check DATA`")
        return WRONG_COMMAND
    collection = api.open_data(arguments.data, images=arguments.images)
    if arguments.verify:
        with _listening(arguments) as listener:
            collection = api.verify(collection, listener=listener)
    result = api.describe(collection)
    _print(arguments, result, show_data.data(result))
    return 0


def _cache(arguments: Namespace) -> int:
    from plait import api

    if arguments.action == "show" and arguments.name is not None:
        complain("plait cache: --name belongs to `plait cache clear`")
        return WRONG_COMMAND
    if arguments.action == "clear":
        result: Any = api.clear_cache(arguments.name)
        _print(arguments, result, show_data.cleared(result))
    else:
        result = api.show_cache()
        _print(arguments, result, show_data.cache(result))
    return 0


def _report(arguments: Namespace) -> int:
    from plait import api

    path = api.report(arguments.out)
    _print(arguments, {"report": str(path)}, str(path))
    return 0


def _package(arguments: Namespace) -> int:
    from plait import api

    result = api.package(arguments.run, arguments.out)
    _print(arguments, result, f"{result['out']}: {result['bytes'] / 2**20:.1f} MiB, with a model card")
    return 0


def _demo(arguments: Namespace) -> int:
    from plait import demo

    with _listening(arguments) as listener:
        result = demo.run(arguments.out, listener=listener)
    _print(arguments, result, demo.text(result))
    return 0


class _listening:
    """A progress bar for the time of a verb, or nothing with --quiet; and the logs that --log names."""

    def __init__(self, arguments: Namespace) -> None:
        self.bar = arguments.progress = None if arguments.quiet else ProgressBar()
        self.names: list[str] = getattr(arguments, "log", [])
        self.out: Any = getattr(arguments, "out", None)
        self.logs: list[Any] = []

    def __enter__(self) -> Any:
        from plait import api

        shown = self.bar or api.silent
        if not self.names:
            return shown
        self.logs = api.open_logs(self.names, self.out)
        return api.several([shown, *self.logs])

    def __exit__(self, *error: object) -> None:
        for log in self.logs:
            log.close()
        if self.bar is not None:
            self.bar.close()


def skipped_of(collection: Any) -> list[dict[str, str]]:
    """Give what was left out of a data set: where, and why."""
    return [{"where": skip.where, "reason": skip.reason} for skip in collection.skipped]


def _several_devices(arguments: Namespace) -> bool:
    """Refuse more than one device where only training uses them."""
    if arguments.devices > 1:
        complain(f"plait {arguments.command}: --devices above 1 is for `plait fit`; this command uses one device")
    return bool(arguments.devices > 1)


def _print(arguments: Namespace, result: Any, text: str) -> None:
    say(json.dumps(result, indent=1, ensure_ascii=not writes_unicode(sys.stdout)) if arguments.json else text)
