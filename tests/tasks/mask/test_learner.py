"""The learner of masks: images encoded once, losses in both precisions, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from plait.core.errors import ShapeError
from plait.nn.precision import Precision, autocast_context
from plait.tasks.mask.learner import eval_mode
from tests.tasks.mask.toys import SIDE, MaskFeed, mask_collection, mask_learner

both_precisions = pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-6), ("bf16", 0.05)])


@both_precisions
def test_images_prepared_once_give_the_masks_of_pairs_fused_one_by_one(precision: Precision, close: float) -> None:
    learner = mask_learner()
    model = learner.model.eval()
    texts = [caption.text for caption in mask_collection(6).captions[:5]]
    row = torch.tensor([0, 2, 1, 2, 0])
    with torch.no_grad(), autocast_context(precision):
        text, image = model.encode_text(*model.text.text_input(texts)), model.encode_image(torch.rand(3, 3, SIDE, SIDE))
        shared, fused = learner.masks(text, image, image_row=row, maps=True)
        single, _ = learner.masks(text, image.take(row))
        probability = learner.probabilities(text, image, image_row=row)
    assert shared.values.shape == (5, 8, 8)
    assert (len(fused.text), len(fused.image), len(fused.maps)) == (5, 5, 1)
    assert torch.allclose(shared.values, single.values, atol=close)
    assert probability.dtype == np.float32
    assert np.allclose(probability, shared.values.float().sigmoid(), atol=close)


@both_precisions
def test_the_loss_reaches_every_trained_weight(precision: Precision, close: float) -> None:
    learner = mask_learner()
    batch = MaskFeed(learner).batch(np.arange(12), seed=0, epoch=0)
    with autocast_context(precision):
        loss = learner.loss(batch)
    assert loss.total.ndim == 0
    assert set(loss.parts) == {"bce", "dice", "absent", "presence"}
    loss.total.backward()
    without = [name for name, weight in learner.named_parameters() if weight.grad is None]
    assert without == []
    assert all(name.startswith(("model.", "presence.")) for name, _ in learner.named_parameters())


@both_precisions
def test_absent_pairs_are_fused_after_those_that_belong_together(precision: Precision, close: float) -> None:
    learner = mask_learner().eval()
    feed = MaskFeed(learner)
    batch = feed.batch(np.arange(12), seed=0, epoch=0)
    absent = batch.target.absent
    assert len(absent) in (6, 7)  # half of 12, and at times one more
    plain = replace(batch, target=replace(batch.target, absent=None))
    assert batch.image_row is not None
    with torch.no_grad(), autocast_context(precision):
        text, image = learner.model.encode(batch)
        logits, _ = learner.masks(text.take(absent[:, 0]), image, image_row=batch.image_row[absent[:, 1]])
        expected = torch.nn.functional.softplus(logits.values.float()).mean()
        found, without = learner.loss(batch), learner.loss(plain)
    assert found.parts["absent"] == pytest.approx(expected.item(), abs=close)
    assert found.parts["bce"] == pytest.approx(without.parts["bce"].item(), abs=close)
    assert found.parts["dice"] == pytest.approx(without.parts["dice"].item(), abs=close)
    assert "absent" not in without.parts
    one_to_one = replace(batch, pixels=None, image=None, image_row=None)  # an image for each row
    one_to_one = replace(one_to_one, pixels=batch.pixels[batch.image_row] if batch.pixels is not None else None)
    with torch.no_grad(), autocast_context(precision):
        assert learner.loss(one_to_one).total.item() == pytest.approx(found.total.item(), abs=close)


def test_without_absent_phrases_there_is_no_presence() -> None:
    learner = mask_learner(absent=0.0)
    feed = MaskFeed(learner)
    batch = feed.batch(np.arange(12), seed=0, epoch=0)
    assert batch.target.absent is None
    assert set(learner.loss(batch).parts) == {"bce", "dice"}
    assert learner.answer(feed.encode_texts([0]), feed.encode_images([0])).presence is None
    assert not any(name.startswith("presence") for name in learner.state_dict())


def test_a_batch_without_masks_is_refused() -> None:
    learner = mask_learner()
    batch = MaskFeed(learner).batch(np.arange(4), seed=0, epoch=0)
    with pytest.raises(ShapeError, match=r"MaskTarget.*Tensor"):
        learner.loss(replace(batch, target=torch.zeros(4)))


def test_eval_mode_ends_with_the_block() -> None:
    model = mask_learner().model

    def stop() -> None:
        with eval_mode(model):
            assert not model.training
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert model.training
    model.eval()
    with eval_mode(model):
        pass
    assert not model.training
