"""What the findings mean: flags, sentences with their fix and power, and what JSON holds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plait.audit.ablation import ABLATIONS, recall_bound
from plait.audit.metric_self_test import MetricSelfTest
from plait.audit.noise import Noise
from plait.audit.overlap import Overlap
from plait.audit.partner import PARTNER_TOLERANCE
from plait.audit.record import Audit, OnData, in_short
from plait.audit.verdict import concluded, with_data, with_overlap

BOTH = {"image": 0.5, "text": 0.6}
NONE = {"image": 0.0, "text": 0.0}
INFLUENCE = {"image_out": BOTH, "text_out": BOTH, "score": BOTH}


def audit(**changes: Any) -> Audit:
    """Give the audit of a sound fusion, with changes."""
    found = Audit(
        fusion="toy",
        columns={"tokens": "tokens", "pairing": "all"},
        noise=Noise(4.5, 4.2, 9.0, (4.0, 5.0)),
        batch=24,
        seeds=2,
        influence=INFLUENCE,
        gradients=INFLUENCE,
        partner=0.0,
        single_key=False,
        dead_parameters=(),
        leak_fix="another pairing",
    )
    return concluded(replace(found, **changes))


def on_data(**changes: Any) -> OnData:
    """Give what a sound model does on 64 pairs, with changes."""
    chance = {"t2i_r1": 1.6, "i2t_r1": 3.1}
    found = OnData(
        split="val",
        images=64,
        whole={"t2i_r1": 50.0, "i2t_r1": 52.0},
        ablations=dict.fromkeys(ABLATIONS, chance),
        bound=recall_bound(64),
        influence=INFLUENCE,
        dead_parameters=(),
    )
    return replace(found, **changes)


def test_a_sound_fusion_has_no_flag() -> None:
    assert audit().flags == ()
    assert audit().verdict.startswith("Sound: noise is matched at 4.5 % (chance 4.2 %)")
    biases = audit(dead_parameters=("fusion.key.bias",))
    assert biases.flags == ()
    assert "but for biases that a softmax cancels" in biases.verdict


def test_noise_that_is_matched_is_a_leak() -> None:
    found = audit(noise=Noise(60.0, 4.2, 9.0, (60.0,)))
    assert found.flags == ("leaky",)
    assert found.verdict.startswith("Leaky: with random weights it finds 60.0 %")
    assert "fix: another pairing" in found.verdict


@pytest.mark.parametrize("partner", [0.002, 0.19, 1.0])
def test_a_score_that_depends_on_other_pairs_is_a_leak(partner: float) -> None:
    """Noise is at chance and every ablation passes, yet the score is none of that image with that text alone."""
    found = audit(partner=partner)
    assert found.is_leaky
    assert found.flags == ("leaky",)
    assert found.to_json()["leaky"] is True
    assert found.verdict.startswith("Leaky: it scores an image with a text differently when other pairs")
    assert f"by {partner:.2g} of the scores' spread" in found.verdict
    trained = with_data(audit(), on_data(partner=partner))
    assert trained.flags == ("leaky",)
    assert trained.to_json()["data"]["partner_influence"] == partner


def test_rounding_is_no_dependence_on_other_pairs() -> None:
    assert audit(partner=PARTNER_TOLERANCE).flags == ()
    assert with_data(audit(), on_data(partner=PARTNER_TOLERANCE / 2)).flags == ()


def test_pairs_found_after_an_ablation_are_a_leak() -> None:
    leak = with_data(audit(), on_data(ablations={"text shuffled": {"t2i_r1": 99.0, "i2t_r1": 3.0}}))
    assert leak.flags == ("leaky",)
    assert leak.is_leaky
    assert "with text shuffled it still finds 99.0 % of 64 pairs of val (above 10.9 % is flagged)" in leak.verdict


def test_the_verdict_states_the_power_of_the_ablations() -> None:
    """A fifth of the pairs found after shuffling passes with 24 pairs and is flagged with 64."""
    partial = {"text shuffled": {"t2i_r1": 20.0, "i2t_r1": 18.0}}
    few = with_data(audit(), on_data(images=24, bound=recall_bound(24), ablations=partial))
    assert few.flags == ()
    assert (
        "at most 20.0 % of 24 pairs of val (chance 4.2 %); a leak that finds more than 29.2 % would have been flagged"
        in few.verdict
    )
    assert few.to_json()["data"]["bound"] == pytest.approx(29.17, abs=0.01)
    assert with_data(audit(), on_data(ablations=partial)).flags == ("leaky",)
    assert "With one side shuffled or removed" in with_data(audit(), on_data()).verdict


def test_other_flags_and_words() -> None:
    shared = with_data(audit(), on_data(overlap=Overlap("train", "val", (("a", "b"),), (("c", "d"),))))
    assert shared.flags == ("shared photos",)
    assert "1 photos of val are in train too, byte for byte" in shared.verdict
    assert "look like one of train" in shared.verdict
    assert with_overlap(shared, None).flags == ()
    assert with_overlap(audit(), Overlap("train", "val", (("a", "b"),), None)).flags == ()  # there is no data
    nothing = {"image": 0.0, "text": 1.0}
    ignored = with_data(audit(), on_data(influence=dict.fromkeys(INFLUENCE, nothing)))
    assert ignored.flags == ("ignores the image",)
    assert "It ignores the image: everything it gives comes from the text alone" in ignored.verdict
    collapsed = with_data(audit(), on_data(influence={"score": NONE}))
    assert collapsed.flags == ("ignores the text", "ignores the image")
    assert "it collapsed" in collapsed.verdict
    broken = with_data(audit(), on_data(metric=MetricSelfTest({"t2i_r1": 0.3}, {"t2i_r1": 0.0, "i2t_r1": 0.0})))
    assert broken.flags == ("broken metric",)
    swap = audit(single_key=True, dead_parameters=tuple(f"fusion.{n}.weight" for n in range(6)))
    assert swap.flags == ("single-key",)
    assert "fusion.3.weight and 2 more" in swap.verdict


def test_a_side_is_ignored_if_no_output_of_the_answer_depends_on_it() -> None:
    found = {"image_out": {"image": 0.0, "text": 1.0}, "text_out": {"image": 0.0, "text": 1.0}, "score": BOTH}
    assert audit(influence=found).flags == ()
    assert audit(influence=found, outputs=("image_out", "text_out")).flags == ("ignores the image",)


def test_records_are_plain_and_short() -> None:
    found = with_data(audit(), on_data(metric=MetricSelfTest({"t2i_r1": 100.0}, {"t2i_r1": 0.0, "i2t_r1": 0.0})))
    plain = found.to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain)[:4] == ["fusion", "tokens", "pairing", "noise_accuracy"]
    assert {"chance", "bound", "leaky", "influence", "dead_parameters", "single_key", "verdict"} <= set(plain)
    assert plain["data"]["photos"] == 64
    assert plain["data"]["metric"]["passed"] is True
    assert "baselines" not in plain["data"]
    short = in_short(plain)
    assert short["dead_parameters"] == 0
    assert set(short["ablations"]) == {"whole", *ABLATIONS}
    assert short["ablation_bound"] == plain["data"]["bound"]
    assert len(json.dumps(short)) < 1500
