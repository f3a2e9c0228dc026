"""Names of saved weights of earlier versions, and what they are called now. Imports no torch."""

from __future__ import annotations

import re

__all__ = ["RENAMED", "renamed_weight"]

# (pattern, replacement), applied in order to the whole name of a saved weight. Each pattern names the part that it
# belongs to. Feed-forward layers also lie in transformer blocks of encoders and adapters.
RENAMED: tuple[tuple[str, str], ...] = (
    (r"^model\.towers\.", "towers."),  # a part of the learner now
    (r"^model\.fusion\.entrance\.", "model.fusion.input_norm."),
    (r"^(model\.(?:fusion|head|text|image)\.(?:.+\.)?)feed(_norm)?\.", r"\1feed_forward\2."),
    (r"^(model\.fusion\.(?:t2i|i2t)\.\d+)\.own\.", r"\1.self_attention."),  # cross
    (r"^model\.fusion\.own\.", "model.fusion.self_attention."),  # pixel_word
    (r"^model\.fusion\.(text|image)_own\.", r"model.fusion.\1_self_attention."),  # self_cross, grid_product
    (r"^(model\.fusion\.layers\.\d+)\.see\.", r"\1.cell_project."),  # pixel_word
    (r"^(model\.fusion\.layers\.\d+)\.mix\.", r"\1.joint_project."),  # pixel_word
    (r"^model\.fusion\.spread\.", "model.fusion.factor."),  # self_cross
    (r"^model\.fusion\.read$", "model.fusion.weight"),  # correlation
    (r"^model\.fusion\.enter\.", "model.fusion.input_norm."),  # image_only
    (r"^model\.head\.((?:text|image)_pool)\.", r"model.head.vectors.\1."),  # the logit head
    (r"^(model\.head\.(?:merges\.\d+\.)?)enter\.", r"\1project."),  # the spatial decoder
)


def renamed_weight(name: str) -> str:
    """Give today's name of a saved weight: "model.fusion.entrance.gain" -> "model.fusion.input_norm.gain"."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name
