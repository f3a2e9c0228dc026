"""The campaign: malformed and unusual inputs, and how each has to end.

`make campaign` runs all of them and writes a table; `make test-slow` runs a seeded sample.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.campaign.bench import Bench, Shared
from tests.campaign.case import Case
from tests.campaign.outcome import Outcome, run

pytestmark = [pytest.mark.campaign, pytest.mark.slow]


def test_input(
    case: Case, shared: Shared, ground: Path, outcomes: list[Outcome], request: pytest.FixtureRequest
) -> None:
    folder = ground / f"bench{len(outcomes)}"
    try:
        outcome = run(case, Bench(shared, folder))
    finally:
        for path in (folder, *folder.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
    outcomes.append(outcome)
    if case.known and not outcome.passed:
        pytest.xfail(case.known)
    assert outcome.passed, f"expected {case.expect}, ended: {outcome.ended}: {outcome.message}"
