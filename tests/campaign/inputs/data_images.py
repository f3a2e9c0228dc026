"""Images that are damaged or unusual, one among eleven whole ones; and folders of images that are none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.campaign.bench import Bench
from tests.campaign.case import Case, Command, Expected
from tests.campaign.inputs.data_files import three

__all__ = ["cases"]

Spoil = Callable[[Path], None]
NAME = "p001.png"
PIXELS = np.random.default_rng(0).integers(0, 255, (20, 24, 3), dtype=np.uint8)


def _bytes(content: bytes) -> Spoil:
    return lambda path: path.write_bytes(content) and None


def _saved(mode: str, kind: str = "PNG", size: tuple[int, int] = (24, 20)) -> Spoil:
    def save(path: Path) -> None:
        Image.fromarray(PIXELS).convert("RGB").resize(size).convert(mode).save(path, format=kind)

    return save


def _png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data does not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\x00" * 100)), (b"IEND", b"")]
    made = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + made


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(path, format="JPEG", exif=exif)


def _bad_exif(path: Path) -> None:
    Image.fromarray(PIXELS).save(path, format="JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")


def _moving(path: Path) -> None:
    frames = [Image.fromarray(np.roll(PIXELS, n, 0)) for n in range(3)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])


def _sixteen(path: Path) -> None:
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(path, format="PNG")


def _floats(path: Path) -> None:
    values = PIXELS[..., 0].astype(np.float32) / 255
    values[0, 0] = np.nan
    Image.fromarray(values).save(path, format="TIFF")


def _clear(path: Path) -> None:
    pixels = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
    Image.fromarray(pixels).save(path, format="PNG")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(target: str) -> Spoil:
    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return link


SPOILED: dict[str, Spoil] = {
    "empty": _bytes(b""),
    "text": _bytes(b"this is no picture"),
    "html": _bytes(b"<html><body>404</body></html>"),
    "svg": _bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "pdf": _bytes(b"%PDF-1.7\n"),
    "git_lfs": _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "cut": _cut,
    "one_byte_other": _flipped,
    "zero_size": _bytes(_png_of(0, 0)),
    "huge_size": _bytes(_png_of(100_000, 100_000)),
    "largest_size": _bytes(_png_of(2**31 - 1, 2**31 - 1)),
    "floats": _floats,
    "no_data": _bytes(_png_of(24, 20)),
}
ODD: dict[str, Spoil] = {
    "jpeg_as_png": _saved("RGB", "JPEG"),
    "cmyk": _saved("CMYK", "JPEG"),
    "grey": _saved("L"),
    "grey_alpha": _saved("LA"),
    "palette": _saved("P"),
    "one_bit": _saved("1"),
    "alpha": _saved("RGBA"),
    "all_clear": _clear,
    "sixteen_bits": _sixteen,
    "webp": _saved("RGB", "WEBP"),
    "bmp": _saved("RGB", "BMP"),
    "tiff": _saved("RGB", "TIFF"),
    "gif": _moving,
    "turned": _turned,
    "bad_exif": _bad_exif,
    "one_pixel": _saved("RGB", size=(1, 1)),
    "one_row": _saved("RGB", size=(3000, 1)),
    "one_column": _saved("RGB", size=(1, 3000)),
}


def cases() -> Iterator[Case]:
    """Give every image for every verb that reads it, and every folder."""
    for name, spoil in SPOILED.items():
        yield from _image(name, spoil, "noted")
    for name, spoil in ODD.items():
        yield from _image(name, spoil, "works")
    for name, spoil in {"folder": _folder, "broken_link": _link("nowhere.png"), "ring": _link(NAME)}.items():
        yield from three(f"data/image/{name}", _on_image(spoil), "noted", (NAME,))
    for name, spoil in _FOLDERS.items():
        yield from three(f"data/images/{name}", spoil, "refused", ("images",))
    yield from _forbidden()


def _image(name: str, spoil: Spoil, expect: Expected) -> Iterator[Case]:
    says = (NAME,) if expect == "noted" else ()

    def data(bench: Bench) -> Path:
        folder = bench.data()
        spoil(folder / "images" / NAME)
        return folder

    yield Case(
        f"data/image/{name}/verify", lambda b: Command(["data", data(b), "--verify", "--json"]), expect, says=says
    )
    yield Case(f"data/image/{name}/check", lambda b: Command(["data", "check", data(b), "--json"]), expect, says=says)
    yield Case(
        f"data/image/{name}/fit",
        lambda b: Command(
            ["fit", "--data", data(b), "--recipe", b.shared.recipe, "--epochs", 1, "--out", b.out, "--json", "--quiet"]
        ),
        expect,
        says=says,
    )
    yield Case(
        f"data/image/{name}/match",
        lambda b: Command(
            ["match", "--run", b.shared.run, "--images", data(b) / "images" / NAME, "--texts", "red", "blue"]
        ),
        "refused" if expect == "noted" else "works",
        says=says,
    )


def _on_image(spoil: Spoil) -> Spoil:
    return lambda data: spoil(data / "images" / NAME)


def _no_images(data: Path) -> None:
    (data / "images").rename(data.parent / "pictures")


def _empty_images(data: Path) -> None:
    for path in (data / "images").iterdir():
        path.unlink()


def _file_for_images(data: Path) -> None:
    _no_images(data)
    (data / "images").write_text("x")


def _link_for_images(data: Path) -> None:
    _no_images(data)
    (data / "images").symlink_to(data / "nowhere")


def _ring_for_images(data: Path) -> None:
    _no_images(data)
    (data / "images").symlink_to(data / "images")


_FOLDERS: dict[str, Spoil] = {
    "absent": _no_images,
    "empty": _empty_images,
    "file": _file_for_images,
    "broken_link": _link_for_images,
    "ring": _ring_for_images,
}


def _forbidden() -> Iterator[Case]:
    def unreadable(part: str) -> Callable[[Bench], Path]:
        def data(bench: Bench) -> Path:
            folder = bench.data()
            bench.without_rights(folder / part)
            return folder

        return data

    for part, expect in {
        f"images/{NAME}": "noted",
        "images": "refused",
        "captions.csv": "refused",
        "splits.json": "refused",
        ".": "refused",
    }.items():
        data = unreadable(part)
        last = "data" if part == "." else part.rpartition("/")[2]
        ending: Expected = "noted" if expect == "noted" else "refused"
        name = f"data/unreadable/{'data' if part == '.' else part.replace('/', '_')}"
        fit = ["fit", "--recipe", "RECIPE", "--epochs", 1, "--quiet", "--json"]
        yield Case(
            f"{name}/data",
            lambda b, data=data: Command(["data", data(b), "--verify", "--json"]),
            ending,
            says=(f"{last}|p000.png",),
        )
        yield Case(
            f"{name}/check",
            lambda b, data=data: Command(["data", "check", data(b), "--json"]),
            "refused" if part == "." else "noted",
            says=(last,),
        )
        yield Case(
            f"{name}/fit",
            lambda b, data=data, fit=fit: Command(
                [b.shared.recipe if word == "RECIPE" else word for word in fit] + ["--data", data(b), "--out", b.out]
            ),
            ending,
            says=(f"{last}|p000.png",),
        )
