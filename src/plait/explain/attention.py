"""Turn attention maps between tokens into maps between words and cells of the image.

A map shows which cells a fusion attended to for a word. It does not prove that the result depends on these cells: later
parts of the model may ignore them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.core.errors import InputError, ShapeError
from plait.core.types import AttentionMap

__all__ = ["WordMaps", "choose_map", "merge_pieces", "word_maps"]

_SPECIAL = frozenset(
    ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "<s>", "</s>", "<pad>", "<sos>", "<eos>", "<start>", "<end>")
)
_SPECIAL |= frozenset(("<|startoftext|>", "<|endoftext|>", "SOS", "EOS", "PAD", "<SOS>", "<EOS>", "<PAD>"))
# How sub-word vocabularies mark pieces: the first of a word, one that continues a word, or the last of a word.
_STARTS = ("▁", "Ġ")
_CONTINUES = "##"
_ENDS = "</w>"


@dataclass(frozen=True)
class WordMaps:
    """One map over the image's cells for each word of one caption.

    Fields:
        words:   W printable words, in the caption's order, without start, end and padding tokens
        grid:    (h, w) of the image tokens, which is the resolution of the maps
        weights: (W, h * w) float32 >= 0, row by row over the grid. For text->image maps each row sums to 1 (to less
                 where a model attends to nothing); for image->text maps entry (word, cell) is the weight that the
                 cell gave to the word.
        what:    direction, layer and heads of the map, in words
        query:   "text" where words attend to cells, "image" where cells attend to words
    """

    words: tuple[str, ...]
    grid: tuple[int, int]
    weights: np.ndarray
    what: str
    query: str = "text"

    def to_json(self, *, fusion: str, photo: str, caption: str) -> dict[str, Any]:
        """Give the entry of gallery.json's "attention" list."""
        return {
            "fusion": fusion,
            "photo": photo,
            "caption": caption,
            "words": list(self.words),
            "grid": list(self.grid),
            "weights": [[round(float(value), 5) for value in row] for row in self.weights],
            "what": self.what,
            "query": self.query,
        }


def word_maps(
    maps: AttentionMap | Sequence[AttentionMap],
    pieces: Sequence[str],
    *,
    grid: tuple[int, int],
    row: int = 0,
    layer: int | None = None,
) -> WordMaps:
    """Give each word's map over the image for row `row` of the batch, averaged over heads.

    Formula: from text->image weights, a word's map is the mean of its pieces' rows, which sums to 1 as they do; from
    image->text weights, transposed, it is the sum of its pieces' columns, what cells gave to the whole word. Which map
    is read when there are several: see `choose_map`.

    Shapes:
        maps:    weights (B, heads, T, h * w) for text queries, or (B, heads, h * w, T) for image queries
        pieces:  the T' <= T printable pieces of this caption (`TextInput.pieces`), in order; T' < T where the
                 batch is padded
        returns: weights (W, h * w)
    Raises:
        InputError: there is no map between text and image, no such layer, or no such row.
        ShapeError: the grid does not have as many cells as the map, or there are more pieces than tokens.
    """
    chosen = choose_map((maps,) if isinstance(maps, AttentionMap) else tuple(maps), layer=layer)
    weights = chosen.weights.detach().float().cpu()
    if not 0 <= row < len(weights):
        raise InputError(f"attention map: expected a row from 0 to {len(weights) - 1}, got {row}")
    table = weights[row].mean(dim=0).numpy()
    to_image = chosen.query == "text"
    if not to_image:
        table = table.T
    cells = grid[0] * grid[1]
    if table.shape[1] != cells:
        raise ShapeError(
            f"attention map: expected {cells} image tokens for a {grid[0]} x {grid[1]} grid, got {table.shape[1]}; "
            "pass the grid of the image tokens this map was made with"
        )
    if len(pieces) > len(table):
        raise ShapeError(
            f"attention map: expected at most {len(table)} pieces (text tokens of the map), got {len(pieces)}; "
            "use the pieces of the text input that encoded the caption"
        )
    words, members = merge_pieces(pieces)
    rows = [table[list(member)] for member in members]
    merged = [part.mean(axis=0) if to_image else part.sum(axis=0) for part in rows]
    direction = "text->image" if to_image else "image->text (transposed)"
    heads = weights.shape[1]
    averaged = f"mean over {heads} heads" if heads > 1 else "one head"
    return WordMaps(
        words=words,
        grid=grid,
        weights=np.stack(merged).astype(np.float32) if merged else np.zeros((0, cells), dtype=np.float32),
        what=f"{direction} attention, layer {chosen.layer}, {averaged}",
        query=chosen.query,
    )


def choose_map(maps: Sequence[AttentionMap], *, layer: int | None = None) -> AttentionMap:
    """Choose the map to show: text->image before image->text, and among those the given layer, or else the last.

    Text->image comes first because each of its rows says what one word attended to.

    Raises:
        InputError: there is no map between text and image in that layer, or in any.
    """
    wanted = [m for m in maps if m.query != m.key and layer in (None, m.layer)]
    if not wanted:
        there = ", ".join(f"{m.query}->{m.key} layer {m.layer}" for m in maps) or "none"
        where = "" if layer is None else f" in layer {layer}"
        raise InputError(
            f"attention maps: expected one between text and image{where}, got {there}; "
            "call the fusion with maps=True, and choose one that attends across"
        )
    return max(wanted, key=lambda m: (m.query == "text", m.layer))


def merge_pieces(pieces: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Join word pieces to words and give the pieces that each word is made of.

    Reads "##ing" (WordPiece), "▁word" and "Ġword" (SentencePiece, byte pairs: a piece without the mark continues
    a word) and "word</w>" (CLIP: the piece after one without the mark continues its word). Start, end and padding
    tokens are not words.

    Example:
        >>> merge_pieces(["[CLS]", "a", "surf", "##er", "[SEP]"])
        (('a', 'surfer'), ((1,), (2, 3)))
    """
    real = [piece for piece in pieces if piece not in _SPECIAL]
    marks_start = any(piece.startswith(_STARTS) for piece in real)
    marks_end = any(piece.endswith(_ENDS) for piece in real)
    words: list[str] = []
    members: list[list[int]] = []
    open_word = False
    for number, piece in enumerate(pieces):
        if piece in _SPECIAL:
            open_word = False
            continue
        continues = piece.startswith(_CONTINUES) or (marks_start and not piece.startswith(_STARTS)) or marks_end
        text = (
            piece.removeprefix(_CONTINUES).lstrip("".join(_STARTS)) if marks_start else piece.removeprefix(_CONTINUES)
        )
        text = text.removesuffix(_ENDS) if marks_end else text
        if continues and open_word:
            words[-1] += text
            members[-1].append(number)
        else:
            words.append(text)
            members.append([number])
        open_word = not (marks_end and piece.endswith(_ENDS))
    return tuple(words), tuple(tuple(member) for member in members)
