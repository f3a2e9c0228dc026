"""The campaign's bench, its options and its table."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.bench import Shared, make_shared
from tests.campaign.case import pick
from tests.campaign.cases import all_cases
from tests.campaign.ledger import counts, write_table
from tests.campaign.outcome import Outcome

OUTCOMES = pytest.StashKey[list[Outcome]]()
SEED = 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take all inputs, or a seeded sample, or those whose ids begin with a text."""
    if "case" not in metafunc.fixturenames:
        return
    cases, wanted = all_cases(), metafunc.config.getoption("--campaign")
    if wanted.isdecimal():
        cases = pick(cases, int(wanted), SEED)
    elif wanted != "all":
        cases = [case for case in cases if case.id.startswith(wanted)]
    metafunc.parametrize("case", cases, ids=[case.id for case in cases])


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """Give a folder for the benches that users without rights may enter, with a cache of its own."""
    root = Path(tempfile.mkdtemp(prefix="plait-campaign-"))
    root.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAIT_CACHE", str(root / "cache"))
        yield root
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def shared(ground: Path) -> Shared:
    """Make what all inputs share."""
    return make_shared(ground / "shared")


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    """Give the list that the table is made of."""
    return request.config.stash.setdefault(OUTCOMES, [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table where one was asked for."""
    found, folder = session.config.stash.get(OUTCOMES, []), session.config.getoption("--campaign-out")
    if found and folder:
        write_table(found, Path(folder))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the counts."""
    if found := config.stash.get(OUTCOMES, []):
        terminalreporter.section("campaign")
        for line in counts(found):
            terminalreporter.write_line(line)
