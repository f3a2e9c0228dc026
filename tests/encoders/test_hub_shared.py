"""CLIP's shared space through the hub: words, patches and sentences where their cosines mean something."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from plait.core.errors import ConfigError
from plait.core.types import Tokens
from plait.encoders.adapters import NoAdapter
from plait.encoders.choose import adapter, image_parts, text_parts
from plait.encoders.hub.image import hub_image
from plait.encoders.hub.text import hub_text
from plait.fusion.two_tower.clip_dense import ClipDenseFusion
from plait.heads.mask import SpatialDecoder
from tests.encoders.test_hub import CAPTIONS, write_model

transformers = pytest.importorskip("transformers")
JOINT = 8  # the projection's width in the small checkpoint


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model("clip", tmp_path_factory.mktemp("clip"))


def encoded(folder: Path) -> tuple[Tokens, Tokens, torch.Tensor, torch.Tensor, torch.Tensor]:
    text = text_parts(f"hub:{folder}", {"space": "shared"}, max_tokens=12, trainable=0)
    image = image_parts(f"hub:{folder}", {"space": "shared"})
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ids, valid = text.input(CAPTIONS)
    with torch.no_grad():
        return text.frozen(ids, valid), image.frozen(pixels), pixels, ids, valid


def test_pooled_vectors_are_those_that_clip_compares(clip: Path) -> None:
    words, patches, pixels, ids, valid = encoded(clip)
    whole = transformers.CLIPModel.from_pretrained(clip, local_files_only=True).eval()
    with torch.inference_mode():
        out = whole(input_ids=ids, attention_mask=valid.long(), pixel_values=pixels)
    torch.testing.assert_close(F.normalize(words.pooled, dim=-1), out.text_embeds, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(F.normalize(patches.pooled, dim=-1), out.image_embeds, atol=1e-5, rtol=1e-4)


def test_words_and_patches_go_the_way_of_the_pooled_vectors(clip: Path) -> None:
    words, patches, pixels, ids, valid = encoded(clip)
    whole = transformers.CLIPModel.from_pretrained(clip, local_files_only=True).eval()
    with torch.inference_mode():
        hidden = whole.vision_model(pixel_values=pixels).last_hidden_state
        expected = whole.visual_projection(whole.vision_model.post_layernorm(hidden))
        sentence = whole.text_model(input_ids=ids, attention_mask=valid.long()).last_hidden_state
    assert patches.grid == (4, 4)
    assert patches.values.shape == (2, 16, JOINT)
    torch.testing.assert_close(patches.values, expected[:, 1:], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(patches.pooled, expected[:, 0], atol=1e-5, rtol=1e-4)
    with torch.inference_mode():
        torch.testing.assert_close(words.values[valid], whole.text_projection(sentence)[valid], atol=1e-5, rtol=1e-4)
    assert words.valid.sum(1).tolist() == [4, 1]


def test_widths_and_identities(clip: Path) -> None:
    for make in (hub_text, hub_image):
        options = {"max_tokens": 12} if make is hub_text else {}
        own, shared = make(name=str(clip), **options), make(name=str(clip), space="shared", **options)
        assert (own.width, own.pooled_width) == (16, 16)
        assert (shared.width, shared.pooled_width) == (JOINT, JOINT)
        assert own.identity != shared.identity
        assert "shared" not in own.identity


def test_the_dense_baseline_from_end_to_end(clip: Path) -> None:
    """With no layers, the mask is a learned reading of nothing but the cosine of patch and sentence."""
    words, patches, *_ = encoded(clip)
    bring = [
        adapter("none", {}, width_in=JOINT, width=JOINT, pooled_width_in=JOINT, modality=m) for m in ("text", "image")
    ]
    text, image = bring[0](words), bring[1](patches)
    torch.manual_seed(0)
    fusion = ClipDenseFusion(JOINT, layers=0)
    fused = fusion(text, image).image
    cosine = F.cosine_similarity(image.values, words.pooled[:, None], dim=-1)
    read = (fused.values - fusion.offset) @ fusion.direction / fusion.direction.square().sum()
    torch.testing.assert_close(read, cosine, atol=1e-5, rtol=1e-4)
    assert fused.grid == (4, 4)
    decoded = SpatialDecoder(JOINT, channels=16)(ClipDenseFusion(JOINT, heads=2)(text, image))
    assert decoded.values.shape == (2, 16, 16)
    assert torch.isfinite(decoded.values).all()


def test_a_whole_tower_can_be_trained_in_the_shared_space(clip: Path) -> None:
    parts = hub_image(name=str(clip), trainable=-1, space="shared")
    parts.trained(torch.randn(1, 3, 32, 32)).values.sum().backward()
    assert parts.frozen is None
    assert parts.trained.model.visual_projection.weight.grad.abs().max() > 0


def test_no_adapter_passes_tokens_through() -> None:
    tokens = Tokens(torch.randn(2, 3, 8).half(), torch.ones(2, 3).bool(), pooled=torch.randn(2, 8).half())
    out = NoAdapter(8, width=8, pooled_width_in=8)(tokens)
    assert out.values.dtype == out.pooled.dtype == torch.float32
    assert torch.equal(out.values, tokens.values.float())
    assert NoAdapter(8, width=8)(Tokens(tokens.values, tokens.valid)).pooled is None


def test_refusals(clip: Path, tmp_path: Path) -> None:
    vit = write_model("vit", tmp_path / "vit")
    with pytest.raises(ConfigError, match=r"two towers that project to one space \(clip\).*got one of type 'vit'"):
        hub_image(name=str(vit), space="shared")
    with pytest.raises(ConfigError, match="encoder option space: expected 'own' or 'shared', got 'both'"):
        hub_text(name=str(clip), max_tokens=12, space="both")
    with pytest.raises(ConfigError, match=r"adapter 'none': expected fusion.width = 8, that of the image encoder's"):
        NoAdapter(8, width=16, modality="image")
    with pytest.raises(ConfigError, match=r"of its pooled vector \(20\), got 8"):
        NoAdapter(8, width=8, pooled_width_in=20)
