"""Coverage that falls below a repository's threshold fails no run: the verdict is about tests."""

from pathlib import Path

from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.suites import Suites
from tests.support.waiting import HANG_S

# It reads its options and fails a run in the same places as pytest-cov.
_COVERAGE = """
import pytest


class Coverage:
    def pytest_runtestloop(self, session):
        session.testsfailed += 1


def pytest_addoption(parser):
    parser.addoption("--cov-fail-under", dest="cov_fail_under")
    parser.addoption("--no-cov", dest="no_cov", action="store_true")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    if not early_config.known_args_namespace.no_cov:
        early_config.pluginmanager.register(Coverage(), "_cov")
"""


def test_coverage_is_not_measured(tmp_path: Path) -> None:
    (tmp_path / "measures.py").write_text(_COVERAGE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p measures --cov-fail-under=100\n")
    (tmp_path / "test_a.py").write_text("def test_a():\n    pass\n\n\ndef test_b():\n    assert False\n")
    limits = CommandLimits(wall_s=HANG_S)
    suites = Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=limits), features="features"
    )
    run = suites.pytest(tmp_path)
    assert run.outcomes == {"test_a.py::test_a": "passed", "test_a.py::test_b": "failed"}
    (tmp_path / "test_a.py").write_text("def test_a():\n    pass\n")
    assert suites.pytest(tmp_path).broken is None
