"""What people see of errors on the command line: one line with a code and a next step, never a trace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def scenarist(folder: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], "SCENARIST_STATE_DIR": str(folder), **more}
    return subprocess.run(
        [sys.executable, "-m", "bot", *words], env=env, capture_output=True, text=True, cwd=folder.parent
    )


@pytest.mark.parametrize("command", [("runs",), ("costs",), ("log", "x"), ("cancel", "x"), ("audit", "x")])
def test_a_database_without_a_schema(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "state").mkdir()
    done = scenarist(tmp_path / "state", *command, PYTHONPATH=str(Path(__file__).parents[4]))
    assert done.returncode == 2
    assert done.stderr.startswith("SCN-6003: The database cannot be used: no such table: ")
    assert "scenarist migrate" in done.stderr and "Traceback" not in done.stderr


def test_a_database_that_is_away_is_told_without_its_password(tmp_path: Path, closed_port: int) -> None:
    url = f"postgresql://me:hunter2@127.0.0.1:{closed_port}/x"
    done = scenarist(tmp_path, "runs", SCENARIST_DATABASE_URL=url, PYTHONPATH=str(Path(__file__).parents[4]))
    assert done.returncode == 2
    assert "SCN-6003" in done.stderr and "refused" in done.stderr and "hunter2" not in done.stderr


def test_after_migrating_all_is_well(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[4])
    assert scenarist(tmp_path, "migrate", PYTHONPATH=root).returncode == 0
    assert scenarist(tmp_path, "costs", PYTHONPATH=root).returncode == 0
    done = scenarist(tmp_path, "cancel", "nobody", PYTHONPATH=root)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "SCN-7004")
