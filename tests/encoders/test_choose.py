"""Names and options to encoders: the tables, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from plait.core.errors import ConfigError, UnknownNameError
from plait.core.tables import load_entry
from plait.encoders import ADAPTERS, IMAGE_ENCODERS, TEXT_ENCODERS
from plait.encoders.choose import adapter, image_parts, needs_text_input, text_parts


class SevenWords:
    vocabulary = range(7)

    def __call__(self, texts):
        ids = torch.tensor([[1, 5, 2]] * len(texts))
        return ids, ids > 0

    def pieces(self, text):
        return ["<start>", text, "<end>"]


@pytest.mark.parametrize("entry", [*TEXT_ENCODERS.values(), *IMAGE_ENCODERS.values(), *ADAPTERS.values()])
def test_every_name_leads_somewhere(entry):
    assert callable(load_entry(entry))
    assert entry.summary
    assert entry.paper


def test_the_tables_cost_no_torch():
    code = "import sys, plait.encoders; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_towers_get_their_options_and_vocabulary():
    parts = text_parts("words", {"width": 8}, max_tokens=10, trainable=0, text_input=SevenWords())
    assert parts.width == 8
    assert parts.trained.embedding.num_embeddings == 7
    parts = image_parts("cnn_small", {"width": 32, "stride": 16}, size_px=48, fit="crop")
    assert (parts.width, parts.input.size_px, parts.input.fit) == (32, 48, "crop")
    assert image_parts("vit_small", {}).input.size_px == 64
    assert needs_text_input("words")
    assert needs_text_input("words_transformer")
    assert not needs_text_input("minilm")
    assert not needs_text_input("hub:some/model")


def test_adapters_by_name():
    module = adapter("transformer", {"layers": 2}, width_in=8, width=16, pooled_width_in=None, modality="image")
    assert len(module.blocks) == 2
    assert module.sides.positions
    with pytest.raises(ConfigError, match="adapter 'linear' has no option 'layers'"):
        adapter("linear", {"layers": 2}, width_in=8, width=16, pooled_width_in=None, modality="image")
    with pytest.raises(ConfigError, match="'width' is not an option"):
        adapter("linear", {"width": 2}, width_in=8, width=16, pooled_width_in=None, modality="image")
    with pytest.raises(UnknownNameError, match="unknown adapter 'linaer'; did you mean 'linear'"):
        adapter("linaer", {}, width_in=8, width=16, pooled_width_in=None, modality="image")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: text_parts("minilmm", {}, max_tokens=9, trainable=0), "unknown text encoder 'minilmm'.*'minilm'"),
        (lambda: image_parts("hub", {}), "image encoder 'hub': expected hub:NAME or hub:FOLDER"),
        (lambda: image_parts("vit_small:x", {}), "expected 'vit_small' without ':x'; only 'hub' takes a name"),
        (lambda: image_parts("vit_small", {"pach": 4}), "has no option 'pach'; did you mean 'patch'"),
        (lambda: image_parts("vit_small", {"size_px": 4}), "'size_px' is not an option"),
        (lambda: image_parts("vit_small", {}, fit="zoom"), "image.fit: expected 'squash', 'crop', 'pad'.*got 'zoom'"),
        (lambda: image_parts("vit_small", {}, trainable=2), "image.trainable: expected 0, since 'vit_small' is"),
        (lambda: text_parts("words", {}, max_tokens=9, trainable=0), "'words': expected a text_input.*got none"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ConfigError, match=message):
        call()
