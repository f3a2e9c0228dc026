"""The fusion model: two encoded sides, a fusion and a head, with every step a public method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Batch, EncoderParts, Fused, Loss, MaskLogits, MaskTarget, MatchScores, Tokens
from plait.encoders.adapters import Adapter
from plait.fusion.base.pairs import PairFusion, rows_of, shared_rows
from plait.nn.pairs import cosine_similarities
from plait.nn.pooling import masked_mean

__all__ = ["PAIRINGS", "FusionModel", "Side", "Towers"]

PAIRINGS = ("all", "itm", "matched", "own")

# One chunk of pairs may hold this many token vectors: bounds memory in scoring, and few chunks share rows. Speed was
# the same from a quarter of it to thirty times as many.
TOKENS_PER_CHUNK = 32_768
# Where every pair gets copies of its own: small chunks of like length hold little padding and stay in the cache.
COPIED_TOKENS_PER_CHUNK = 8_192


class Side(nn.Module):
    """One modality's way from raw input to tokens of the common width.

    Formula: adapter(trained(frozen(raw))).

    The frozen part is held outside PyTorch's registration: it is neither trained, moved into checkpoints nor counted,
    and a run that reads cached tokens may drop it.
    """

    def __init__(self, parts: EncoderParts, adapter: Adapter) -> None:
        super().__init__()
        self._frozen = (parts.frozen,)
        self.trained = parts.trained
        self.adapter = adapter
        self.input = parts.input
        self.identity = parts.identity
        self.level_widths = parts.level_widths

    @property
    def has_frozen(self) -> bool:
        """Whether there are frozen tokens that can be cached."""
        return self._frozen[0] is not None

    @torch.no_grad()
    def freeze(self, *raw: Tensor) -> Tokens:
        """Run the frozen part: (ids, valid) for text, (pixels,) for images -> Tokens, without gradients."""
        frozen = self._frozen[0]
        if frozen is None:
            raise ShapeError("this side has no frozen encoder: all of it is trained, so pass raw input to forward")
        tokens: Tokens = frozen(*raw)
        return tokens

    def encode(self, *raw: Tensor | Tokens) -> Tokens:
        """Give the encoder's own tokens, before the adapter, from raw input or from the frozen part's cached tokens."""
        tokens = raw
        if self.has_frozen and not isinstance(raw[0], Tokens):
            tokens = (self.freeze(*raw),)  # type: ignore[arg-type]
        if self.trained is not None:
            tokens = (self.trained(*tokens),)
        encoded = tokens[0]
        assert isinstance(encoded, Tokens)
        return encoded

    def forward(self, *raw: Tensor | Tokens) -> Tokens:
        """Give tokens of the common width from raw input, or from the frozen part's cached tokens."""
        adapted: Tokens = self.adapter(self.encode(*raw))
        return adapted

    def summarised(self, *raw: Tensor | Tokens) -> Tokens:
        """Give the encoder's own tokens with their summary as `forward` gives it: what towers need that read no token.

        `projected` of these, or of some of their rows, is what `forward` gives.
        """
        encoded = self.encode(*raw)
        return replace(encoded, pooled=self.adapter.summarise(encoded))

    def projected(self, tokens: Tokens) -> Tokens:
        """Bring summarised tokens to the common width."""
        return replace(tokens, values=self.adapter.project(tokens))


class Towers(nn.Module):
    """The first stage of the `itm` pairing: a similarity fusion whose all-pairs scores find candidates cheaply."""

    def __init__(self, fusion: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.head = head

    @property
    def reads_summaries(self) -> bool:
        """Whether the encoders' own one-vector summaries are all that the towers read."""
        return bool(getattr(self.fusion, "reads_summaries", False))

    def forward(self, text: Tokens, image: Tokens) -> Tensor:
        """Score every image (rows) with every caption (columns): (B, C) cosine."""
        scores: Tensor = self.head.pool(self.fusion.similarities(text, image)).values  # type: ignore[operator]
        return scores


class FusionModel(nn.Module):
    """Text and image, encoded, fused and read.

    Args:
        text, image: the two `Side`s
        fusion:      aligned pairs of Tokens -> Fused (see `plait.fusion`)
        head:        Fused -> MatchScores, or MaskLogits with pairing "own" (see `plait.heads`)
        towers:      the first stage for pairing "itm", or None for pairing "all"
        pool:        module Tokens -> Tokens with one token a side, for the pooled baselines, or None
        pairing:     "all", "itm", "matched" or, for masks, "own" (see `judge`); "" = "itm" with towers, else "all"
    Raises:
        ConfigError: an unknown pairing, or one that does not fit the towers.

    `encode`, `fuse` and `read` are separate public steps because mining negatives, re-ranking and explaining each
    need one of them alone; `forward` is their composition for aligned pairs.
    """

    def __init__(
        self,
        text: Side,
        image: Side,
        *,
        fusion: nn.Module,
        head: nn.Module,
        towers: Towers | None = None,
        pool: Callable[[Tokens], Tokens] | None = None,
        pairing: str = "",
    ) -> None:
        super().__init__()
        self.pairing = pairing or ("all" if towers is None else "itm")
        if self.pairing not in PAIRINGS or (self.pairing == "itm") != (towers is not None):
            raise ConfigError(
                f'pairing: expected one of {", ".join(PAIRINGS)}, "itm" with towers and the others without, got '
                f"{self.pairing!r} {'without' if towers is None else 'with'} towers"
            )
        self.text = text
        self.image = image
        self.fusion = fusion
        self.head = head
        self.towers = towers
        self.pool = pool

    def encode(self, batch: Batch) -> tuple[Tokens, Tokens]:
        """Give both sides' tokens of the common width D: (B, T, D) and (B, P, D)."""
        return self.encode_text(*_raw_text(batch)), self.encode_image(_raw_image(batch))

    def encode_text(self, *raw: Tensor | Tokens) -> Tokens:
        """Give text tokens from (ids, valid) or from cached tokens."""
        return self._pooled(self.text(*raw))

    def encode_image(self, raw: Tensor | Tokens) -> Tokens:
        """Give image tokens from pixels (B, 3, H, W) or from cached tokens."""
        return self._pooled(self.image(raw))

    def fuse(self, text: Tokens, image: Tokens, *, maps: bool = False) -> Fused:
        """Fuse aligned pairs; attention maps are returned when asked."""
        fused: Fused = self.fusion(text, image, maps=maps)
        return fused

    def read(self, fused: Fused) -> MatchScores:
        """Read fused pairs: MatchScores with values (B,)."""
        scores: MatchScores = self.head(fused)
        return scores

    def masks(
        self, text: Tokens, image: Tokens, *, photo_row: Tensor | None = None, maps: bool = False
    ) -> tuple[MaskLogits, Fused]:
        """Give where in its own photo each text speaks of, and the fused pairs.

        Finer levels of the photo go past the fusion to the head.

        Shapes: text Tokens (N, T, D); image Tokens (U, P, D); photo_row (N,) int64 in [0, U), or None where rows belong
        one to one. Returns MaskLogits (N, h, w) at the head's own resolution in the image encoder's input frame.
        Raises:
            ConfigError: the model was not made for masks.
        """
        if not self.gives_masks:
            raise ConfigError(
                "this model scores whole photos against sentences and gives no masks; expected a run of task 'mask': "
                "`plait fit --recipe scenes_mask --data scenes-masks --out RUN` makes one"
            )
        if photo_row is None:
            fused = self.fuse(text, image, maps=maps)
        elif isinstance(self.fusion, PairFusion):  # what needs one side alone is done once a photo
            sides = self.fusion.prepare(text, image)
            fused = self.fusion.meet(*sides, text_row=torch.arange(len(text)), image_row=photo_row, maps=maps)
        else:
            fused = self.fuse(text, image.take(photo_row), maps=maps)
        levels = image.levels if photo_row is None else image.take(photo_row).levels
        fused = _a_row_a_pair(fused)
        logits: MaskLogits = self.head(replace(fused, image=replace(fused.image, levels=levels)))
        return logits, fused

    def forward(self, batch: Batch) -> MatchScores:
        """Score the batch's aligned pairs: encode, fuse, read."""
        return self.read(self.fuse(*self.encode(batch)))

    @property
    def gives_masks(self) -> bool:
        """Whether the model's head gives masks, not match scores."""
        return self.pairing == "own"

    @property
    def has_algebra(self) -> bool:
        """Whether the fusion scores all pairs by algebra instead of expanding every pair."""
        reads: str = self.fusion.reads  # type: ignore[assignment]
        return reads == "similarity"

    def score_all(self, text: Tokens, image: Tokens) -> Tensor:
        """Score every image with every caption through the fusion.

        Formula: s[b, c] = read(fuse(text c, image b)). Where the fusion has an all-pairs algebra that is used; else
        pairs are expanded and fused in chunks. A contract test holds both equal.

        Shapes: text Tokens (C, T, D), image Tokens (B, P, D); returns (B, C) float.
        """
        if self.has_algebra:
            scores: Tensor = self.head.pool(self.fusion.similarities(text, image)).values  # type: ignore[operator]
            return scores
        images, captions = len(image), len(text)
        image_index = torch.arange(images).repeat_interleave(captions)
        text_index = torch.arange(captions).repeat(images)
        return self.score_pairs(text, image, text_index, image_index).view(images, captions)

    def score_pairs(self, text: Tokens, image: Tokens, text_index: Tensor, image_index: Tensor) -> Tensor:
        """Score chosen pairs: (M,) for text rows `text_index` (M,) with image rows `image_index` (M,).

        Shapes: text Tokens (C, T, D), image Tokens (B, P, D), indices (M,) int64; returns (M,) float.
        """
        if text_index.shape != image_index.shape:
            raise ShapeError(
                f"expected as many text as image indices, got {tuple(text_index.shape)} and {tuple(image_index.shape)}"
            )
        if self.has_algebra:
            step = max(1, TOKENS_PER_CHUNK // (text.values.shape[1] + image.values.shape[1]))
            parts = [
                self.read(self.fuse(rows_of(text, t), image.take(i))).values
                for t, i in zip(text_index.split(step), image_index.split(step), strict=True)
            ]
            return torch.cat(parts) if parts else text.values.new_zeros(0)
        return self._meet_pairs(text, image, text_index, image_index)

    def _meet_pairs(self, text: Tokens, image: Tokens, text_index: Tensor, image_index: Tensor) -> Tensor:
        """Score pairs by letting prepared sides meet, in an order that spares work: see `PairFusion.shares_image`."""
        fusion = cast(PairFusion, self.fusion)
        text, text_index = shared_rows(text, text_index)
        image, image_index = shared_rows(image, image_index)
        text, image = fusion.prepare(text, image)
        tokens_a_pair = text.values.shape[1] + image.values.shape[1]
        if fusion.shares_image:
            order, step = image_index.argsort(stable=True), TOKENS_PER_CHUNK // tokens_a_pair
        else:
            lengths = text.valid.sum(1)[text_index]
            order, step = lengths.argsort(stable=True), COPIED_TOKENS_PER_CHUNK // tokens_a_pair
        out = text.values.new_zeros(len(order))
        parts = [
            self.read(fusion.meet(text, image, text_row=text_index[m], image_row=image_index[m])).values
            for m in order.split(max(1, step))
        ]
        return out.index_put((order,), torch.cat(parts)) if parts else out

    def matched_sides(self, text: Tokens, image: Tokens) -> tuple[Tensor, Tensor]:
        """Fuse row i of the text with row i of the image and give each side's mean token: text (N, D), image (N, D).

        Shapes: text Tokens (N, T, D), image Tokens (N, P, D).
        """
        if len(text) != len(image):
            raise ShapeError(
                f"pairing 'matched' fuses row i with row i: expected as many texts as images, got {len(text)} and "
                f"{len(image)}; repeat an image for each of its captions"
            )
        step = max(1, TOKENS_PER_CHUNK // (text.values.shape[1] + image.values.shape[1]))
        rows = torch.arange(len(text)).split(step)
        fused = [self.fuse(text.take(chunk), image.take(chunk)) for chunk in rows]
        return (
            torch.cat([masked_mean(part.text.values, part.text.valid) for part in fused]),
            torch.cat([masked_mean(part.image.values, part.image.valid) for part in fused]),
        )

    def score_matched(self, text: Tokens, image: Tokens) -> Tensor:
        """Score aligned rows by the printed protocol: fuse each pair first, compare across pairs afterwards.

        Formula: with (t_i, v_i) the mean tokens of fuse(text i, image i), s[i, j] = cos(v_i, t_j).

        This is leaky: v_i has met text i and t_i image i, so a pair is known to belong together before it is scored,
        and the diagonal can win although nothing was learned. It serves to reproduce published tables only.

        Shapes: text Tokens (N, T, D), image Tokens (N, P, D); returns (N, N) float, row = image, column = text.
        """
        return cosine_similarities(*self.matched_sides(text, image))

    def judge_batch(self, objective: nn.Module, batch: Batch) -> Loss:
        """Encode a batch and give the objective's loss of it; see `judge`.

        Where towers read the encoders' summaries alone, tokens are projected for those pairs only that the objective
        asks the fused head about: of 640 captions a batch it may ask about 60.
        """
        if self.towers is None or not self.towers.reads_summaries:
            text, image = self.encode(batch)
            return self.judge(objective, text, image, batch.target, photo_row=batch.photo_row, mask=batch.mask)
        text, image = self.text.summarised(*_raw_text(batch)), self.image.summarised(_raw_image(batch))
        row = torch.arange(len(text)) if batch.photo_row is None else batch.photo_row

        def score_pairs(text_index: Tensor, image_index: Tensor) -> Tensor:
            asked_text, text_row = shared_rows(text, text_index)
            asked_image, image_row = shared_rows(image, row[image_index])
            words, regions = self.text.projected(asked_text), self.image.projected(asked_image)
            return self.score_pairs(self._pooled(words), self._pooled(regions), text_row, image_row)

        loss: Loss = objective(self.towers(text, image)[row], batch.target, score_pairs)
        return loss

    def judge(
        self,
        objective: nn.Module,
        text: Tokens,
        image: Tokens,
        group: Tensor,
        *,
        photo_row: Tensor | None = None,
        mask: MaskTarget | None = None,
    ) -> Loss:
        """Give the objective's loss of encoded pairs under the model's pairing.

        "all":     every image against every caption, through the fusion.
        "itm":     the towers score all pairs, and the objective asks the fused head about the matched pairs and the
                   negatives it mines.
        "matched": pairs are fused first and compared afterwards (`score_matched`); leaky, for reproduction only.
        "own":     each text is fused with its own photo, and the mask read from both is held against `mask` (N, h, w).

        Shapes: text Tokens (N, T, D); image Tokens (U, P, D); group (N,) int64, the photo's number; photo_row (N,)
        int64 in [0, U), each text's own image, or None where rows belong one to one. Objectives take one row a caption,
        its own photo on the diagonal; a photo that comes twice is scored once.
        """
        if self.gives_masks:
            if mask is None:
                raise ShapeError("this model gives masks, but the batch holds none; train it on data with masks")
            found: Loss = objective(self.masks(text, image, photo_row=photo_row)[0], mask)
            return found
        row = torch.arange(len(text)) if photo_row is None else photo_row
        if self.pairing == "matched":
            loss: Loss = objective(self.score_matched(text, image.take(row)), group)
            return loss
        if self.towers is None:
            contrast: Loss = objective(self.score_all(text, image)[row], group)
            return contrast

        def score_pairs(text_index: Tensor, image_index: Tensor) -> Tensor:
            return self.score_pairs(text, image, text_index, row[image_index])

        matching: Loss = objective(self.towers(text, image)[row], group, score_pairs)
        return matching

    def _pooled(self, tokens: Tokens) -> Tokens:
        return tokens if self.pool is None else self.pool(tokens)


def _a_row_a_pair(fused: Fused) -> Fused:
    text = fused.text if fused.text_row is None else fused.text.take(fused.text_row)
    image = fused.image if fused.image_row is None else fused.image.take(fused.image_row)
    return Fused(text, image, fused.maps)


def _raw_text(batch: Batch) -> tuple[Tensor | Tokens, ...]:
    if batch.text is not None:
        return (batch.text,)
    if batch.text_ids is None or batch.text_valid is None:
        raise ShapeError("the batch holds neither text ids nor cached text tokens; give one of them")
    return batch.text_ids, batch.text_valid


def _raw_image(batch: Batch) -> Tensor | Tokens:
    if batch.image is not None:
        return batch.image
    if batch.pixels is None:
        raise ShapeError("the batch holds neither pixels nor cached image tokens; give one of them")
    return batch.pixels
