"""Captioners that others trained, from the transformers hub or a folder: BLIP, and ViT-GPT2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.core.errors import CheckpointError, ConfigError
from plait.core.recipe.ranges import Range, checked_number
from plait.core.types import ImageSpec
from plait.data.batch import PixelSource, load_pixels
from plait.data.given import Images, image_list
from plait.encoders.hub.folder import find_folder, read_json, transformers_class
from plait.encoders.hub.image import read_image_spec
from plait.nn.devices import resolve_device
from plait.tasks.caption.assemble import BEAM_RANGE
from plait.tasks.caption.files import caption_rows, in_parts
from plait.tasks.caption.result import CaptionResult, CaptionRow
from plait.train.events import Listener, silent

__all__ = ["PretrainedCaptioner", "pretrained_captioner"]

# model_type of config.json -> class of transformers, and whether a caption can be begun with given words
_KINDS = {
    "blip": ("BlipForConditionalGeneration", True),
    "vision-encoder-decoder": ("VisionEncoderDecoderModel", False),
}
_WORDS = Range(1, 500)


class PretrainedCaptioner:
    """A captioner of the hub, ready for use. It was trained on other data: its captions are no result of a recipe.

    Arguments:
        name:      as it was asked for
        model:     of transformers, in eval mode
        tokenizer: its own
        spec:      how it reads images
        prompted:  whether a caption can be begun with given words (BLIP can)
    """

    def __init__(self, name: str, model: Any, tokenizer: Any, spec: ImageSpec, *, prompted: bool) -> None:
        self.name, self.model, self.tokenizer, self.spec, self.prompted = name, model, tokenizer, spec, prompted

    def __repr__(self) -> str:
        """Say in one line what it is."""
        return f"PretrainedCaptioner({self.name!r}: {type(self.model).__name__})"

    def caption(self, images: Images, *, prompt: str = "", beam: int = 3, max_words: int = 30) -> CaptionResult:
        """Write a sentence about each image.

        Arguments:
            prompt:    words that every caption begins with, "a photo of"; "" = none
            beam:      captions kept during the search; 1 = the most probable piece at each place
            max_words: word pieces at most, those of the prompt not counted
        Returns: captions and log-probabilities of what was written after the prompt; no maps.
        Raises:
            InputError: no image, or one that cannot be read.
            ConfigError: an option out of its range, or a prompt for a model that takes none.
        """
        write = self._write(prompt, beam, max_words)
        photos = image_list(images)
        written = write(load_pixels(PixelSource(photos, self.spec), torch.arange(len(photos))))
        return CaptionResult(
            captions=tuple(text for text, _ in written),
            log_probs=np.array([log_prob for _, log_prob in written], dtype=np.float32),
            words=tuple(tuple(text.split()) for text, _ in written),
            maps=(None,) * len(written),
            images=tuple(photo.id for photo in photos),
        )

    def caption_files(
        self,
        paths: Sequence[str | Path],
        *,
        prompt: str = "",
        beam: int = 3,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[CaptionRow]:
        """Write a sentence about each file, and say why of those that cannot be read. Raises as `caption`."""
        return caption_rows(paths, self.spec, self._write(prompt, beam, 30), progress=progress)

    def _write(self, prompt: str, beam: int, max_words: int) -> Callable[[Tensor], list[tuple[str, float]]]:
        options = {
            "num_beams": checked_number(beam, "caption, beam", BEAM_RANGE),
            "max_new_tokens": checked_number(max_words, "caption, max_words", _WORDS),
        }
        if prompt and not self.prompted:
            raise ConfigError(
                f"{self.name}: a {type(self.model).__name__} takes no prompt; leave it out, or use a BLIP model"
            )

        def write(pixels: Tensor) -> list[tuple[str, float]]:
            found: list[tuple[str, float]] = []
            for part in in_parts(pixels, self.model.device):
                found += self._generated(part, prompt.strip(), options)
            return found

        return write

    @torch.no_grad()
    def _generated(self, pixels: Tensor, prompt: str, options: dict[str, int]) -> list[tuple[str, float]]:
        given: dict[str, Any] = {}
        if prompt:
            ids = self.tokenizer(prompt, return_tensors="pt").input_ids.to(pixels.device).expand(len(pixels), -1)
            given = {"input_ids": ids.clone(), "attention_mask": torch.ones_like(ids)}
        # Without a length penalty a beam's score is the log-probability itself.
        penalty = {"length_penalty": 0.0} if options["num_beams"] > 1 else {}
        out = self.model.generate(
            pixel_values=pixels,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **given,
            **options,
            **penalty,
        )
        texts = self.tokenizer.batch_decode(out.sequences, skip_special_tokens=True)
        scores = out.sequences_scores if options["num_beams"] > 1 else self._greedy_scores(out)
        return [(" ".join(text.split()), float(score)) for text, score in zip(texts, scores, strict=True)]

    def _greedy_scores(self, out: Any) -> Tensor:
        """Sum the log-probabilities of the chosen pieces up to the end: (N,)."""
        chosen = out.sequences[:, -len(out.scores) :]
        log_probs = torch.stack(out.scores, 1).float().log_softmax(-1).gather(2, chosen[..., None]).squeeze(2)
        ends = torch.as_tensor(_ends(self.model), device=chosen.device)
        ended = torch.isin(chosen, ends).long().cumsum(1)
        before = torch.cat([torch.zeros_like(ended[:, :1]), ended[:, :-1]], 1) > 0
        return log_probs.masked_fill(before, 0.0).sum(1)


def pretrained_captioner(
    api: Any, name: str, *, device: str = "auto", listener: Listener = silent
) -> PretrainedCaptioner:
    """Open a captioner of the hub, its local cache or a folder: BLIP or ViT-GPT2.

    Arguments:
        name: "Salesforce/blip-image-captioning-base", a folder, or either after "hub:"
    Raises:
        OfflineError: it is not on this machine and the hub cannot be reached.
        MissingPackageError: transformers is missing or broken.
        ConfigError: a model of another kind.
        CheckpointError: no safetensors, weights that are missing, or nothing on how images are prepared.
    """
    folder = find_folder(name.removeprefix("hub:"))
    kind = str(read_json(folder / "config.json").get("model_type", ""))
    if kind not in _KINDS:
        raise ConfigError(
            f"{name}: expected a captioner of kind {' or '.join(_KINDS)}, got {kind or 'none'!r}; for image encoders "
            "see image.encoder of a recipe"
        )
    wanted, prompted = _KINDS[kind]
    spec = read_image_spec(folder, size_px=0, fit="")
    try:
        model, info = transformers_class(wanted).from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, local_files_only=True
        )
        tokenizer = transformers_class("AutoTokenizer").from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{name}: cannot be read: {error}; expected model.safetensors and a tokenizer") from error
    if missing := sorted(info["missing_keys"]):
        raise CheckpointError(f"{name}: weights are missing: {', '.join(missing[:3])}; download the model again")
    placed = model.eval().to(resolve_device(device))
    return PretrainedCaptioner(name, placed, tokenizer, spec, prompted=prompted)


def _ends(model: Any) -> list[int]:
    """Give the numbers of the pieces that end a caption."""
    own = getattr(model.config, "text_config", None)
    found = [model.generation_config.eos_token_id, None if own is None else own.sep_token_id]
    flat = [one for part in found for one in (part if isinstance(part, list) else [part])]
    return [one for one in flat if one is not None]
