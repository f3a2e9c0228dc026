"""Finding hub models: the local cache first, a refusal within a second, and broken packages by name."""

from __future__ import annotations

import socket
import sys
import time
import types
from pathlib import Path

import pytest

from plait.core.errors import ConfigError, MissingPackageError, OfflineError
from plait.encoders.hub import folder as hub
from plait.encoders.hub.text import hub_text

pytest.importorskip("huggingface_hub")


def test_hub_cache_is_looked_into_first(tmp_path: Path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "create_connection", None)  # any use of the network would raise
    model = tmp_path / "models--some--model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc\n")
    folder = model / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(OfflineError, match="hub:some/model is not in"):  # half a model is none
        hub.find_folder("some/model")
    (folder / "model.safetensors").write_bytes(b"")
    assert hub.find_folder("some/model") == folder


@pytest.mark.parametrize("network", ["refuses", "hangs"])
def test_without_network_it_fails_within_a_second(tmp_path, monkeypatch, network):
    from huggingface_hub import constants

    def connect(*_args, **_options):
        if network == "hangs":
            time.sleep(3)
        raise OSError("no route")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", connect)
    start = time.perf_counter()
    with pytest.raises(OfflineError, match=r"cannot be reached: connect, or download it .*minilm"):
        hub_text(name="some/model")
    assert time.perf_counter() - start < 1.0


def test_a_proxy_must_answer_for_the_hub(tmp_path, monkeypatch):
    from huggingface_hub import constants

    asked = []

    def refuse(request, timeout):
        asked.append((request.get_method(), timeout))
        raise OSError("bad gateway")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": "http://proxy.invalid:1"})
    monkeypatch.setattr(hub, "urlopen", refuse)
    with pytest.raises(OfflineError, match=r"https://hub.invalid cannot be reached"):
        hub.find_folder("some/model")
    assert asked == [("HEAD", hub.PROBE_S)]


def test_told_to_stay_offline_it_asks_nobody(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_reachable", None)
    with pytest.raises(OfflineError, match="HF_HUB_OFFLINE is set: unset it, or download"):
        hub.find_folder("some/model")


def test_a_failed_download_names_the_reason(tmp_path, monkeypatch):
    import huggingface_hub

    def fail(name, **_options):
        raise ValueError("404 no such model\nlong story")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.setattr(hub, "_reachable", lambda endpoint: True)
    with pytest.raises(OfflineError, match=r"could not be downloaded .*\(404 no such model\): check the name"):
        hub.find_folder("some/model")


def test_missing_and_broken_packages_are_named(monkeypatch):
    real = hub.find_spec
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"need the package transformers: run `pip install plait\[hub\]`"):
        hub.transformers_class("AutoModel")
    with pytest.raises(MissingPackageError, match="need the package huggingface_hub"):
        hub.find_folder("some/model")
    monkeypatch.setattr(hub, "find_spec", real)
    with pytest.raises(ConfigError, match="the installed transformers has no NoSuchModel"):
        hub.transformers_class("NoSuchModel")


def test_a_broken_torchvision_is_named(monkeypatch):
    class Broken(types.ModuleType):
        def __getattr__(self, name):
            raise RuntimeError("Could not import module")

    def load(name):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return sys.modules[name]

    monkeypatch.setitem(sys.modules, "transformers", Broken("transformers"))
    monkeypatch.setattr(hub, "import_module", load)
    monkeypatch.setattr(hub, "find_spec", lambda name: object())
    with pytest.raises(MissingPackageError, match=r"torchvision is broken .*nms does.*pip uninstall torchvision"):
        hub.transformers_class("BertModel")
    monkeypatch.setattr(hub, "find_spec", lambda name: object() if name == "transformers" else None)
    with pytest.raises(MissingPackageError, match=r"transformers cannot be imported .*--force-reinstall"):
        hub.transformers_class("BertModel")
