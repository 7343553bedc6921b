from pathlib import Path

import pytest

from tests.support.snapshots import Make, committing


@pytest.fixture
def commit(tmp_path: Path) -> Make:
    return committing(tmp_path)
