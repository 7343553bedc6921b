"""From the label to the pull request with the work done in a job of GitHub Actions.

The job is a real process with the environment of a job and no permission on GitHub. It reaches the web app
alone.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.log.events import PhaseStarted
from bot.worker.processes import free_port
from tests.standins.github_server import GitHubServer
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.on_actions import RUNNER_SECRET, TEMPLATE, DispatcherThread, SelfHosted, begin
from tests.support.on_github import SECRET, Both, end, own_comments, pull_of
from tests.support.talking import InterruptedModel
from tests.support.waiting import HANG_S, wait_until

pytestmark = pytest.mark.xdist_group("actions")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder, port = tmp_path_factory.mktemp("actions"), free_port()
    files = {**CALC, ".github/workflows/scenarist.yml": TEMPLATE.read_text()}
    hook = f"http://127.0.0.1:{port}/webhooks/github"
    with GitHubServer(folder, files, hook, SECRET) as github:
        github.granted["actions"] = "write"
        settings = {**github.settings(), "runner": "actions", "runner_secret": RUNNER_SECRET}
        with BotUnderTest(settings, port) as bot, DispatcherThread(bot):
            yield github, bot
    assert github.violations == []


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


def test_approval_comments_and_a_pause_reach_a_run_that_is_done_in_jobs(both: Both, tmp_path: Path) -> None:
    github, bot = both
    number = github.open_issue("ada", "Double approved numbers", "It should double numbers: 4 becomes 8.")
    model = InterruptedModel(bot)

    def status() -> str:
        [run] = bot.store.list_runs(target=f"github:octo/calc:issue:{number}")
        return bot.state(run.id).status

    with SelfHosted(both, tmp_path) as runner:
        github.label(number, "agent:spec", "ada")
        assert end(bot, "issue", number).status == "paused"
        assert any("/agent approve" in said for said in own_comments(github, number))
        github.say(number, "ada", "/agent approve")
        assert model.began.wait(HANG_S)
        github.say(number, "ada", "Mind the negative numbers.")
        github.say(number, "ada", "/agent pause")
        wait_until(lambda: len(runner.done) == 2 and status() == "paused", "the end of the second job")
        model.go_on.set()
        github.say(number, "ada", "/agent resume")
        wait_until(lambda: status() not in ("active", "paused"), "the end of the run")
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert [code for _, code, _ in runner.done] == [0, 0, 0], "one for the scenarios, two for the code"
    assert "Mind the negative numbers." not in str(model.requests[0])
    assert "Mind the negative numbers." in str(model.requests[1])
    assert pull_of(github, number)
