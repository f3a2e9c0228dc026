"""What is named as data: places without any, odd paths, counts of scenes, names of a hub that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected

__all__ = ["cases"]

WORDS: dict[str, tuple[str, Expected]] = {
    "empty": ("", "refused"),
    "space": (" ", "refused"),
    "dot": (".", "refused"),
    "root": ("/", "refused"),
    "dev_null": ("/dev/null", "refused"),
    "passwd": ("/etc/passwd", "refused"),
    "nowhere": ("nowhere", "refused"),
    "long": ("x" * 5000, "refused"),
    "long_path": ("x/" * 3000, "refused"),
    "nul": ("a\x00b", "refused"),
    "newline": ("a\nb", "refused"),
    "emoji": ("\U0001f600", "refused"),
    "surrogate": ("a\udcffb", "refused"),
    "hash": ("#", "refused"),
    "hash_masks": ("#masks", "refused"),
    "option_like": ("--data", "refused"),
    "tilde": ("~nobody/data", "refused"),
    "scenes": ("scenes:6", "works"),
    "scenes_60": ("scenes:60", "works"),
    "scenes_masks": ("scenes-masks:60", "works"),
    "scenes_none": ("scenes:", "refused"),
    "scenes_zero": ("scenes:0", "refused"),
    "scenes_five": ("scenes:5", "refused"),
    "scenes_negative": ("scenes:-6", "refused"),
    "scenes_word": ("scenes:many", "refused"),
    "scenes_float": ("scenes:60.5", "refused"),
    "scenes_power": ("scenes:1e3", "refused"),
    "scenes_spaces": ("scenes: 60", "refused"),
    "scenes_huge": (f"scenes:{10**12}", "refused"),
    "scenes_digits": ("scenes:" + "9" * 5000, "refused"),
    "scenes_arabic": ("scenes:\u0661\u0662\u0663", "refused"),
    "scenes_misspelt": ("scnes", "refused"),
    "scenes_upper": ("SCENES:60", "refused"),
    "scenes_two": ("scenes:60:60", "refused"),
    "scenes_masks_huge": (f"scenes-masks:{10**15}", "refused"),
    "scenes_hash": ("scenes:60#masks", "refused"),
    "hub_none": ("hub:", "refused"),
    "hub_offline": ("hub:nobody/nothing", "refused"),
    "hub_path": ("hub:../../etc", "refused"),
    "hub_spaces": ("hub: a b", "refused"),
    "hub_like": ("nlphuji/flickr30k", "refused"),
}


def cases() -> Iterator[Case]:
    """Give every word for every verb, files that are no data, and folders with odd names."""
    for name, (word, expect) in WORDS.items():
        yield Case(f"data/place/{name}/data", lambda b, w=word: Command(["data", f"{w}"]), expect, limit_s=20)
        if name != "root":  # whose images are all that this machine holds
            yield Case(f"data/place/{name}/check", lambda b, w=word: Command(["data", "check", w]), expect, limit_s=20)
        if expect == "refused":
            yield Case(
                f"data/place/{name}/fit",
                lambda b, w=word: Command(["fit", "--data", w, "--recipe", b.shared.recipe, "--out", b.out]),
                limit_s=20,
            )
    for name, content in {
        "data.zip": b"PK\x03\x04",
        "data.parquet": b"PAR1 this is none PAR1",
        "photo.png": b"\x89PNG\r\n\x1a\n",
        "data.csv": b"",
        "data.xlsx": b"PK\x03\x04xl",
        "data.npy": b"\x93NUMPY",
        "data": b"image,caption\n",
        "noise.csv": bytes(range(256)) * 50,
        "noise.jsonl": bytes(range(256)) * 50,
        "noise.json": bytes(range(256)) * 50,
        "noise.txt": bytes(range(256)) * 50,
    }.items():
        yield Case(
            f"data/file/{name}/data",
            lambda b, n=name, c=content: Command(["data", b.file(n, c)]),
            says=(name if name != "data" else "no row names an image",),
        )
        # The doctor lists what it cannot read; it refuses where there is nothing to look at.
        listed = name == "photo.png"
        yield Case(
            f"data/file/{name}/check",
            lambda b, n=name, c=content: Command(["data", "check", b.file(n, c)]),
            "noted" if listed else "refused",
            says=(name,),
        )
    for name in (
        "with space",
        "with#hash",
        "with%25",
        "\u00fcml\u00e4ut \U0001f600",
        "'quote\"",
        "-dash",
        "a,b",
        "a=b",
    ):
        for verb in (["data"], ["data", "check"], ["fit"]):
            yield Case(f"data/folder/{name}/{'_'.join(verb)}", _renamed(name, verb), "works")


def _renamed(name: str, verb: list[str]) -> Callable[[Bench], Command]:
    def call(bench: Bench) -> Command:
        folder: Path = bench.data().rename(bench.folder / name)
        if verb == ["fit"]:
            return Command(
                [
                    "fit",
                    f"--data={folder}",
                    "--recipe",
                    bench.shared.recipe,
                    "--epochs",
                    1,
                    "--out",
                    bench.out,
                    "--quiet",
                ]
            )
        return Command([*verb, folder])

    return call
