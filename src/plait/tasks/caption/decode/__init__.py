"""From an image to a caption, word by word: one file per way of choosing words."""

from __future__ import annotations

from plait.tasks.caption.decode.beam import beam_search
from plait.tasks.caption.decode.chain import greedy, nucleus
from plait.tasks.caption.decode.steps import Decoded, Steps

__all__ = ["Decoded", "Steps", "beam_search", "greedy", "nucleus"]
