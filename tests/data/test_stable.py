"""Fingerprints, keys and files of the cache as version 0.1 wrote them: runs and caches on disk stay valid."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from plait.core.types import Tokens
from plait.data.collection import Caption, Collection, Photo, keep_photos
from plait.data.masks.source import MaskSource, Region
from plait.data.open import open_collection
from plait.data.text import WordInput
from plait.data.tokens.cache import build_store, open_store
from plait.encoders.choose import image_parts, text_parts

KEY = {"what": "text", "data": "abc", "encoder": "ü toy", "precision": "fp32"}
# A store of four items in two shards, the second with values beyond one byte: file name -> base64 of its content.
STORE = {
    "index.json": (
        "eyJpdGVtcyI6IDQsICJzaGFyZHMiOiBbWyJzaGFyZC0wMDAwMC5zYWZldGVuc29ycyIsIDM3Ml0sIFsic2hhcmQtMDAwMDEuc2Fm"
        "ZXRlbnNvcnMiLCAzNzJdXX0="
    ),
    "key.json": (
        "ewogIml0ZW1zIjogNCwKICJrZXkiOiB7CiAgImRhdGEiOiAiYWJjIiwKICAiZW5jb2RlciI6ICJcdTAwZmMgdG95IiwKICAicHJl"
        "Y2lzaW9uIjogImZwMzIiLAogICJ3aGF0IjogInRleHQiCiB9Cn0="
    ),
    "shard-00000.safetensors": (
        "QAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJncmlkIjoiIiwiZm9ybWF0IjoicGxhaXQtdG9rZW5zLTEiLCJjcmMzMiI6IjM4NDky"
        "MzMwMjEifSwiaXRlbXMiOnsiZHR5cGUiOiJJNjQiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlswLDE2XX0sImxlbmd0aHMi"
        "OnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlsxNiwyNF19LCJwb29sZWQiOnsiZHR5cGUiOiJGMTYi"
        "LCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzI0LDMyXX0sInZhbHVlcyI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbMywy"
        "XSwiZGF0YV9vZmZzZXRzIjpbMzIsNDRdfX0gIAAAAAAAAAAAAQAAAAAAAAACAAAAAQAAAAAAADgAPAA4AAAAOAA8ALwAPAA4"
    ),
    "shard-00001.safetensors": (
        "QAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwbGFpdC10b2tlbnMtMSIsImdyaWQiOiIiLCJjcmMzMiI6IjEwMTIx"
        "MTQ4OTIifSwiaXRlbXMiOnsiZHR5cGUiOiJJNjQiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlswLDE2XX0sImxlbmd0aHMi"
        "OnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlsxNiwyNF19LCJwb29sZWQiOnsiZHR5cGUiOiJGMTYi"
        "LCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzI0LDMyXX0sInZhbHVlcyI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbMywy"
        "XSwiZGF0YV9vZmZzZXRzIjpbMzIsNDRdfX0gIAIAAAAAAAAAAwAAAAAAAAACAAAAAQAAAABAADhATAA4AEAAOABEALxATAA4"
    ),
}


def tiny(folder: Path) -> Collection:
    (folder / "a.jpg").write_bytes(b"abc")
    (folder / "m.png").write_bytes(b"mask")
    photos = (
        Photo("a.jpg", folder / "a.jpg"),
        Photo("b", np.arange(18, dtype=np.uint8).reshape(2, 3, 3), family=1),
        Photo("ü", np.zeros((1, 1, 3), np.uint8)),
        Photo("d", np.ones((1, 1, 3), np.uint8)),
    )
    captions = (
        Caption("a.jpg#0", "a dog", 0),
        Caption("b#0", "ein größerer Hund", 1, "falsch"),
        Caption("c#0", "x", 2),
        Caption("d#0", "y", 3),
    )
    return Collection("tiny", "memory", photos, captions, {"val": (2, 3), "train": (0, 1)})


def masked(folder: Path) -> Collection:
    collection = tiny(folder)
    region = Region(4, 5, ([[0.0, 0.0, 4.0, 0.0, 4.0, 3.0]], [3, 4, 13], "52203"))
    masks = (
        MaskSource(folder / "m.png"),
        MaskSource(np.eye(2, dtype=bool), "background"),
        MaskSource(region, where="r"),
        None,
    )
    pairs = zip(collection.captions, masks, strict=True)
    return replace(collection, captions=tuple(replace(caption, mask=mask) for caption, mask in pairs))


def test_fingerprints_of_a_collection(tmp_path: Path) -> None:
    found = tiny(tmp_path)
    assert found.photos_fingerprint == "6a1ce18d045c4bd1cfc4a95e1b88449b2d01243e9741bb2995e4d53aad260890"
    assert found.captions_fingerprint == "6955b100f2cc261032109fb56296f3eaae885d0becf3e148d491805b45c0ba8b"
    assert found.fingerprint == "e9ce63089a9aace67a23e883e838a7cb9146195874e6eabce2c8fec62ca1c97e"
    assert found.masks_fingerprint == ""
    # Where splits come from, and what was skipped, are not part of the content.
    assert replace(found, splits_from="splits.json").fingerprint == found.fingerprint
    assert keep_photos(found, range(4)).fingerprint == found.fingerprint


def test_fingerprints_of_masks(tmp_path: Path) -> None:
    found = masked(tmp_path)
    assert found.masks_fingerprint == "d832a158c6568de0ef1634cd49bf40ac5df423a8cefc7968468e759d20c2d34e"
    assert found.fingerprint == "12ce7ed702562dd28e161db018baa46df00e6c5741413445b8ac3480f363c63b"


def test_fingerprints_of_a_folder_and_its_made_splits(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for n in range(12):
        (folder / "images" / f"p{n}.jpg").write_bytes(b"photo %d" % n)
        (folder / "masks" / f"p{n}.png").write_bytes(b"mask %d" % n)
    captions = "".join(f"p{n}.jpg,text {n} {k}\n" for n in range(12) for k in range(2))
    (folder / "captions.csv").write_text(f"image,caption\n{captions}")
    (folder / "pairs.csv").write_text(
        "image,text,mask\n" + "".join(f"p{n}.jpg,word {n % 3},p{n}.png\n" for n in range(12))
    )
    made = open_collection(folder)
    assert made.splits == {"train": (0, 1, 3, 5, 8, 9, 11), "val": (4, 10), "test": (2, 6, 7)}
    assert made.fingerprint == "220e642502ea55026b836d8664a5af0cbb28f39851ae6b3e0252673fb9afdfbd"
    other = open_collection(folder, seed=1, val_frac=0.2, test_frac=0)
    assert other.fingerprint == "05f3a1211a89c8d3df7a428735d54f95291f7f9765cb61bce74fc856ac813215"
    masks = open_collection(f"{folder}#polarity=background")
    assert masks.fingerprint == "79f1433226e8988e27d965a4dc659563911f449cc24be386f1ea2e174fda1c6e"
    splits = {"train": [f"p{n}.jpg" for n in range(8)], "val": [f"p{n}.jpg" for n in range(8, 12)]}
    (folder / "splits.json").write_text(json.dumps(splits))
    given = open_collection(folder)
    assert given.fingerprint == "3f3660b4032f1d605c7d5755cb84603907c4b683966ed6e741472a99368c391c"


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("scenes:12", "0a6630771c9c55c3c490379241c4a1253f5bdd51d1bc990cd758c49aab41cd6f"),
        ("scenes-masks:40", "220dc760ae38393f2333efbe2205c262f7afee7469d02aad070ddf0f318bc705"),
    ],
)
def test_fingerprints_of_scenes(where: str, wanted: str) -> None:
    assert open_collection(where).fingerprint == wanted


def test_a_store_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "tokens" / "42328d664b611f242aecdb5b9b2295b0"
    folder.mkdir(parents=True)
    for name, content in STORE.items():
        (folder / name).write_bytes(base64.b64decode(content))
    store = open_store(tmp_path, KEY)
    assert store is not None
    tokens = store.take(torch.tensor([3, 1, 0]))
    assert tokens.values.tolist() == [
        [[17.0, 0.5], [0.0, 0.0]],
        [[1.0, 0.5], [0.0, 0.0]],
        [[0.0, 0.5], [1.0, -1.0]],
    ]
    assert tokens.valid.tolist() == [[True, False], [True, False], [True, True]]
    assert tokens.pooled is not None
    assert tokens.pooled.tolist() == [[17.0, 0.5], [1.0, 0.5], [0.0, 0.5]]


def test_a_store_is_built_under_the_same_key(tmp_path: Path) -> None:
    def encode(items: list[int]) -> Tokens:
        return Tokens(torch.zeros(len(items), 1, 2), torch.ones(len(items), 1, dtype=torch.bool))

    assert build_store(tmp_path, KEY, range(2), encode).path.name == "42328d664b611f242aecdb5b9b2295b0"


def test_identities_of_encoders() -> None:
    weights = "sha256=9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    assert image_parts("cnn_small", {}).identity == "cnn_small size_px=64 width=128 stride=8 blocks=1"
    assert image_parts("vit_small", {}).identity == "vit_small size_px=64 patch=8 width=192 depth=4 heads=4"
    whole = image_parts("efficientnet_lite2", {})
    assert whole.identity == f"efficientnet_lite2 blocks=21/21 size_px=256 fit=crop {weights}"
    assert repr(whole.input) == (
        "ImageSpec(size_px=256, mean=(0.4980392156862745, 0.4980392156862745, 0.4980392156862745), "
        "std=(0.5019607843137255, 0.5019607843137255, 0.5019607843137255), resample='bicubic', fit='crop')"
    )
    cut = image_parts("efficientnet_lite2", {"levels": [16]}, trainable=2)
    assert cut.identity == f"efficientnet_lite2 blocks=19/21 size_px=256 fit=crop levels=16 {weights}"
    words = WordInput.from_texts(["a b", "a b"])
    given = {"max_tokens": 48, "trainable": 0, "text_input": words}
    assert text_parts("words", {}, **given).identity == (  # type: ignore[arg-type]
        "words vocabulary_size=6 width=256 embedding_width=256 layers=1"
    )
    assert text_parts("words_transformer", {}, **given).identity == (  # type: ignore[arg-type]
        "words_transformer vocabulary_size=6 width=256 depth=2 heads=4"
    )
    minilm = text_parts("minilm", {}, max_tokens=48, trainable=1).identity
    assert minilm == (
        "minilm layers=5/6 max_tokens=48 sha256=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )
