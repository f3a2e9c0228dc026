"""What each command does: call the verb, print what came back."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from plait.cli import show
from plait.cli.progress import ProgressBar

__all__ = ["run"]

RUN_FAILED = 3
AUDIT_FLAGGED = 1


def run(arguments: Namespace) -> int:
    """Run the chosen command and give its exit code."""
    if arguments.version:
        print(f"plait {version('plait')}")
        return 0
    if arguments.command is None:
        print("plait: no command; `plait --help` shows them", file=sys.stderr)
        return 2
    commands = {
        "fit": _fit,
        "compare": _compare,
        "evaluate": _evaluate,
        "audit": _audit,
        "match": _match,
        "mask": _mask,
        "probe": _probe,
        "list": _list,
        "data": _data,
        "cache": _cache,
        "report": _report,
        "export": _export,
        "demo": _demo,
    }
    return commands[arguments.command](arguments)


def _fit(arguments: Namespace) -> int:
    from plait import api

    collection = api.open_data(arguments.data, limit=arguments.limit, images=arguments.images)
    recipe = api.recipe_for(arguments.recipe, collection)
    changes = {key: getattr(arguments, key) for key in ("epochs", "seed") if getattr(arguments, key) is not None}
    recipe = replace(recipe, train=replace(recipe.train, **changes))
    with _listening(arguments) as listener:
        record = api.fit(
            recipe,
            collection,
            arguments.out,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            listener=listener,
        )
    _print(arguments, record, show.record(record, arguments.out))
    return 0


def _compare(arguments: Namespace) -> int:
    from plait import api

    collection = api.open_data(arguments.data, limit=arguments.limit, images=arguments.images)
    with _listening(arguments) as listener:
        found = api.compare(
            collection,
            arguments.out,
            fusions=arguments.fusions,
            seeds=arguments.seeds,
            epochs=arguments.epochs,
            recipe_or_name=arguments.recipe,
            match_budget=arguments.match,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            jobs=arguments.jobs,
            listener=listener,
        )
        found = api.asked_by(found, show.command_line())
    _print(arguments, found.results, show.comparison(found.results, found.folder))
    return RUN_FAILED if found.failed else 0


def _evaluate(arguments: Namespace) -> int:
    from plait import api

    collection = api.open_data(arguments.data, limit=arguments.limit, images=arguments.images)
    with _listening(arguments) as listener:
        found = api.evaluate(arguments.run, collection, split=arguments.split, listener=listener)
    result = {
        "run": str(arguments.run),
        "split": found.split,
        "photos": len(found.photos),
        "captions": len(found.captions),
        "score_kind": found.score_kind,
        "flags": list(found.flags),
        "metrics": found.metrics,
        "intervals": found.intervals(),
        **({"mask": found.details} if hasattr(found, "details") else {}),
    }
    _print(arguments, result, show.evaluation(result))
    return 0


def _probe(arguments: Namespace) -> int:
    from plait import api

    if (arguments.photo is None) == (arguments.data is None) or (arguments.photo is None) != (
        arguments.captions is None
    ):
        print("plait probe: expected either --data, or --photo with --captions", file=sys.stderr)
        return 2
    if arguments.photo is not None:
        rows = api.probe_one(arguments.out, arguments.photo, arguments.captions, right=arguments.right - 1)
        _print(arguments, rows, show.probed_photo(rows, arguments.captions))
        return 0
    with _listening(arguments) as listener:
        found = api.probe(arguments.out, arguments.data, split=arguments.split, listener=listener)
    _print(arguments, found, show.probed(found))
    return 0


def _audit(arguments: Namespace) -> int:
    from plait import api

    data = arguments.data
    if data is not None:
        data = api.open_data(data, limit=arguments.limit, images=arguments.images)
    with _listening(arguments) as listener:
        found = api.audit(
            arguments.run,
            fusion=arguments.fusion,
            tokens=arguments.tokens,
            pairing=arguments.pairing,
            data=data,
            split=arguments.split,
            seeds=arguments.seeds,
            listener=listener,
        )
    result = found.to_json()
    _print(arguments, result, show.audit(result))
    return AUDIT_FLAGGED if arguments.strict and found.flags else 0


def _match(arguments: Namespace) -> int:
    from plait import api

    found = api.match(arguments.images, arguments.texts, run=arguments.run)
    result = {
        "images": arguments.images,
        "texts": arguments.texts,
        "score_kind": found.score_kind,
        "scores": found.scores.tolist(),
        "prob_text": found.prob_text.tolist(),
        "prob_image": found.prob_image.tolist(),
    }
    _print(arguments, result, show.matches(result))
    return 0


def _mask(arguments: Namespace) -> int:
    from plait import api

    _, result = api.mask(
        arguments.photo, arguments.text, run=arguments.run, out=arguments.out, threshold=arguments.threshold
    )
    _print(arguments, result, show.mask(result))
    return 0


def _list(arguments: Namespace) -> int:
    from plait.listing import list_names

    rows = list_names(arguments.kind)
    _print(arguments, rows, show.names(rows))
    return 0


def _data(arguments: Namespace) -> int:
    from plait import api

    if arguments.check:
        with _listening(arguments) as listener:
            checked = api.check_data(
                arguments.data, images=arguments.images, fix=arguments.fix, out=arguments.out, listener=listener
            )
        _print(arguments, checked, show.checked(checked))
        return 0
    if arguments.fix or arguments.out:
        print("plait data: --fix and --out belong to `plait data check DATA`", file=sys.stderr)
        return 2
    collection = api.open_data(arguments.data, images=arguments.images)
    if arguments.verify:
        with _listening(arguments) as listener:
            collection = api.verify(collection, listener=listener)
    result = api.describe(collection)
    _print(arguments, result, show.data(result))
    return 0


def _cache(arguments: Namespace) -> int:
    from plait import api

    if arguments.action == "clear":
        result: Any = api.clear_cache(arguments.name)
        _print(arguments, result, show.cleared(result))
    else:
        result = api.show_cache()
        _print(arguments, result, show.cache(result))
    return 0


def _report(arguments: Namespace) -> int:
    from plait import api

    path = api.report(arguments.out)
    _print(arguments, {"report": str(path)}, str(path))
    return 0


def _export(arguments: Namespace) -> int:
    from plait import api

    result = api.export(arguments.run, arguments.out)
    _print(arguments, result, f"{result['out']}: {result['bytes'] / 2**20:.1f} MiB, with a model card")
    return 0


def _demo(arguments: Namespace) -> int:
    from plait import demo

    with _listening(arguments) as listener:
        result = demo.run(arguments.out, listener=listener)
    _print(arguments, result, show.demo(result))
    return 0


class _listening:
    """A progress bar for the time of a verb, or nothing with --quiet."""

    def __init__(self, arguments: Namespace) -> None:
        self.bar = None if arguments.quiet else ProgressBar()

    def __enter__(self) -> Any:
        from plait.api import silent

        return self.bar or silent

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()


def _print(arguments: Namespace, result: Any, text: str) -> None:
    print(json.dumps(result, indent=1, ensure_ascii=False) if arguments.json else text)
