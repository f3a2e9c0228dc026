"""Captioners of the hub over small checkpoints written here: what transformers itself generates, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import plait
from plait.cli import main
from plait.core.errors import CheckpointError, ConfigError
from plait.data.images import read_pixels
from plait.encoders.hub.image import read_image_spec

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[DEC]", "a", "photo", "of", "dog", "cat", "snow", "runs", "red", "blue"]
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def write_inputs(folder: Path) -> None:
    """Write a tokeniser and how images are prepared."""
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.add_special_tokens({"bos_token": "[DEC]"})
    fast.save_pretrained(folder)
    spec = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(spec), encoding="utf-8")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("hub")
    text = {**SMALL, "vocab_size": len(WORDS), "encoder_hidden_size": 16, "max_position_embeddings": 64}
    ends = {"bos_token_id": 4, "pad_token_id": 0, "eos_token_id": 3, "sep_token_id": 3}
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    blip = transformers.BlipForConditionalGeneration(
        transformers.BlipConfig(text_config={**text, **ends}, vision_config=vision, projection_dim=16)
    )
    decoder = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=len(WORDS), n_embd=16, n_layer=1, n_head=2, n_positions=64, add_cross_attention=True
        )
    )
    gpt2 = transformers.VisionEncoderDecoderModel(
        encoder=transformers.ViTModel(transformers.ViTConfig(**vision)), decoder=decoder
    )
    for config in (gpt2.config, gpt2.generation_config):
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 4, 0, 3
    made = {"blip": blip, "gpt2": gpt2}
    for name, model in made.items():
        for parameter in model.parameters():  # far from even, so that captions differ
            parameter.data.mul_(3)
        model.save_pretrained(root / name)
        write_inputs(root / name)
    return {name: root / name for name in made}


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    random, found = np.random.default_rng(0), []
    for number in range(3):
        found.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(found[-1])
    return found


def theirs(folder: Path, kind: str, photos: list[Path], **options: Any) -> Any:
    model = getattr(transformers, kind).from_pretrained(folder).eval()
    spec = read_image_spec(folder, size_px=0, fit="")
    pixels = torch.stack([read_pixels(path, spec) for path in photos])
    return model.generate(pixel_values=pixels, do_sample=False, max_new_tokens=30, **options)


KINDS = pytest.mark.parametrize(
    ("name", "kind"), [("blip", "BlipForConditionalGeneration"), ("gpt2", "VisionEncoderDecoderModel")]
)


@KINDS
@pytest.mark.parametrize("beam", [1, 3])
def test_captions_are_those_of_transformers(
    folders: dict[str, Path], photos: list[Path], name: str, kind: str, beam: int
) -> None:
    model = plait.pretrained_captioner(f"hub:{folders[name]}", device="cpu")
    found = model.caption(photos, beam=beam)
    penalty = {"length_penalty": 0.0} if beam > 1 else {}
    ids = theirs(folders[name], kind, photos, num_beams=beam, **penalty)
    expected = model.tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert list(found.captions) == [" ".join(text.split()) for text in expected]
    assert found.maps == (None, None, None)
    assert bool((found.log_probs < 0).all())
    alone = model.caption(photos[1], beam=beam)
    assert alone.captions[0] == found.captions[1]
    assert float(alone.log_probs[0]) == pytest.approx(float(found.log_probs[1]), abs=1e-3)


def test_log_probabilities_of_one_beam_and_of_none_are_of_one_kind(
    folders: dict[str, Path], photos: list[Path]
) -> None:
    model = plait.pretrained_captioner(str(folders["blip"]), device="cpu")
    greedy, wide = (model.caption(photos, beam=beam) for beam in (1, 6))
    same = [n for n in range(3) if greedy.captions[n] == wide.captions[n]]
    assert all(wide.log_probs[n] == pytest.approx(greedy.log_probs[n], abs=1e-3) for n in same)
    assert bool((wide.log_probs >= greedy.log_probs - 1e-3).all())


def test_a_prompt_begins_each_caption_of_blip_alone(folders: dict[str, Path], photos: list[Path]) -> None:
    model = plait.pretrained_captioner(str(folders["blip"]), device="cpu")
    prompted = model.caption(photos, prompt="a photo of", beam=2).captions
    assert all(caption.startswith("a photo of") for caption in prompted)
    other = plait.pretrained_captioner(str(folders["gpt2"]), device="cpu")
    with pytest.raises(ConfigError, match="takes no prompt"):
        other.caption(photos, prompt="a photo of")
    with pytest.raises(ConfigError, match="beam"):
        model.caption(photos, beam=0)


def test_the_command_takes_a_model_in_place_of_a_run(
    folders: dict[str, Path], photos: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    photos[1].write_bytes(b"no image")
    words = ["caption", *map(str, photos), "--model", f"hub:{folders['blip']}", "--prompt", "a photo of", "--json"]
    assert main(words) == 1
    rows = json.loads(capsys.readouterr().out)["captions"]
    assert [bool(row["reason"]) for row in rows] == [False, True, False]
    assert rows[0]["caption"].startswith("a photo of")
    assert main(["caption", str(photos[0])]) == 2
    assert main(["caption", str(photos[0]), "--run", "x", "--model", "y"]) == 2


def test_other_models_and_damaged_ones_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        plait.pretrained_captioner(str(tmp_path / "gone"))
    for name in ("kind", "bare"):
        (tmp_path / name).mkdir()
        for path in folders["blip"].iterdir():
            if path.name != "model.safetensors":
                (tmp_path / name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "kind" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a captioner of kind blip"):
        plait.pretrained_captioner(str(tmp_path / "kind"))
    with pytest.raises(CheckpointError, match=r"expected model\.safetensors"):
        plait.pretrained_captioner(str(tmp_path / "bare"))
