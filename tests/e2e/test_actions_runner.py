"""From the label to the pull request with the work done in a job of GitHub Actions.

The job is a real process with the environment of a job and no permission on GitHub. It reaches the web app
alone.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.launchers.actions.launcher import actions_launcher
from bot.launchers.dispatcher import Dispatcher
from bot.log.events import PhaseStarted
from bot.runs.driver import Driver
from bot.worker.processes import free_port
from tests.standins.github_server import GitHubServer
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.on_github import SECRET, Both, end, own_comments, pull_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("actions")
TEMPLATE = Path(__file__).parents[2] / "ci" / "scenarist.github-actions.yml"
RUNNER_SECRET = "a-secret-of-thirty-two-characters"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder, port = tmp_path_factory.mktemp("actions"), free_port()
    files = {**CALC, ".github/workflows/scenarist.yml": TEMPLATE.read_text()}
    hook = f"http://127.0.0.1:{port}/webhooks/github"
    with GitHubServer(folder, files, hook, SECRET) as github:
        github.granted["actions"] = "write"
        settings = {**github.settings(), "runner": "actions", "runner_secret": RUNNER_SECRET}
        with BotUnderTest(settings, port) as bot, dispatching(bot):
            yield github, bot
    assert github.violations == []


class dispatching:  # noqa: N801 - used as a function
    """A dispatcher in a thread, as `scenarist dispatch` is one."""

    def __init__(self, bot: BotUnderTest) -> None:
        driver = Driver(bot.store, {}, worker="dispatcher", lease_seconds=30, changed=lambda *_: None)
        launcher = actions_launcher(bot.settings, bot.store)
        self._dispatcher = Dispatcher(
            bot.store, launcher, driver, holder="dispatcher", lease_seconds=30, leave_seconds=0
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._dispatcher.run, args=(self._stopping, 0.3))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


def begin(both: Both, job: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """Start the job's step as a self-hosted runner does."""
    github, bot = both
    folder.mkdir()
    event = folder / "event.json"
    event.write_text(json.dumps({"inputs": job["inputs"], "repository": {"full_name": github.repo}}))
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "workflow_dispatch",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_TOKEN": "ghs_without-any-permission",
        "RUNNER_TEMP": str(folder),
        "AGENT_RUNTIME_MODE": "local",
        "SCENARIST_MODEL_URL": bot.chat.url,
        "SCENARIST_MODEL_NAME": "scripted",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "action"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def taken(github: GitHubServer) -> dict[str, Any]:
    return wait_until(github.take_job, "a job")


def asked(both: Both, title: str) -> int:
    github, bot = both
    number = github.open_issue("ada", title, "It should double numbers: 4 becomes 8.")
    bot.script([draft()], doubling())
    github.label(number, "agent:implement", "ada")
    return number


def test_the_work_of_a_run_is_done_in_a_job_without_permissions(both: Both, tmp_path: Path) -> None:
    github, bot = both
    number = asked(both, "Double numbers")
    job = taken(github)
    assert job["source"]["permissions"] == {}
    with begin(both, job, tmp_path / "job") as process:
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    github.end_workflow(job, "success")
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason, said)
    assert state.verdict is not None
    assert github.pulls[pull_of(github, number)]["sha"] == state.verdict.head_sha
    [run] = bot.store.list_runs(target=f"github:octo/calc:issue:{number}")
    workers = {
        entry.event.phase: entry.event.worker
        for entry in bot.store.entries(run.id)
        if isinstance(entry.event, PhaseStarted)
    }
    where = {phase for phase, worker in workers.items() if worker == job["display_title"]}
    assert where == {"specify", "baseline", "implement", "verify"}
    assert said.startswith(f"::add-mask::{job['inputs']['token']}\n"), "Actions hides it in the job's log"
    assert job["inputs"]["token"] not in said.partition("\n")[2]
    assert own_comments(github, number)


def test_a_cancelled_run_ends_its_job(both: Both, tmp_path: Path) -> None:
    github, bot = both
    number = asked(both, "Double other numbers")
    began, go_on = threading.Event(), threading.Event()

    def slow(_request: dict[str, Any]) -> Any:
        began.set()
        go_on.wait(300)
        return draft()

    bot.script([slow], doubling())
    job = taken(github)
    with begin(both, job, tmp_path / "job") as process:
        assert began.wait(300)
        github.say(number, "ada", "/agent cancel")
        said, _ = process.communicate(timeout=300)
    go_on.set()
    assert process.returncode == 0, said
    assert end(bot, "issue", number).status == "cancelled"
    wait_until(lambda: job["status"] == "completed", "the end of the job on GitHub")
    assert job["conclusion"] == "cancelled"
