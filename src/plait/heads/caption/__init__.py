"""Decoders of captions: words so far and an image in, the next word out. One file per decoder."""

from __future__ import annotations

from plait.core.tables import Entry

__all__ = ["CAPTION_HEADS"]

CAPTION_HEADS: dict[str, Entry] = {
    "show_attend_tell": Entry(
        target="plait.heads.caption.show_attend_tell:ShowAttendTell",
        family="caption",
        paper="Xu et al. 2015",
        summary="an LSTM that attends to the grid before each word",
        takes="Fused",
        gives="CaptionLogits",
    ),
    "show_and_tell": Entry(
        target="plait.heads.caption.show_and_tell:ShowAndTell",
        family="caption",
        paper="Vinyals et al. 2015",
        summary="an LSTM whose first input is the whole image as one vector",
        takes="Fused",
        gives="CaptionLogits",
    ),
    "m_rnn": Entry(
        target="plait.heads.caption.m_rnn:MultimodalRnn",
        family="caption",
        paper="Mao et al. 2015",
        summary="a simple recurrent network of words; words, state and image meet in a layer of their own",
        takes="Fused",
        gives="CaptionLogits",
    ),
    "top_down": Entry(
        target="plait.heads.caption.top_down:TopDown",
        family="caption",
        paper="Anderson et al. 2018",
        summary="one LSTM chooses regions, a second one chooses words",
        takes="Fused",
        gives="CaptionLogits",
    ),
    "transformer": Entry(
        target="plait.heads.caption.transformer:TransformerDecoder",
        family="caption",
        paper="Vaswani et al. 2017",
        summary="causal self-attention over the words and cross-attention to the grid",
        takes="Fused",
        gives="CaptionLogits",
    ),
}
