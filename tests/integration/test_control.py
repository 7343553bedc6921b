"""Pause, resume, cancel and retry, while commands and model requests are under way."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.forges.forge import Repo
from bot.log.state import RunState
from bot.worker.celery_app import CONTROL, make_celery
from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import call
from tests.support.harness import BotUnderTest, doubling, draft, says
from tests.support.processes import sandboxes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("control")  # one bot for all


@pytest.fixture(scope="module")
def bot() -> Iterator[BotUnderTest]:
    with BotUnderTest({"control_token": "an-operators-token"}) as bot:
        yield bot


def scenarist(bot: BotUnderTest, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bot", *args],
        env={"PATH": "/usr/bin:/bin", "SCENARIST_STATE_DIR": str(bot.state_dir)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def begin(bot: BotUnderTest, name: str) -> tuple[Repo, int, str]:
    repo = bot.make_repo(f"octo/{name}")
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    return repo, number, wait_until(lambda: bot.runs_on(repo, "issue", number), "a run")[0]


def ended(bot: BotUnderTest, run: str) -> RunState:
    state = wait_until(lambda: (s := bot.state(run)).status not in ("active", "paused") and s, "the end")
    assert isinstance(state, RunState)
    wait_until(lambda: bot.store.reports.is_current(run), "its report")
    return state


def test_cancelling_ends_a_command_that_runs(bot: BotUnderTest) -> None:
    bot.script([draft()], [says(call("shell", command="sleep 1000", timeout_s=500))])
    repo, number, run = begin(bot, "command")
    wait_until(lambda: sandboxes(bot.state_dir), "the command")
    assert scenarist(bot, "cancel", run).returncode == 0
    wait_until(lambda: not sandboxes(bot.state_dir), "the end of the command")
    state = ended(bot, run)
    assert state.status == "cancelled"
    wait_until(lambda: "was cancelled" in bot.forge.comments(repo, number)[0].body, "the comment's end")
    assert not list((bot.state_dir / "work").glob(f"{run}*"))


def test_cancelling_ends_a_model_request_and_its_connection(bot: BotUnderTest) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(_request: dict[str, Any]) -> Reply:
        asked.set()
        release.wait(60)
        return says(call("finish", summary="Too late."))

    bot.script([draft()], [slow])
    _repo, _number, run = begin(bot, "request")
    assert asked.wait(60)
    assert scenarist(bot, "cancel", run).returncode == 0
    state = ended(bot, run)
    release.set()
    assert state.status == "cancelled" and state.spent.turns == 1, "only the specification was paid for"


def test_a_paused_run_waits_and_goes_on_from_its_last_turn(bot: BotUnderTest) -> None:
    held, release = threading.Event(), threading.Event()
    turns = doubling()
    wait_here = turns[2]

    def third(_request: dict[str, Any]) -> Reply:
        held.set()
        release.wait(60)
        assert isinstance(wait_here, Reply)
        return wait_here

    bot.script([draft()], [*turns[:2], third, turns[3]])
    _repo, _number, run = begin(bot, "pause")
    assert held.wait(60)
    assert scenarist(bot, "pause", run).returncode == 0
    paid = bot.state(run).spent.turns
    release.set()
    wait_until(lambda: not list((bot.state_dir / "work").glob(f"{run}*")), "the end of the phase in hand")
    assert bot.state(run).status == "paused" and bot.state(run).spent.turns == paid
    assert scenarist(bot, "resume", run).returncode == 0
    state = ended(bot, run)
    assert state.status == "done", (state.code, state.reason)
    assert state.spent.turns == 1 + len(turns) + 1, "no turn was paid for twice; one answers the checklist"


def test_a_run_that_failed_can_be_retried(bot: BotUnderTest) -> None:
    bot.script([draft()], [says(call("give_up", reason="Not today."))])
    _repo, _number, run = begin(bot, "retry")
    assert ended(bot, run).status == "gave_up"
    assert scenarist(bot, "resume", run).returncode == 2
    again = [says(call("give_up", reason="Not today.")), *doubling()]
    bot.script([draft()], again)
    refused = scenarist(bot, "retry", run, "--phase", "conclude")
    assert refused.returncode == 2
    assert scenarist(bot, "retry", run, "--phase", "implement").returncode == 0
    state = ended(bot, run)
    assert state.status == "done", (state.code, state.reason)


@pytest.mark.parametrize("what", ["label", "issue"])
def test_what_is_not_wanted_any_more_is_cancelled(bot: BotUnderTest, what: str) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(_request: dict[str, Any]) -> Reply:
        asked.set()
        release.wait(60)
        return says(call("finish", summary="Too late."))

    bot.script([draft()], [slow])
    repo, number, run = begin(bot, f"withdrawn-{what}")
    assert asked.wait(60)
    if what == "label":
        bot.forge.remove_label(repo.full_name, number, "agent:implement", "ada")
    else:
        bot.forge.close_issue(repo.full_name, number, "ada")
    state = ended(bot, run)
    release.set()
    assert state.status == "cancelled" and "by ada" in state.reason


def test_an_unknown_run_is_named(bot: BotUnderTest) -> None:
    done = scenarist(bot, "cancel", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert done.returncode == 2
    assert done.stderr.startswith("SCN-7004")


def test_a_closed_pull_request_whose_branch_is_gone_is_not_opened_anew(bot: BotUnderTest) -> None:
    for turn in (1, 2):
        bot.script([draft()], doubling())
        if turn == 1:
            repo, number, _ = begin(bot, "again")
        else:
            bot.forge.remove_label(repo.full_name, number, "agent:implement", "ada")
            bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
            wait_until(lambda: len(bot.runs_on(repo, "issue", number)) == 2, "the second run")  # noqa: B023 - called at once
        state = ended(bot, bot.runs_on(repo, "issue", number)[0])
        assert state.status == "done" and state.published is not None, state.reason
        pull = bot.forge.pull(repo, state.published.pull)
        assert pull.head == f"agent/{number}-double-numbers" + ("" if turn == 1 else "-2")
        assert "Another pull request for the same issue" not in pull.body
        data = bot.forge._get(repo.full_name, "pull", pull.number)
        bot.forge._put(repo.full_name, "pull", pull.number, 0, {**data, "state": "closed"})
        git("update-ref", "-d", f"refs/heads/{pull.head}", git_dir=bot.forge.path(repo.full_name))


def test_a_second_pull_request_for_an_issue_names_the_open_first(bot: BotUnderTest) -> None:
    bot.script([draft()], doubling())
    repo, number, run = begin(bot, "twice")
    first = ended(bot, run)
    bot.script([draft()], doubling())
    bot.forge.remove_label(repo.full_name, number, "agent:implement", "ada")
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    wait_until(lambda: len(bot.runs_on(repo, "issue", number)) == 2, "the second run")
    second = ended(bot, bot.runs_on(repo, "issue", number)[0])
    assert first.published is not None and second.published is not None, second.reason
    body = bot.forge.pull(repo, second.published.pull).body
    assert f"**Another pull request for the same issue is open: #{first.published.pull}.**" in body
    assert "Another pull request for the same issue" not in bot.forge.pull(repo, first.published.pull).body


def test_control_over_http_needs_the_operators_token(bot: BotUnderTest) -> None:
    bot.script([draft()], [says(call("shell", command="sleep 1000", timeout_s=500))])
    _, _, run = begin(bot, "http")
    wait_until(lambda: sandboxes(bot.state_dir), "the command")
    url = f"http://127.0.0.1:{bot.port}/runs"
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = httpx.post(f"{url}/{run}/cancel", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "SCN-1207")
    token = {"Authorization": "Bearer an-operators-token"}
    assert httpx.get(f"{url}/{run}/cancel", headers=token).status_code == 405
    assert (
        httpx.post(f"{url}/01J00000000000000000000000/cancel", headers=token).json()["error"]["code"]
        == "SCN-7004"
    )
    assert httpx.post(f"{url}/{run}/explode", headers=token).status_code == 409
    assert httpx.post(f"{url}/{run}/cancel", headers=token).status_code == 200
    state = ended(bot, run)
    assert state.status == "cancelled" and "over HTTP" in state.reason
    again = httpx.post(f"{url}/{run}/pause", headers=token)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "SCN-7007")


def test_control_by_a_message(bot: BotUnderTest) -> None:
    bot.script([draft()], [says(call("shell", command="sleep 1000", timeout_s=500))])
    _, _, run = begin(bot, "message")
    wait_until(lambda: sandboxes(bot.state_dir), "the command")
    celery = make_celery(f"redis+socket://{bot.state_dir / 'redis' / 'redis.sock'}")
    celery.send_task(CONTROL, args=["01J00000000000000000000000", "cancel", "ops"], queue="intake")
    celery.send_task(CONTROL, args=[run, "cancel", "ops"], queue="intake")
    state = ended(bot, run)
    assert state.status == "cancelled" and "By ops by a message" in state.reason
