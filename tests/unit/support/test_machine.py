"""What the tests need of the machine: looked for late, and its absence told once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import machine

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest

@pytest.mark.needs("something")
def test_needs_it(): ...

@pytest.mark.needs("something")
def test_needs_it_too(): ...

def test_needs_nothing(): ...
"""
CONFTEST = """
import pytest
from tests.support import machine

def probe():
    print("looked for")
    raise OSError("storage/run: Directory not empty")

machine._PROBES["something"] = probe

def pytest_runtest_setup(item):
    machine.skip_without(item)
"""


def test_a_probe_that_breaks_costs_its_own_tests_one_reason_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs(what)\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-s", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "1 passed, 2 skipped" in done.stdout, done.stdout
    reason = "needs something: looking for it failed: OSError: storage/run: Directory not empty"
    assert done.stdout.count(reason) == 1 and "SKIPPED [2]" in done.stdout
    assert done.stdout.count("looked for\n") == 1


def test_nothing_is_started_while_tests_are_collected(tmp_path: Path) -> None:
    for program in ("podman", "runc", "node", "postgres", "initdb", "redis-server"):
        (tmp_path / program).write_text(f"#!/bin/sh\necho {program} >>{tmp_path}/started\n")
        (tmp_path / program).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert subprocess.run(["podman"], env={"PATH": path}, check=True).returncode == 0
    assert (tmp_path / "started").read_text() == "podman\n", "the control"
    (tmp_path / "started").unlink()
    folders = ["tests/security", "tests/e2e", "tests/unit/runners/tools"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *folders],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "started").exists()


def test_a_need_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        machine.missing("a pony")
