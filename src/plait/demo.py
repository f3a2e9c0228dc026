"""`plait demo`: the main job from nothing but packages: compare fusions on scenes, then match real photos."""

from __future__ import annotations

import time
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plait import api
from plait.core.errors import MissingPackageError
from plait.tasks import find_task
from plait.train.events import Event, Listener, silent

__all__ = ["PHOTOS", "run", "text"]

FUSIONS = ("late", "product", "cross", "scan_t2i")

# Photos in the scikit-image wheel, each with a sentence that was written before any model saw it.
PHOTOS = {
    "chelsea.png": "a close up of a tabby cat looking to the side",
    "coffee.png": "a cup of coffee with a spoon on a wooden table",
    "rocket.jpg": "a rocket standing on its launch pad between towers",
    "astronaut.png": "a smiling woman in an orange space suit",
    "camera.png": "a man in a dark coat looking through a camera on a tripod",
    "color.png": "a board of colourful patches for testing a camera",
    "motorcycle_left.png": "a motorcycle parked in a garage full of tools",
    "brick.png": "a brick wall",
    "grass.png": "green grass",
    "coins.png": "rows of old coins",
    "page.png": "a page of printed text",
    "hubble_deep_field.jpg": "galaxies and stars in the night sky",
}


def run(out: str | Path, *, listener: Listener = silent) -> dict[str, Any]:
    """Compare four fusions on generated scenes, match real photos with the shipped model, and report both.

    Raises:
        MissingPackageError: scikit-image, whose wheel carries the photos, is not installed.
    """
    began = time.perf_counter()
    photos = demo_photos()
    comparison = api.compare("scenes", out, fusions=FUSIONS, seeds=1, listener=listener)
    model = api.load("default")
    texts = list(PHOTOS.values())[: len(photos)]
    found = model.match(photos, texts)
    best = found.scores.argmax(1)
    right = sum(int(choice) == number for number, choice in enumerate(best))
    listener(Event("note", "photos", data={"right": right, "of": len(photos)}))
    return {
        "results": comparison.results,
        "matches": {
            "images": [path.name for path in photos],
            "texts": texts,
            "scores": found.scores.tolist(),
            "prob_text": found.prob_text.tolist(),
            "score_kind": found.score_kind,
        },
        "photos_right": right,
        "photos": len(photos),
        "out": str(comparison.folder),
        "report": str(comparison.report),
        "seconds": time.perf_counter() - began,
    }


def text(found: dict[str, Any]) -> str:
    """Show both parts of what `run` gives."""
    results, matches = found["results"], found["matches"]
    lines = ["", "1. Which fusion binds words to things? (generated scenes)", ""]
    lines += [*find_task(results["task"]).load_terminal().board(results), ""]
    lines += ["2. The shipped model on real photos", ""]
    for image, probabilities in zip(matches["images"], matches["prob_text"], strict=True):
        best = sorted(range(len(probabilities)), key=lambda place: -probabilities[place])[:2]
        lines += [image, *(f"  {100 * probabilities[place]:5.1f} %  {matches['texts'][place]}" for place in best)]
    lines += [
        "",
        f"The shipped model gives {found['photos_right']} of {found['photos']} photos their own sentence. "
        f"All in {found['seconds']:.0f} s.",
        f"Open the report in a browser: {found['report']}",
    ]
    return "\n".join(lines)


def demo_photos() -> list[Path]:
    """Give the paths of the photos in the scikit-image wheel that this machine has."""
    if find_spec("skimage") is None:
        raise MissingPackageError(
            "the demo's photos come in the wheel of scikit-image, which is not installed; pip install 'plait[demo]'"
        )
    folder = Path(str(files("skimage") / "data"))
    return [folder / name for name in PHOTOS if (folder / name).is_file()]
