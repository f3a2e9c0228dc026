"""One vector per image by the encoder alone: its own summary, or the mean of its tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from plait.data.batch import PixelSource, load_pixels
from tests.toys import Cells
from tests.train.toys import toy_feed, toy_learner


def test_without_a_summary_it_is_the_mean_of_the_encoders_tokens(tmp_path: Path) -> None:
    learner = toy_learner()
    feed = toy_feed(learner, tmp_path)
    rows = np.array([3, 0, 5])
    found = feed.image_summaries(rows)
    source = PixelSource(feed.collection.photos, learner.model.image.image_spec)
    expected = Cells()(load_pixels(source, torch.from_numpy(rows))).values.mean(1)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)  # cached tokens are in half precision
    assert not found.requires_grad
    assert found.dtype == torch.float32
    with torch.no_grad():
        for parameter in learner.model.image.adapter.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(feed.image_summaries(rows), found)
