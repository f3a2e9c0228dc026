"""The printed, leaky pairing: its matrix, its loss, its scores of a split, and what it cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from plait.build import build_bare, resolve_pairing
from plait.core.config import FusionSettings, TrainSettings, recipe_from_dict
from plait.core.errors import ConfigError, ShapeError
from plait.core.types import Tokens
from plait.model import FusionModel
from plait.tasks.match.evaluate import evaluate_split
from plait.train.features import prepare
from plait.train.feed import Feed
from plait.train.fit import Trainer
from plait.tasks.match.score import Scorer
from tests.train.toys import WIDTH, toy_collection, toy_model

SETTINGS = FusionSettings(name="cross", pairing="matched", width=WIDTH, options={"layers": 1, "heads": 2})


def tokens(rows: int, count: int, seed: int) -> Tokens:
    values = torch.randn(rows, count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return Tokens(values, torch.ones(rows, count, dtype=torch.bool))


def matched_toy() -> tuple[FusionModel, torch.nn.Module]:
    model, matching = toy_model("cross")
    bare = build_bare(SETTINGS)
    return FusionModel(
        model.text, model.image, fusion=bare.model.fusion, head=bare.model.head, pairing="matched"
    ), matching.contrast


def test_the_matrix_compares_pairs_that_have_met() -> None:
    model = build_bare(SETTINGS).model.eval()
    text, image = tokens(4, 5, 0), tokens(4, 3, 1)
    scores = model.score_matched(text, image)
    fused = model.fuse(text, image)
    for i in range(4):
        for j in range(4):
            expected = F.cosine_similarity(fused.image.values[i].mean(0), fused.text.values[j].mean(0), dim=0)
            torch.testing.assert_close(scores[i, j], expected)
    torch.testing.assert_close(scores.diagonal(), model.read(fused).values)
    index = torch.arange(4)
    torch.testing.assert_close(scores.diagonal(), model.score_pairs(text, image, index, index))
    with pytest.raises(ShapeError, match="as many texts as images, got 4 and 3; repeat an image"):
        model.score_matched(text, image.take(slice(0, 3)))


def test_a_pairing_fits_the_towers() -> None:
    model, _ = toy_model("cross")
    assert model.pairing == "itm"
    assert toy_model("late")[0].pairing == "all"
    with pytest.raises(ConfigError, match="got 'matched' with towers"):
        FusionModel(
            model.text, model.image, fusion=model.fusion, head=model.head, towers=model.towers, pairing="matched"
        )
    with pytest.raises(ConfigError, match="got 'itm' without towers"):
        FusionModel(model.text, model.image, fusion=model.fusion, head=model.head, pairing="itm")


def test_only_fusions_that_list_it() -> None:
    assert resolve_pairing(SETTINGS) == "matched"
    with pytest.raises(ConfigError, match="fusion 'late' cannot be paired 'matched'; it can be: all"):
        resolve_pairing(replace(SETTINGS, name="late"))
    assert recipe_from_dict({"fusion": {"pairing": "matched"}}).fusion.pairing == "matched"


def test_the_loss_is_the_contrast_of_the_matrix(tmp_path: Path) -> None:
    model, objective = matched_toy()
    collection = toy_collection()
    feed = Feed(
        collection,
        model,
        prepare(model, collection, views=("full",), precision="fp32", root=tmp_path),
        views=("full",),
    )
    batch = feed.batch(feed.order(0, 0, 6, captions_a_photo=2)[0], seed=0, epoch=0)
    model.eval()
    text, image = model.encode(batch)
    assert len(image) < len(text)
    expected = objective(model.score_matched(text, image.take(batch.photo_row)), batch.target).total
    torch.testing.assert_close(model.judge_batch(objective, batch).total, expected)


def test_trains_and_its_split_scores_are_flagged(tmp_path: Path) -> None:
    model, objective = matched_toy()
    collection = toy_collection()
    features = prepare(model, collection, views=("full",), precision="fp32", root=tmp_path)
    feed = Feed(collection, model, features, views=("full",))
    settings = TrainSettings(epochs=3, batch_size=8, lr=3e-3, encoder_lr=3e-3, precision="fp32")
    trainer = Trainer(model, objective, feed=feed, settings=settings, folder=tmp_path)
    losses = [e["loss"] for e in trainer.run(what="toy", listener=lambda _: None, check=dict).curve]
    assert losses[-1] < 0.7 * losses[0]
    found = evaluate_split(model, objective, feed, split="val", rerank_k=4, precision="fp32")
    assert found.scores.flags == ("leaky",)
    assert found.scores.kind == "cosine of matched pairs"


def test_a_photo_is_scored_as_it_came_out_of_its_first_caption() -> None:
    built = build_bare(SETTINGS)
    model = built.model.eval()
    text, image = tokens(5, 4, 2), tokens(3, 2, 3)
    own = torch.tensor([2, 0, 2, 0, 2])  # photo 1 has no caption
    scorer = Scorer(model, built.objective, rerank_k=4)
    found = scorer.split(text, image, own=own)
    whole = model.score_matched(text, image.take(own)).detach()
    torch.testing.assert_close(found.text_to_image[0], whole[1])
    torch.testing.assert_close(found.text_to_image[2], whole[0])
    assert found.text_to_image[1].tolist() == [0.0] * 5
    torch.testing.assert_close(scorer.pairs(text, image.take(own)), whole.diagonal())


def test_without_partners_it_scores_nothing() -> None:
    built = build_bare(SETTINGS)
    scorer = Scorer(built.model.eval(), built.objective, rerank_k=4)
    for score in (scorer.split, scorer.matrix):
        with pytest.raises(ConfigError, match="to match photos, train with pairing 'itm' or 'all'"):
            score(tokens(3, 2, 0), tokens(3, 2, 1))
