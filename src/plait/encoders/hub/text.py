"""Text encoders of transformers: BERT of any size, CLIP's text tower, and others that give hidden states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from plait.core.errors import CheckpointError, ConfigError
from plait.core.types import EncoderParts, TextInput, Tokens
from plait.encoders.bert.network import BertConfig, Pool, cut_bert, load_bert
from plait.encoders.bert.pieces import WordPieceInput
from plait.encoders.hub.folder import find_folder, folder_identity, read_json, transformers_class, weight_files
from plait.nn.pooling import masked_mean

__all__ = ["HubText", "HubTextInput", "hub_text", "load_tower", "towers_of"]

# Models with two towers, and the class of the text side; every other type is left to AutoModel.
TEXT_TOWERS = {
    "clip": "CLIPTextModel",
    "clip_text_model": "CLIPTextModel",
    "siglip": "SiglipTextModel",
    "siglip_text_model": "SiglipTextModel",
}
# Those with a projection to the space that they share with images.
SHARED_TOWERS = {"clip": "CLIPTextModelWithProjection"}
PROJECTED = "WithProjection"  # how transformers names a tower with its projection
HubPool = Literal["", "mean", "cls", "pooler"]


class HubTextInput:
    """Split strings with a model's own tokeniser.

    Arguments:
        folder:     the model's folder
        max_tokens: most ids in a row, special tokens included
    """

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = transformers_class("AutoTokenizer").from_pretrained(folder, local_files_only=True)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        # Always on the right: all code here expects tokens to start at place 0.
        self._tokenizer.padding_side = self._tokenizer.truncation_side = "right"

    def __len__(self) -> int:
        return len(self._tokenizer)

    @property
    def special_ids(self) -> list[int]:
        """Give the ids of tokens that are not words: start, end, separator, class and padding."""
        t = self._tokenizer
        ids = {t.bos_token_id, t.eos_token_id, t.sep_token_id, t.cls_token_id, t.pad_token_id}
        return sorted(ids - {None})

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Give (B, T) int64 ids and (B, T) bool mask, padded to the longest of this call."""
        if not texts:
            return torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool)
        made = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        return made["input_ids"], made["attention_mask"].bool()

    def pieces(self, text: str) -> list[str]:
        """Give the printable piece behind each id of `__call__`, without the characters that mark spaces."""
        ids = self._tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        pieces = self._tokenizer.convert_ids_to_tokens(ids)
        return [piece.removesuffix("</w>").replace("Ġ", "").replace("▁", "") for piece in pieces]


class HubText(nn.Module):
    """A text model of transformers as an encoder.

    Arguments:
        model:       gives `last_hidden_state` for ids and a mask
        special_ids: tokens that are attended to but are not words
        pool:        "mean" over all real tokens, "cls" the first token, "pooler" the model's own
        shared:      the model has a `text_projection`; it projects words and `pooled` to the space of its images
    Shapes:
        ids:     (B, T) int64; valid: (B, T) bool, True = real
        returns: `Tokens` values (B, T, D), special tokens not valid, pooled (B, D')
    """

    special: Tensor

    def __init__(
        self,
        model: nn.Module,
        special_ids: Sequence[int],
        *,
        pool: Literal["mean", "cls", "pooler"],
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.pool = pool
        self.shared = shared
        self.register_buffer("special", torch.tensor(list(special_ids), dtype=torch.int64), persistent=False)

    def forward(self, ids: Tensor, valid: Tensor) -> Tokens:
        out = self.model(input_ids=ids, attention_mask=valid.to(torch.int64))
        values = out.last_hidden_state
        if self.shared:
            values = cast(Any, self.model).text_projection(values)
        if self.pool == "pooler":
            pooled = out.text_embeds if self.shared else out.get("pooler_output")
        else:
            pooled = values[:, 0] if self.pool == "cls" else masked_mean(values, valid)
        return Tokens(values, valid & ~torch.isin(ids, self.special), pooled=pooled)


def load_tower(folder: Path, towers: dict[str, str], *, needs_pooler: bool) -> nn.Module:
    """Load one tower of a checkpoint with transformers, from safetensors only, and check that no weight is random.

    Arguments:
        towers:       model type -> class, for those that AutoModel would load with both towers
        needs_pooler: a missing pooler is an error too; otherwise it is never read
    Raises:
        CheckpointError: the checkpoint lacks weights of the tower, or cannot be read.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type", "")
    loader = transformers_class(towers.get(kind, "AutoModel"))
    weight_files(folder)
    # The width of the shared space is outside both towers' settings; a tower alone would use its default.
    joint = {"projection_dim": config.get("projection_dim", 512)} if towers.get(kind, "").endswith(PROJECTED) else {}
    try:
        with _quiet():
            model, info = loader.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **joint,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: expected a model of type {kind!r} that transformers can load: {error}"
        ) from error
    missing = [key for key in info["missing_keys"] if needs_pooler or not key.startswith("pooler.")]
    if missing:
        shown = ", ".join(sorted(missing)[:3])
        raise CheckpointError(
            f"{folder}: expected every weight of {type(model).__name__}, got none for {len(missing)} ({shown}, ...), "
            "which would be random; choose another checkpoint of this model"
        )
    if any(key.startswith("pooler.") for key in info["missing_keys"]):
        model.pooler = None  # random, and it is never trained
    return cast(nn.Module, model)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the client's progress bars and reports; what matters in them is checked and raised here."""
    logging = transformers_class("logging")
    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


def towers_of(space: str, kind: str, name: str, *, own: dict[str, str], shared: dict[str, str]) -> dict[str, str]:
    """Give model type -> class for tokens of the tower's own space, or of the space both towers share.

    Raises:
        ConfigError: an unknown space, or a model without a projection to a shared one.
    """
    if space not in ("own", "shared"):
        raise ConfigError(f"encoder option space: expected 'own' or 'shared', got {space!r}")
    if space == "own":
        return own
    if kind not in shared:
        raise ConfigError(
            f"hub:{name}: expected a model of two towers that project to one space ({', '.join(shared)}) for space = "
            f"'shared', got one of type {kind!r}; leave space out"
        )
    return shared


def hub_text(
    *,
    name: str,
    max_tokens: int = 48,
    trainable: int = 0,
    pool: HubPool = "",
    space: Literal["own", "shared"] = "own",
) -> EncoderParts:
    """Build a text encoder from a model of the hub, its local cache or a folder.

    BERT is computed by `encoders.bert`, which saves the seconds that importing transformers takes and can be cut before
    its last layers; every other model is that of transformers, frozen or trained as a whole.

    Arguments:
        name:       a model's name on the hub ("bert-base-uncased"), or a folder
        max_tokens: longer texts are truncated to this, special tokens included
        trainable:  0 = frozen; for BERT, how many of its last layers are trained; -1 = everything (not BERT)
        pool:       "mean" over the tokens, "cls" the first token, "pooler" the model's own output (not BERT);
                    "" = "pooler" for models made of two towers, such as CLIP, else "mean"
        space:      "own" = the tower's last hidden states; "shared" = projected to the space of its images (CLIP)
    Raises:
        OfflineError: the model is not on this machine and the hub cannot be reached.
        MissingPackageError: transformers is missing or broken.
        CheckpointError: no safetensors, or weights are missing.
        ConfigError: the model is no text encoder, or a value is out of its range.
    """
    if pool not in ("", "mean", "cls", "pooler"):
        raise ConfigError(f"text.options.pool: expected 'mean', 'cls', 'pooler' or '', got {pool!r}")
    if max_tokens < 3:
        raise ConfigError(f"text.max_tokens: expected at least 3, got {max_tokens}")
    folder = find_folder(name)
    config = read_json(folder / "config.json")
    kind = config.get("model_type", "")
    limit = {**config, **(config.get("text_config") or {})}.get("max_position_embeddings", max_tokens)
    if max_tokens > limit:
        raise ConfigError(
            f"text.max_tokens: expected at most {limit}, the number of positions of hub:{name}, got {max_tokens}"
        )
    towers = towers_of(space, kind, name, own=TEXT_TOWERS, shared=SHARED_TOWERS)
    if kind == "bert" and config.get("hidden_act", "gelu") == "gelu":
        return _own_bert(folder, config, name=name, max_tokens=max_tokens, trainable=trainable, pool=pool)
    if trainable not in (0, -1):
        raise ConfigError(
            f"text.trainable: expected 0 (frozen) or -1 (everything) for hub:{name}, since a model of type {kind!r} is "
            f"not cut between its layers, got {trainable}"
        )
    chosen = pool or ("pooler" if kind in TEXT_TOWERS else "mean")
    text_input = HubTextInput(folder, max_tokens)
    model = load_tower(folder, towers, needs_pooler=chosen == "pooler")
    encoder = HubText(model, text_input.special_ids, pool=chosen, shared=space == "shared").eval()
    tokens = _try(encoder, text_input, name)
    cut = f"max_tokens={max_tokens} pool={chosen}{' space=shared' * (space == 'shared')}"
    identity = f"hub text {kind} all {cut} {folder_identity(folder)}"
    return _parts(encoder, tokens, text_input, identity, frozen=trainable == 0)


def _own_bert(
    folder: Path, config: dict[str, Any], *, name: str, max_tokens: int, trainable: int, pool: HubPool
) -> EncoderParts:
    if pool == "pooler":
        raise ConfigError(f"text.options.pool: expected 'mean' or 'cls' for hub:{name}, a BERT, got 'pooler'")
    state: dict[str, Tensor] = {}
    for file in weight_files(folder):
        try:
            state.update(load_file(file))
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{file}: expected safetensors, got: {error}; download the model again") from error
    model = load_bert(BertConfig.from_dict(config, str(folder / "config.json")), state, str(folder))
    chosen: Pool = "cls" if pool == "cls" else "mean"
    frozen, trained = cut_bert(model, trainable, chosen)
    pieces = folder / "tokenizer.json"
    text_input: TextInput = WordPieceInput(pieces, max_tokens) if pieces.is_file() else HubTextInput(folder, max_tokens)
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    identity = f"hub text bert layers={layers - trainable}/{layers} max_tokens={max_tokens} pool={chosen}"
    return EncoderParts(frozen, trained, width, width, text_input, f"{identity} {folder_identity(folder)}")


def _try(encoder: HubText, text_input: HubTextInput, name: str) -> Tokens:
    try:
        with torch.inference_mode():
            tokens: Tokens = encoder(*text_input(["a dog"]))
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ConfigError(
            f"hub:{name}: expected a text encoder, got a model that does not take text: {error}"
        ) from error
    if tokens.pooled is None:
        raise ConfigError(f"hub:{name}: expected a model with a pooler, got none; set pool = 'mean' in text.options")
    return tokens


def _parts(encoder: HubText, tokens: Tokens, text_input: TextInput, identity: str, *, frozen: bool) -> EncoderParts:
    encoder.requires_grad_(not frozen)
    return EncoderParts(
        frozen=encoder if frozen else None,
        trained=None if frozen else encoder,
        width=tokens.values.shape[-1],
        pooled_width=None if tokens.pooled is None else tokens.pooled.shape[-1],
        input=text_input,
        identity=identity,
    )
