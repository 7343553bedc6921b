"""What the verdicts on small repositories share."""

from pathlib import Path

import pytest

from runners.verify.suites.known import KnownRuns
from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    made = Workbench(tmp_path / "state")
    # Most of these begin with the same base, whose results one test learns for all.
    made.known = KnownRuns(tmp_path_factory.getbasetemp() / "known", "the tests' own")
    return made
