"""`scenarist eval` on a set of its own, with recorded replies: ends of every kind, and a harness that is
killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.evaluation.attempts import EvalResults
from bot.storage.database import connect
from bot.storage.store import Store
from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.harness import CALC, doubling, draft, says
from tests.support.waiting import HANG_S

HIDDEN = "from calc import double\n\n\ndef test_double():\n    assert double(5) == 10\n"
ISSUE = "Double numbers\n\n`calc.double` is missing: 4 becomes 8.\n"
GIVES_UP = says(call("give_up", reason="The issue and its test contradict each other."))


def recording(path: Path, specify: Sequence[Any], implement: Sequence[Any]) -> None:
    """Write a recording of these replies."""
    phases = {"specify": specify, "implement": implement}
    replies: list[tuple[str, Reply]] = [(name, each) for name, turns in phases.items() for each in turns]
    lines = [
        json.dumps({"type": "ModelReplied", "phase": name, "reply": each.model_dump(mode="json")})
        for name, each in replies
    ]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A set of three tasks, and a recording of each."""
    task = {"kind": "feature", "issue": ISSUE, "base": {"texts": CALC}}
    hidden = {"files": [{"texts": {"test_hidden.py": HIDDEN}}]}
    tasks = [
        {"id": "right", **task, "hidden": hidden},
        # Its scenario is green, and its code is right for this number only.
        {"id": "lazy", **task, "hidden": hidden},
        {"id": "contradiction", **task, "impossible": "A test wants another number than the issue."},
    ]
    (tmp_path / "set.yml").write_text(yaml.safe_dump({"name": "own", "tasks": tasks}))
    (tmp_path / "recordings").mkdir()
    for name, body in (("right", "return 2 * n"), ("lazy", "return n + 4")):
        # A model that is asked to look over its work says once more that it is done.
        turns = doubling(body)
        recording(tmp_path / "recordings" / f"{name}.jsonl", [draft()], [*turns, turns[-1]])
    recording(tmp_path / "recordings" / "contradiction.jsonl", [draft()], [GIVES_UP])
    return tmp_path


def holds(mirror: Path, blob: str) -> bool:
    """Whether the mirror has this object, referenced or not."""
    return git("cat-file", "--batch-check", git_dir=mirror, stdin=f"{blob}\n".encode()).startswith(
        f"{blob} blob"
    )


def evaluate(place: Path, *more: str) -> "subprocess.Popen[str]":
    words = ["eval", "run", "set.yml", "--recordings", "recordings", "--out", "out", *more]
    env = {name: value for name, value in os.environ.items() if not name.startswith("SCENARIST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *words],
        cwd=place,
        env={**env, "SCENARIST_LEASE_SECONDS": "2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_evaluation_goes_on_and_repeats_nothing(place: Path) -> None:
    first = evaluate(place, "--jobs", "2")
    assert first.stdout is not None
    line = first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.wait(HANG_S)
    assert "(1): " in line, line
    before = EvalResults(place / "out").attempts()
    assert 0 < len(before) < 3
    second = evaluate(place, "--jobs", "2")
    said, _ = second.communicate(timeout=HANG_S * 5)
    assert second.returncode == 0, said
    attempts = {each.task: each for each in EvalResults(place / "out").attempts()}
    outcomes = {name: each.outcome for name, each in attempts.items()}
    assert outcomes == {"right": "resolved", "lazy": "false green", "contradiction": "refused"}, said
    assert before[0] == attempts[before[0].task], "what had ended stays as it was"
    assert attempts["lazy"].hidden is not None
    assert attempts["lazy"].hidden.failed == ("test_hidden.py::test_double",)
    store = Store(connect(f"sqlite:///{place / 'out' / 'state' / 'scenarist.db'}"))
    assert len(store.list_runs()) == 3, "an unfinished run is continued, not begun again"
    assert "test_hidden" not in "".join(
        entry.model_dump_json() for run in store.list_runs() for entry in store.entries(run.id)
    )
    hidden = hashlib.sha1(f"blob {len(HIDDEN)}\0{HIDDEN}".encode(), usedforsecurity=False).hexdigest()
    state = place / "out" / "state"
    runs, judged = ([*folder.glob("mirrors/*.git")] for folder in (state, state / "hidden"))
    assert len(runs) == 3 and not any(holds(each, hidden) for each in runs), "no later run can read them"
    assert len(judged) == 2 and all(holds(each, hidden) for each in judged)
    assert "lazy: false green" in said and "1 of 2" in said
