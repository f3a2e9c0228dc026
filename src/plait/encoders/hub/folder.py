"""Model folders of the hub or of the local disk: found quickly, or refused with advice."""

from __future__ import annotations

import hashlib
import json
import socket
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, urlopen

from plait.core.errors import CheckpointError, ConfigError, MissingPackageError, OfflineError
from plait.encoders.packaged import file_sha256

__all__ = ["find_folder", "folder_identity", "read_json", "transformers_class", "weight_files"]

PROBE_S = 0.6
WANTED = ["*.json", "*.txt", "*.safetensors", "*.model"]
INPUT_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt")


def transformers_class(name: str) -> Any:
    """Import one class of transformers.

    Raises:
        MissingPackageError: transformers is missing, or cannot be imported, most often for a torchvision that does
            not fit torch.
        ConfigError: the installed version has no such class.
    """
    if find_spec("transformers") is None:
        raise MissingPackageError("hub encoders need the package transformers: run `pip install plait[hub]`")
    try:
        return getattr(import_module("transformers"), name)
    except AttributeError:
        raise ConfigError(f"the installed transformers has no {name}; run `pip install -U plait[hub]`") from None
    except (ImportError, RuntimeError) as error:
        raise MissingPackageError(_import_advice(error)) from error


def _import_advice(error: Exception) -> str:
    if find_spec("torchvision") is not None:
        try:
            import_module("torchvision")
        except Exception as broken:  # for whatever reason, this package is the cause to name
            return (
                f"transformers cannot be imported because the installed torchvision is broken ({broken}): it was built "
                "for another torch. Run `pip uninstall torchvision`; Plait does not need it"
            )
    return f"transformers cannot be imported ({error}); run `pip install --force-reinstall plait[hub]`"


def find_folder(name: str) -> Path:
    """Find the folder of a model: a local folder, the local cache of the hub, or a download.

    The cache is searched before the network is used, and a download is tried only after a probe of at most 0.6 s has
    reached the hub: the hub's own client retries for half a minute.

    Arguments:
        name: a folder's path, or a model's name on the hub
    Raises:
        OfflineError: the model is not on this machine, and the hub cannot be reached or has no such model.
        ConfigError: a path that does not exist.
        CheckpointError: a folder without config.json.
        MissingPackageError: the hub's client is not installed.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if folder.is_dir():
        raise CheckpointError(
            f"hub:{name}: expected a folder with config.json and model.safetensors, got no config.json"
        )
    if name.startswith((".", "/", "~")):
        raise ConfigError(f"hub:{name}: expected a model's folder, got no such folder; correct the path")
    if find_spec("huggingface_hub") is None:
        raise MissingPackageError("hub encoders need the package huggingface_hub: run `pip install plait[hub]`")
    from huggingface_hub import constants

    cached = _cached(name, Path(constants.HF_HUB_CACHE))
    if cached is not None:
        return cached
    advice = (
        f"download it where there is a network (`hf download {name}`) and name its folder, hub:/path/to/folder; "
        "or use a packaged encoder (text: minilm, image: efficientnet_lite2)"
    )
    if constants.HF_HUB_OFFLINE:
        raise OfflineError(
            f"hub:{name} is not in {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE is set: unset it, or {advice}"
        )
    if not _reachable(constants.ENDPOINT):
        raise OfflineError(
            f"hub:{name} is not in {constants.HF_HUB_CACHE}, and {constants.ENDPOINT} cannot be reached: connect, "
            f"or {advice}"
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=WANTED))
    except Exception as error:  # of the client, the network or the disk: for the user they are the same
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise OfflineError(
            f"hub:{name} could not be downloaded from {constants.ENDPOINT} ({first}): check the name, or {advice}"
        ) from error


def _cached(name: str, cache: Path) -> Path | None:
    """Find a complete model in the hub's local cache by its documented layout; importing the client takes longer."""
    model = cache / ("models--" + name.replace("/", "--"))
    with suppress(OSError):
        snapshot = model / "snapshots" / (model / "refs" / "main").read_text(encoding="utf-8").strip()
        if (snapshot / "config.json").is_file() and _listed_weights(snapshot):
            return snapshot
    return None


def _reachable(endpoint: str) -> bool:
    """Tell whether the hub answers within `PROBE_S`. A thread, because a host name's look-up has no time limit."""
    answers: list[bool] = []

    def probe() -> None:
        with suppress(OSError):
            parts = urlsplit(endpoint)
            if parts.scheme in getproxies():
                # A proxy always accepts the connection; only an answer through it counts.
                with urlopen(Request(endpoint, method="HEAD"), timeout=PROBE_S):
                    answers.append(True)
            else:
                port = parts.port or (443 if parts.scheme == "https" else 80)
                with socket.create_connection((parts.hostname or "", port), timeout=PROBE_S):
                    answers.append(True)

    thread = Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_S)
    return bool(answers)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file of a model's folder.

    Raises:
        CheckpointError: the file is missing or holds no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: expected a JSON file, got: {error}; download the model again") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {type(data).__name__}; download the model again")
    return data


def _listed_weights(folder: Path) -> list[Path]:
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    names = sorted(set(read_json(index).get("weight_map", {}).values()))
    files = [folder / name for name in names]
    return files if all(file.is_file() for file in files) else []


def weight_files(folder: Path) -> list[Path]:
    """Give the safetensors files of a model's folder.

    Raises:
        CheckpointError: there are none, or some of those that the index names are missing.
    """
    files = _listed_weights(folder)
    if not files:
        raise CheckpointError(
            f"{folder}: expected model.safetensors (or all files of its index), got none; other formats can run code "
            "when read and are refused: convert the model with its `save_pretrained`"
        )
    return files


def folder_identity(folder: Path) -> str:
    """Give the SHA-256 of a model's weights and, shortened, of the files that define its input.

    Two folders with equal files have equal identities, wherever they are.
    """
    files = weight_files(folder)
    digests = [file_sha256(file) for file in files]
    weights = digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    inputs = [f"{name} {file_sha256(folder / name)}" for name in INPUT_FILES if (folder / name).is_file()]
    return f"sha256={weights} inputs={hashlib.sha256(' '.join(inputs).encode()).hexdigest()[:16]}"
