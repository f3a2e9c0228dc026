"""What is no record of a run is refused, with file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plait.core.errors import CheckpointError
from plait.runs.check import check_record

RECORD: dict[str, Any] = {
    "recipe": {"task": "match"},
    "metrics": {"t2i_r1": 50.0, "t2i_median_rank": 2.0},
    "encoders": {"text": "words", "image": "cells"},
    "data": {"name": "d", "fingerprint": "f", "split": "val", "photos": 4, "captions": 8},
    "files": {"weights.safetensors": {"bytes": 1, "sha256": "x"}},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": [1]}, "key 'recipe': expected an object"),
        ({"metrics": None}, "key 'metrics': expected an object"),
        ({"encoders": {"text": "words"}}, "key 'encoders': expected 'image' in it"),
        ({"data": {"name": "d"}}, "key 'data': expected 'fingerprint' in it"),
        ({"files": [1]}, "key 'files'"),
        ({"files": {"../elsewhere": {"bytes": 1, "sha256": "x"}}}, "key 'files'"),
        ({"files": {"weights.safetensors": 3}}, "key 'files'"),
        ({"metrics": {"t2i_r1": 9999.0}}, "t2i_r1 cannot be 9999"),
        ({"metrics": {"t2i_r1": float("nan")}}, "t2i_r1 cannot be nan"),
        ({"metrics": {"t2i_r1": "good"}}, "t2i_r1 cannot be 'good'"),
        ({"recipe": {"task": "count"}}, "key 'recipe': unknown task 'count'"),
        ({"recipe": {"task": "match", "later": 1}}, "unknown key 'later'.*a later version of Plait wrote it"),
    ],
)
def test_what_is_no_record_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=rf"run\.json.*{said}"):
        check_record({**RECORD, **changes}, Path("runs/run.json"))


@pytest.mark.parametrize("record", [None, [], 3, "text"])
def test_what_is_no_object_is_refused(record: Any) -> None:
    with pytest.raises(CheckpointError, match=r"run\.json: expected a run's record, an object"):
        check_record(record, Path("run.json"))


def test_records_of_this_and_earlier_versions_pass() -> None:
    check_record(RECORD, Path("run.json"))
    check_record({key: value for key, value in RECORD.items() if key != "files"}, Path("run.json"))
    check_record({**RECORD, "metrics": {"t2i_r1": 100.00000001, "of_later": -3.0}}, Path("run.json"))
