"""The baseline: an environment in which the tests cannot be run is no environment.

A model may find the commands.
"""

import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runners.contract.budget import Spent
from runners.contract.events import BaselineReached, ModelReplied
from runners.contract.job import Job, RunSettings
from runners.contract.workorder import WorkOrder
from runners.environment.prepare import Environments
from runners.environment.readiness import NotReady
from runners.loop.services import Services
from runners.models.chat import Reply
from runners.phases.baseline import baseline
from runners.phases.given.checkout import environment_of
from runners.sandbox.limits import CommandLimits
from tests.support.workbench import Workbench

ORDER = WorkOrder(kind="implement", number=1, title="x", body="", requested_by="ada", requested_at="")
# `cowsay` is named nowhere.
FILES = {
    "requirements.txt": "six\n",
    "test_a.py": "import cowsay\nimport six\n\n\ndef test_it():\n    pass\n",
}


@dataclass(frozen=True)
class Scripted(Services):
    """Services whose model answers with the same commands each time."""

    commands: tuple[str, ...] = ()

    def ask(self, role: Any, phase: Any, messages: Any, **_: Any) -> ModelReplied:
        text = json.dumps({"commands": self.commands})
        return ModelReplied(phase=phase, reply=Reply(text=text), seconds=1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "state")


def made(bench: Workbench, *commands: str) -> tuple[Job, Scripted]:
    limits = CommandLimits(wall_s=120)
    services = Scripted(
        workspaces=bench.workspaces,
        models=None,
        log=lambda *_: None,
        artifact=lambda _: None,
        limits=limits,
        environments=Environments(bench.workspaces, limits, unsafe=False),
        cancel=threading.Event(),
        commands=commands,
    )
    base = bench.commit(FILES)
    return Job("run", "local", "o/r", ORDER, base, RunSettings(), (), Spent()), services


def test_tests_that_miss_a_module_end_the_run_with_what_is_missing(bench: Workbench) -> None:
    job, services = made(bench, "false")
    with pytest.raises(NotReady, match=r"pytest misses `cowsay`.*requirements\.txt"):
        baseline(job, services)


def test_commands_of_a_model_that_worked_are_kept_for_the_rest_of_the_run(bench: Workbench) -> None:
    commands = ("pip install -r requirements.txt cowsay",)
    job, services = made(bench, *commands)
    result = baseline(job, services)
    reached = result.events[-1]
    assert isinstance(reached, BaselineReached) and reached.setup == commands
    assert reached.suites[0].counts.passed == 1
    assert [event.phase for event in result.events[:-1] if isinstance(event, ModelReplied)] == ["setup"]
    later = environment_of(replace(job, events=tuple(result.events)), services)
    assert later.folder is not None and list(later.folder.glob("venv/lib/*/site-packages/cowsay"))
