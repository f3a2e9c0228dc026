"""Hub encoders over small checkpoints written here: text, images, and refusals without network."""

from __future__ import annotations

import json
import shutil
import types
from pathlib import Path

import pytest
import torch

from plait.core.errors import CheckpointError, ConfigError, ShapeError
from plait.encoders.choose import image_parts, text_parts
from plait.encoders.hub import folder as hub
from plait.encoders.hub.image import HubImage, hub_image, read_image_spec
from plait.encoders.hub.text import HubTextInput, hub_text

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

CAPTIONS = ["a dog runs", "snow"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "dog", "run", "##s", "snow"]


def write_tokenizer(folder: Path) -> None:
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)


def write_processor(folder: Path, **changes) -> None:
    data = {
        "size": {"shortest_edge": 36},
        "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True,
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [0.4, 0.5, 0.6],
        "resample": 2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps({**data, **changes}))


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def write_model(kind: str, folder: Path) -> Path:
    torch.manual_seed(0)
    t = transformers
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    text = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 20}
    if kind == "bert":
        model = t.BertModel(t.BertConfig(**text))
    elif kind == "distilbert":
        model = t.DistilBertModel(
            t.DistilBertConfig(vocab_size=len(WORDS), dim=16, n_layers=2, n_heads=2, hidden_dim=32)
        )
    elif kind == "vit":
        model = t.ViTModel(t.ViTConfig(**vision), add_pooling_layer=False)
    elif kind == "resnet":
        config = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        model = t.ResNetModel(config)
    else:
        text |= {"eos_token_id": 3, "bos_token_id": 2, "pad_token_id": 0}
        model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    model.save_pretrained(folder)
    if kind in ("bert", "distilbert", "clip"):
        write_tokenizer(folder)
    if kind in ("vit", "resnet", "clip"):
        write_processor(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {
        kind: write_model(kind, tmp_path_factory.mktemp(kind))
        for kind in ("bert", "distilbert", "vit", "resnet", "clip")
    }


def loaded(name, folder):
    return getattr(transformers, name).from_pretrained(folder, local_files_only=True).eval()


def test_bert_equals_transformers_and_cuts(folders):
    parts = text_parts(f"hub:{folders['bert']}", {}, max_tokens=12, trainable=0)
    ids, valid = parts.input(CAPTIONS)
    assert parts.input.pieces(CAPTIONS[0]) == ["[CLS]", "a", "dog", "run", "##s", "[SEP]"]
    with torch.inference_mode():
        want = loaded("BertModel", folders["bert"])(input_ids=ids, attention_mask=valid.long()).last_hidden_state
        tokens = parts.frozen(ids, valid)
        cut = hub_text(name=str(folders["bert"]), max_tokens=12, trainable=1)
        again = cut.trained(cut.frozen(ids, valid))
        first = hub_text(name=str(folders["bert"]), pool="cls", max_tokens=12).frozen(ids, valid)
    assert (tokens.values - want)[valid].abs().max() < 1e-5
    assert torch.allclose(again.values[valid], want[valid], atol=1e-5)
    assert torch.allclose(first.pooled, want[:, 0], atol=1e-5)
    assert tokens.valid.sum(1).tolist() == [4, 1]
    weight = valid[..., None].float()
    assert torch.allclose(tokens.pooled, (want * weight).sum(1) / weight.sum(1), atol=1e-5)


def test_bert_reads_old_key_names(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders["bert"], tmp_path / "old")
    state = load_file(folders["bert"] / "model.safetensors")
    old = {
        "bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for key, value in state.items()
    }
    save_file({**old, "cls.predictions.bias": torch.zeros(3)}, tmp_path / "old" / "model.safetensors")
    ids, valid = torch.tensor([[2, 4, 3]]), torch.ones(1, 3, dtype=torch.bool)
    new, read = hub_text(name=str(folders["bert"]), max_tokens=9), hub_text(name=str(tmp_path / "old"), max_tokens=9)
    assert new.frozen(ids, valid).values.equal(read.frozen(ids, valid).values)
    assert new.identity != read.identity
    del old["bert.encoder.layer.1.output.dense.bias"]
    save_file(old, tmp_path / "old" / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"expected tensor 'encoder.layer.1.output.dense.bias' of shape \(16,\)"):
        hub_text(name=str(tmp_path / "old"), max_tokens=9)


def test_other_text_models_and_clip(folders):
    parts = hub_text(name=str(folders["distilbert"]), max_tokens=12)
    ids, valid = parts.input(CAPTIONS)
    assert parts.input.pieces("a dog") == ["[CLS]", "a", "dog", "[SEP]"]
    with torch.inference_mode():
        want = loaded("DistilBertModel", folders["distilbert"])(ids, valid.long()).last_hidden_state
        tokens = parts.frozen(ids, valid)
    assert torch.allclose(tokens.values[valid], want[valid], atol=1e-5)
    assert tokens.valid.sum(1).tolist() == [4, 1]
    assert parts.trained is None
    assert not any(p.requires_grad for p in parts.frozen.parameters())

    clip = hub_text(name=str(folders["clip"]), max_tokens=12, trainable=-1)
    assert clip.frozen is None
    with torch.inference_mode():
        out = loaded("CLIPTextModel", folders["clip"])(ids, valid.long())
        tokens = clip.trained(ids, valid)
    assert torch.allclose(tokens.values[valid], out.last_hidden_state[valid], atol=1e-5)
    assert torch.allclose(tokens.pooled, out.pooler_output, atol=1e-5)
    assert (clip.width, clip.pooled_width) == (16, 16)


def test_vit_and_clip_patches_leave_the_class_token_out(folders):
    x = torch.randn(2, 3, 32, 32)
    for kind, name in (("vit", "ViTModel"), ("clip", "CLIPVisionModel")):
        parts = hub_image(name=str(folders[kind]))
        with torch.inference_mode():
            out, tokens = loaded(name, folders[kind])(x), parts.frozen(x)
        assert tokens.grid == (4, 4)
        assert torch.allclose(tokens.values, out.last_hidden_state[:, 1:], atol=1e-5)
        pooled = out.pooler_output if kind == "clip" else out.last_hidden_state[:, 0]
        assert torch.allclose(tokens.pooled, pooled, atol=1e-5)
        assert (parts.width, parts.pooled_width) == (16, 16)
        whole = hub_image(name=str(folders[kind]), trainable=-1).trained
        whole(x).values.sum().backward()
        assert all(p.grad is not None for n, p in whole.named_parameters() if "post_layernorm" not in n)
        larger = image_parts(f"hub:{folders[kind]}", {}, size_px=48, fit="pad")
        assert larger.frozen(torch.randn(1, 3, 48, 48)).grid == (6, 6)
        assert larger.identity != parts.identity


def test_resnet_map_becomes_a_grid_row_by_row(folders):
    x = torch.randn(2, 3, 32, 32)
    parts = hub_image(name=str(folders["resnet"]))
    with torch.inference_mode():
        out, tokens = loaded("ResNetModel", folders["resnet"])(x), parts.frozen(x)
    height, width = out.last_hidden_state.shape[2:]
    assert tokens.grid == (height, width)
    assert torch.allclose(tokens.values[:, width + 1], out.last_hidden_state[:, :, 1, 1], atol=1e-5)
    assert torch.allclose(tokens.pooled, out.pooler_output.flatten(1), atol=1e-5)


def test_trained_resnet_keeps_its_statistics(folders):
    parts = hub_image(name=str(folders["resnet"]), trainable=-1)
    assert parts.frozen is None
    before = {k: v.clone() for k, v in parts.trained.state_dict().items() if "running" in k}
    parts.trained.train()
    parts.trained(torch.randn(2, 3, 32, 32)).values.sum().backward()
    assert before
    assert all(parts.trained.state_dict()[k].equal(v) for k, v in before.items())
    assert all(p.grad is not None for p in parts.trained.parameters())


def test_image_spec_comes_from_the_model(folders, tmp_path):
    spec = read_image_spec(folders["vit"], size_px=0, fit="")
    assert (spec.size_px, spec.mean, spec.std) == (32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (spec.resample, spec.fit) == ("bilinear", "crop")
    write_processor(tmp_path, do_center_crop=False, size={"height": 40, "width": 40}, resample=3)
    spec = read_image_spec(tmp_path, size_px=0, fit="")
    assert (spec.size_px, spec.resample, spec.fit) == (40, "bicubic", "squash")
    assert read_image_spec(tmp_path, size_px=8, fit="pad").size_px == 8
    write_processor(tmp_path, image_mean=[0.5])
    with pytest.raises(CheckpointError, match="expected a size and three numbers each for image_mean"):
        read_image_spec(tmp_path, size_px=0, fit="")
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"expected preprocessor_config.json.*got none"):
        read_image_spec(tmp_path, size_px=0, fit="")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: hub_text(name=str(f["bert"]), max_tokens=21), "text.max_tokens: expected at most 20"),
        (lambda f: hub_text(name=str(f["bert"]), max_tokens=2), "text.max_tokens: expected at least 3, got 2"),
        (lambda f: hub_text(name=str(f["bert"]), max_tokens=9, pool="max"), "text.options.pool: expected 'mean'"),
        (lambda f: hub_text(name=str(f["bert"]), max_tokens=9, pool="pooler"), "expected 'mean' or 'cls' for hub:"),
        (lambda f: hub_text(name=str(f["bert"]), max_tokens=9, trainable=3), "text.trainable: expected 0 to 2"),
        (lambda f: hub_text(name=str(f["clip"]), max_tokens=9, trainable=1), r"text.trainable: expected 0 \(froz"),
        (lambda f: hub_image(name=str(f["vit"]), trainable=1), r"image.trainable: expected 0 \(frozen\) or -1"),
        (lambda f: hub_image(name=str(f["vit"]), size_px=4), "expected an image encoder that takes 4 px"),
        (lambda f: hub_text(name="./no/such/folder"), "expected a model's folder, got no such folder"),
    ],
)
def test_refusals(folders, call, message):
    with pytest.raises(ConfigError, match=message):
        call(folders)


def test_a_model_of_the_other_kind_is_refused(folders, tmp_path):
    shutil.copytree(folders["vit"], tmp_path / "vit")
    write_tokenizer(tmp_path / "vit")
    with pytest.raises(ConfigError, match="expected a text encoder, got a model that does not take text"):
        hub_text(name=str(tmp_path / "vit"))
    shutil.copytree(folders["distilbert"], tmp_path / "text")
    write_processor(tmp_path / "text")
    with pytest.raises(ConfigError, match="expected an image encoder that takes 32 px"):
        hub_image(name=str(tmp_path / "text"))
    with pytest.raises(ConfigError, match="expected a model with a pooler, got none"):
        hub_text(name=str(folders["distilbert"]), pool="pooler")


def test_damaged_folders_are_refused(folders, tmp_path):
    with pytest.raises(CheckpointError, match=r"got no config.json"):
        hub.find_folder(str(tmp_path))
    broken = tmp_path / "broken"
    shutil.copytree(folders["resnet"], broken)
    (broken / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(CheckpointError, match="expected a model of type 'resnet' that transformers can load"):
        hub_image(name=str(broken))
    bert = tmp_path / "bert"
    shutil.copytree(folders["bert"], bert)
    (bert / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(CheckpointError, match="expected safetensors, got"):
        hub_text(name=str(bert), max_tokens=9)
    (broken / "model.safetensors").unlink()
    (broken / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(CheckpointError, match=r"expected model.safetensors .*got none"):
        hub_image(name=str(broken))
    (broken / "config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="expected a JSON object, got list"):
        hub.read_json(broken / "config.json")
    (broken / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="expected a JSON file, got"):
        hub.read_json(broken / "config.json")


def test_missing_weights_are_never_random(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders["resnet"], tmp_path / "part")
    state = load_file(tmp_path / "part" / "model.safetensors")
    dropped = sorted(key for key in state if key.endswith("weight"))[0]
    del state[dropped]
    save_file(state, tmp_path / "part" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="which would be random; choose another"):
        hub_image(name=str(tmp_path / "part"))


def test_split_weights_are_read_by_their_index(folders, tmp_path):
    shutil.copytree(folders["vit"], tmp_path / "split")
    (tmp_path / "split" / "model.safetensors").rename(tmp_path / "split" / "a.safetensors")
    index = tmp_path / "split" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors"}}))
    assert [f.name for f in hub.weight_files(tmp_path / "split")] == ["a.safetensors"]
    index.write_text(json.dumps({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}))
    with pytest.raises(CheckpointError, match="or all files of its index"):
        hub.weight_files(tmp_path / "split")


def test_identity_follows_the_weights_and_not_the_place(folders, tmp_path):
    shutil.copytree(folders["vit"], tmp_path / "copy")
    assert hub_image(name=str(tmp_path / "copy")).identity == hub_image(name=str(folders["vit"])).identity
    before = hub.folder_identity(tmp_path / "copy")
    with (tmp_path / "copy" / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert hub.folder_identity(tmp_path / "copy") != before


def test_tokens_that_fit_no_grid_are_refused():
    class Odd(torch.nn.Module):
        def forward(self, pixel_values):
            return types.SimpleNamespace(last_hidden_state=torch.zeros(1, 7, 4), get=lambda key: None)

    with pytest.raises(ShapeError, match="expected image tokens on a grid, got 7"):
        HubImage(Odd(), patch_px=None, interpolate=False, trusts_pooler=False)(torch.zeros(1, 3, 8, 8))


def test_text_input_of_no_texts(folders):
    ids, valid = HubTextInput(folders["distilbert"], 9)([])
    assert ids.shape == valid.shape == (0, 0)
