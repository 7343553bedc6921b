"""An environment is ready when the suites of the base can be run in it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.environment.finding.sources import Sources
from runners.environment.missing import LOOK_FOR_FIXTURES, missing_from, plugins_for_fixtures
from runners.environment.readiness import NotReady, judge
from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Failure, Outcome

FILES = {"pkg/__init__.py": "", "requirements.in": "nothing", "deep/env/requirements.txt": "not-there==1"}
MISSING = "E   ModuleNotFoundError: No module named 'not_there.sub'"


def run(outcomes: Mapping[str, Outcome], messages: Mapping[str, str], **more: str) -> SuiteRun:
    failures = tuple(Failure(test=test, message=text) for test, text in messages.items())
    return SuiteRun(command="x", outcomes=dict(outcomes), failures=failures, **more)


SOURCES = Sources.of_files(FILES)


def test_suites_that_cannot_import_most_of_their_files_are_not_ready() -> None:
    half = run({"a.py": "error", "b.py::x": "passed"}, {"a.py": MISSING})
    found = judge({"pytest": half}, SOURCES)
    assert not found.ready and found.missing == ("not_there.sub",)
    assert found.cause == "pytest misses `not_there.sub`"
    assert found.files[0] == "deep/env/requirements.txt", "the one that names it comes first"
    with pytest.raises(NotReady, match=r"not_there.*deep/env/requirements\.txt"):
        found.demand()


def test_suites_of_which_most_runs_are_ready_whatever_fails() -> None:
    outcomes: dict[str, Outcome] = {"a.py": "error", "b.py::x": "passed", "c.py::x": "passed"}
    assert judge({"pytest": run(outcomes, {"a.py": MISSING})}, SOURCES).ready
    failing = run({"a.py::x": "failed"}, {"a.py::x": "assert 1 == 2"})
    assert judge({"pytest": failing, "behave": run({}, {})}, SOURCES).ready
    inside = run({"a.py::x": "failed", "a.py::y": "passed"}, {"a.py::x": MISSING})
    assert judge({"pytest": inside}, SOURCES).ready, "a file of which anything passes could be imported"


def test_a_runner_that_cannot_start_for_want_of_a_plugin_is_not_ready() -> None:
    log = "ERROR: usage: pytest\npytest: error: unrecognized arguments: --cov=pkg -n auto"
    found = judge({"pytest": run({}, {}, broken="pytest could not run", log=log)}, SOURCES)
    assert found.missing == ("pytest-cov", "pytest-xdist")
    assert judge({"pytest": run({}, {}, broken="pytest could not run", log="INTERNALERROR")}, SOURCES).ready


def test_what_was_left_out_is_named_as_the_cause() -> None:
    note = "extra `x` of pyproject.toml was left out, because it cannot be installed: no not-there."
    found = judge({"pytest": run({"a.py": "error"}, {"a.py": MISSING})}, SOURCES, [note])
    assert "(extra `x` of pyproject.toml was left out" in found.cause


def test_what_a_runner_says_is_missing_is_read() -> None:
    said = "\n".join(
        [
            "E   ModuleNotFoundError: No module named 'pkg._fast'",
            "ImportError: No module named yaml",
            "pytest: error: Missing required plugins: pytest-asyncio>=0.21, pytest-mock",
            "E       fixture 'httpx_mock' not found",
            "PytestConfigWarning: Failed to import filter module 'trio'",
            "RuntimeError: The shop.testclient module requires the httpx2 package to be installed.",
        ]
    )
    found = missing_from(said, frozenset({"pkg"}))
    assert found.modules == ("yaml", "trio") and found.own == ("pkg._fast",)
    assert found.plugins == ("pytest-httpx", "httpx2", "pytest-asyncio", "pytest-mock")


def test_plugins_are_known_by_the_fixtures_that_tests_take(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "def test_a(tmp_path, mocker):\n    pass\n\n\ndef test_b(requests_mock): ...\n"
    )
    (tmp_path / "conftest_test.py").write_text(
        "def requests_mock():\n    pass\n\n\ndef httpbin_url(x):\n    pass\n"
    )
    (tmp_path / "code.py").write_text("def other(httpserver):\n    pass\n")
    said = subprocess.run(
        ["bash", "-c", LOOK_FOR_FIXTURES], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert plugins_for_fixtures(said) == ["pytest-mock"]
    assert plugins_for_fixtures("") == []


def test_marks_and_settings_name_their_plugins() -> None:
    said = (
        "'asyncio' not found in `markers` configuration option\n"
        "PytestUnknownMarkWarning: Unknown pytest.mark.django_db - is this a typo?\n"
        "ERROR: Unknown config option: timeout\nPytestUnknownMarkWarning: Unknown pytest.mark.slow\n"
        "PytestConfigWarning: Unknown config option: our_own\n"
    )
    assert missing_from(said).plugins == ("pytest-asyncio", "pytest-django", "pytest-timeout")
