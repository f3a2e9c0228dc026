"""A comparison as `plait compare` would leave it, made up but consistent: to test the report, and to look at."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from plait.data.images import thumbnail_jpeg

HOSTILE = '<script>window.broken = 1</script><img src=x onerror="window.broken = 2">'
CAPTIONS = (
    "a tabby cat with green eyes looks straight into the camera",
    "a cup of coffee with a spoon on a wooden table",
    "a rocket stands on its launch pad under a blue sky",
    "an astronaut in an orange suit smiles in front of a flag",
    "a brown horse stands still",
    "yellow and red balloons drift over a quiet valley",
)
VERDICT = "scan_t2i is better than late by 9.1 points (p < 0.001 after Holm). The rest is not distinguishable."
TESTED = ("t2i_r1", "i2t_r1")
# name -> (signal, pairing, tokens, parameters, step, seconds, memory)
FUSIONS: dict[str, tuple[float, str, str, int, float, float, float]] = {
    "late": (1.32, "all", "pooled", 394_240, 14.0, 31.0, 880.0),
    "product": (1.18, "all", "pooled", 460_032, 18.0, 39.0, 900.0),
    "scan_t2i": (1.50, "all", "tokens", 492_800, 96.0, 212.0, 2410.0),
    "max_sim": (1.46, "all", "tokens", 492_800, 61.0, 140.0, 1780.0),
    "cross": (1.42, "itm", "tokens", 3_812_609, 141.0, 390.0, 1930.0),
}


def pictures() -> dict[str, np.ndarray]:
    """Give six photos: those of scikit-image where it is installed, drawn ones for the rest."""
    found: dict[str, np.ndarray] = {}
    try:
        from skimage import data

        found = {name: getattr(data, name)() for name in ("cat", "coffee", "rocket", "astronaut")}
    except (ImportError, OSError):
        pass
    generator = np.random.default_rng(3)
    for name in ("cat", "coffee", "rocket", "astronaut", "horse", "balloons"):
        if name not in found:
            found[name] = _landscape(generator)
    return found


def _landscape(generator: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[0:240, 0:320] / 240
    ridge = 0.62 + 0.12 * np.sin(3 * x + generator.uniform(0, 6)) + 0.03 * np.sin(11 * x)
    sky = np.stack([150 + 80 * y, 190 + 30 * y, 235 - 40 * y], -1)
    photo = np.where((y > ridge)[..., None], np.stack([70 + 50 * y, 110 + 40 * y, 60 + 0 * y], -1), sky)
    for _ in range(4):
        at_x, at_y, size = generator.uniform(0.1, 1.2), generator.uniform(0.1, 0.5), generator.uniform(0.05, 0.12)
        photo[(x - at_x) ** 2 + (y - at_y) ** 2 < size**2] = generator.uniform(60, 255, 3)
    return photo.clip(0, 255).astype(np.uint8)


def sample_results(*, photos: int = 200, seeds: int = 3, fusions: tuple[str, ...] = tuple(FUSIONS)) -> dict[str, Any]:
    """Give results.json: scores drawn with a signal per fusion, and recalls, intervals and tests made of them."""
    owner = np.repeat(np.arange(photos), 5)
    shared = np.random.default_rng(0).normal(size=(photos, 5 * photos))
    rows: list[dict[str, Any]] = []
    values: dict[str, dict[str, np.ndarray]] = {name: {} for name in TESTED}
    summary = []
    for name in fusions:
        signal, pairing, tokens, params, step_ms, train_s, peak_mb = FUSIONS[name]
        mine, found = [], []
        for seed in range(seeds):
            generator = np.random.default_rng([seed, *name.encode()])
            scores = shared + 0.7 * generator.normal(size=shared.shape)
            scores[owner, np.arange(len(owner))] += 2.2 * signal + generator.normal(scale=0.03)
            found.append(_recalls(scores, owner))
            metrics = {key: float(items.mean()) for key, items in found[-1].items()}
            mine.append(
                {
                    "fusion": name,
                    "tokens": tokens,
                    "pairing": pairing,
                    "rerank_k": 16 if pairing == "itm" else None,
                    "seed": seed,
                    "status": "ok",
                    "flags": [],
                    "metrics": metrics,
                    "params": params,
                    "step_ms": step_ms,
                    "train_s": train_s,
                    "eval_s": train_s / 9,
                    "peak_mb": peak_mb,
                    "curve": _curve(metrics, signal, train_s),
                    "run": f"runs/{name}-s{seed}",
                }
            )
        rows.extend(mine)
        entry: dict[str, Any] = {"fusion": name, "tokens": tokens, "pairing": pairing, "seeds": seeds}
        entry |= {"params": params, "step_ms": step_ms, "train_s": train_s}
        for metric in found[0]:
            table = np.stack([items[metric] for items in found]).mean(0)
            entry[metric] = {"mean": float(table.mean()), **_ends(table)}
            if metric in values:
                values[metric][name] = table
        summary.append(entry)
    return {
        "task": "match",
        "plait": "0.1.0",
        "command": f"plait compare --data photos --fusions {','.join(fusions)} --seeds {seeds} --epochs 6 --out out",
        "data": _data(photos),
        "settings": {"text": {"name": "minilm"}, "image": {"name": "efficientnet_lite2"}, "train": {"epochs": 6}},
        "rows": rows,
        "summary": summary,
        "tests": _tests(values, seeds),
        "power": [_power(metric, photos, seeds) for metric in TESTED],
        "verdict": VERDICT,
    }


def _recalls(scores: np.ndarray, owner: np.ndarray) -> dict[str, np.ndarray]:
    """Give what each photo adds to R@1, R@5 and R@10 both ways, in percent."""
    own = scores[owner, np.arange(len(owner))]
    ranks = (scores > own).sum(0)
    mine = owner == np.arange(len(scores))[:, None]
    first = (scores > np.where(mine, scores, -np.inf).max(1, keepdims=True)).sum(1)
    found = {}
    for k in (1, 5, 10):
        found[f"t2i_r{k}"] = 100.0 * np.bincount(owner, weights=ranks < k) / np.bincount(owner)
        found[f"i2t_r{k}"] = 100.0 * (first < k)
    return found


def _ends(table: np.ndarray) -> dict[str, float]:
    half = 1.96 * float(table.std()) / len(table) ** 0.5
    return {"low": float(table.mean()) - half, "high": float(table.mean()) + half}


def _tests(values: dict[str, dict[str, np.ndarray]], seeds: int) -> list[dict[str, Any]]:
    found = []
    for metric, tables in values.items():
        names = list(tables)
        for a, b in ((a, b) for place, a in enumerate(names) for b in names[place + 1 :]):
            difference = tables[a] - tables[b]
            mean, spread, ends = float(difference.mean()), float(difference.std()) or 1.0, _ends(difference)
            sure = ends["low"] > 0 or ends["high"] < 0
            d_z = {"value": mean / spread, **{end: value / spread for end, value in ends.items()}}
            test: dict[str, Any] = {"a": a, "b": b, "metric": metric, "difference": mean, **ends, "d_z": d_z}
            found.append(
                test | {"p": 0.0004 if sure else 0.3, "p_holm": 0.004 if sure else 1.0, "distinguishable": sure}
            )
    return found


def _power(metric: str, photos: int, seeds: int) -> dict[str, Any]:
    found = {"metric": metric, "photos": photos, "seeds": seeds, "tests": 20, "alpha": 0.05, "power": 0.8}
    return {**found, "detectable": 4.2, "least": 3.1, "most": 5.0, "seeds_counted": seeds > 1}


def _curve(metrics: dict[str, float], signal: float, train_s: float) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "loss": 4.8 * 0.72**epoch / signal + 0.6,
            "t2i_r1": metrics["t2i_r1"] * (1 - 0.62**epoch),
            "i2t_r1": metrics["i2t_r1"] * (1 - 0.58**epoch),
            "seconds": train_s / 6 * epoch,
        }
        for epoch in range(1, 7)
    ]


def _data(photos: int) -> dict[str, Any]:
    return {
        "name": "photos",
        "origin": "folder photos",
        "fingerprint": "b1946ac92492d2347c6235b4d2611184",
        "photos": 7 * photos,
        "captions": 35 * photos,
        "splits": {
            name: {"photos": n * photos, "captions": 5 * n * photos}
            for name, n in (("train", 5), ("val", 1), ("test", 1))
        },
        "eval_split": "val",
        "skipped": [
            {"where": "images/0113.jpg", "reason": "cannot be decoded: truncated after 8,192 bytes"},
            {"where": "captions.csv, row 412", "reason": "empty caption"},
        ],
    }


def sample_gallery(*, fusions: tuple[str, ...] = tuple(FUSIONS), hostile: bool = False) -> dict[str, Any]:
    """Give gallery.json: six photos, their captions ranked with some mistakes, and maps of two fusions."""
    generator = np.random.default_rng(1)
    photos = {name: _data_url(rgb) for name, rgb in pictures().items()}
    names = list(photos)
    captions = [HOSTILE if hostile and n == 4 else caption for n, caption in enumerate(CAPTIONS)]

    def ranked(true: int) -> list[int]:
        others = [n for n in range(len(names)) if n != true]
        generator.shuffle(others)
        place = int(generator.choice([0, 0, 0, 1, 2, 3]))
        return [*others[:place], true, *others[place:]][:3]

    def hit(n: int, true: int, place: int) -> dict[str, Any]:
        return {"score": 0.61 - 0.09 * place, "score_kind": "cosine", "correct": n == true}

    by_photo, by_caption = [], []
    for true, name in enumerate(names):
        by_photo.append(
            {
                "photo": name,
                "truth": [captions[true], "another sentence about the same photo"],
                "results": {
                    fusion: [{"text": captions[n], **hit(n, true, p)} for p, n in enumerate(ranked(true))]
                    for fusion in fusions
                },
            }
        )
        by_caption.append(
            {
                "text": captions[true],
                "photo": name,
                "results": {
                    fusion: [{"photo": names[n], **hit(n, true, p)} for p, n in enumerate(ranked(true))]
                    for fusion in fusions
                },
            }
        )
    attention = []
    for fusion, (h, w) in (("scan_t2i", (9, 9)), ("cross", (7, 7))):
        for name, caption in zip(names[:4], captions, strict=False):
            words = caption.split()
            y, x = np.mgrid[0:h, 0:w]
            maps = []
            for _ in words:
                at = generator.uniform(0, [h, w])
                bump = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / generator.uniform(1, 9))
                bump += 0.06 * generator.random((h, w))
                maps.append([round(float(v), 4) for v in (bump / bump.sum()).ravel()])
            attention.append(
                {
                    "fusion": fusion,
                    "photo": name,
                    "caption": caption,
                    "words": words,
                    "grid": [h, w],
                    "weights": maps,
                    "what": "text->image attention, layer 0, mean over 8 heads",
                }
            )
    return {"photos": photos, "by_photo": by_photo, "by_caption": by_caption, "attention": attention}


def _data_url(rgb: np.ndarray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail_jpeg(rgb, 256)).decode()
