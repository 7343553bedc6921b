"""From a label to a pull request with the phases in Kubernetes Jobs, over the stand-in's real sockets."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.forges.forge import Repo
from bot.log.events import PhaseDelayed, PhaseStarted
from bot.worker.processes import scenarist
from tests.chaos.moments import assert_exactly_one
from tests.support.harness import doubling, draft
from tests.support.on_kubernetes import BotOnKubernetes
from tests.support.talking import InterruptedModel
from tests.support.waiting import HANG_S, wait_until

pytestmark = pytest.mark.xdist_group("kubernetes")


@pytest.fixture(scope="module")
def bot() -> Iterator[BotOnKubernetes]:
    with BotOnKubernetes(dispatchers=2) as bot:
        yield bot


def begin(bot: BotOnKubernetes, name: str) -> tuple[Repo, int]:
    repo = bot.make_repo(name)
    bot.script([draft()], doubling())
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    return repo, number


def working_on(bot: BotOnKubernetes, run: str, phase: str, *before: str) -> str:
    """Wait until a Job other than those `before` works on a phase of the run; returns the Job."""

    def job() -> str | None:
        events = [entry.event for entry in bot.store.entries(run)]
        found = [each.worker for each in events if isinstance(each, PhaseStarted) and each.phase == phase]
        return found[-1] if found and found[-1] not in before else None

    return wait_until(job, f"a Job that works on {phase}")


def test_a_label_becomes_a_pull_request_in_a_job(bot: BotOnKubernetes) -> None:
    repo, number = begin(bot, "octo/plain")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert_exactly_one(bot, repo, number)
    (run,) = bot.runs_on(repo, "issue", number)
    (made,) = [name for name in bot.cluster.made if run.lower() in name]
    started = [each.event for each in bot.store.entries(run) if isinstance(each.event, PhaseStarted)]
    places = {each.phase: (each.runner, each.worker == made) for each in started}
    assert places == {
        "prepare": ("celery", False),
        "specify": ("kubernetes", True),
        "baseline": ("kubernetes", True),
        "implement": ("kubernetes", True),
        "verify": ("kubernetes", True),
        "publish": ("celery", False),
    }, "one Job for the chain of phases"
    assert bot.api.violations == []


def test_what_happens_to_pods_api_watches_and_dispatchers_loses_and_doubles_nothing(
    bot: BotOnKubernetes,
) -> None:
    bot.api.away = True
    repo, number = begin(bot, "octo/disturbed")
    wait_until(lambda: bot.runs_on(repo, "issue", number), "the run")
    (run,) = bot.runs_on(repo, "issue", number)
    wait_until(lambda: bot.store.status(run) == ("active", "specify"), "the first phase for a runner")
    assert not [name for name in bot.cluster.made if run.lower() in name]
    bot.api.away = False
    first = working_on(bot, run, "specify")
    bot.cluster.delete_pod(first)
    bot.api.cut_watches()
    second = working_on(bot, run, "implement", first)
    bot.group.kill("dispatch-0")
    assert bot.group.revive() == ["dispatch-0"]
    bot.cluster.lose_node(second)
    bot.cluster.evict(working_on(bot, run, "verify", first, second))
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert_exactly_one(bot, repo, number)
    events = [entry.event for entry in bot.store.entries(run)]
    assert [each.code for each in events if isinstance(each, PhaseDelayed)] == ["SCN-6207"]
    made = [name for name in bot.cluster.made if run.lower() in name]
    assert len(made) == len(set(made)) >= 3, made
    assert bot.api.violations == []


@pytest.mark.slow
def test_approval_comments_and_a_pause_reach_a_run_that_is_done_in_jobs(bot: BotOnKubernetes) -> None:
    repo = bot.make_repo("octo/talk")
    model = InterruptedModel(bot)
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number

    def say(text: str) -> None:
        bot.forge.add_comment(repo.full_name, number, "ada", text)

    bot.forge.add_label(repo.full_name, number, "agent:spec", "ada")
    assert bot.finished(repo, "issue", number).status == "paused"
    (run,) = bot.runs_on(repo, "issue", number)
    say("/agent approve")
    assert model.began.wait(HANG_S)
    say("Mind the negative numbers.")
    say("/agent pause")
    made = [name for name in bot.cluster.made if run.lower() in name]
    wait_until(lambda: bot.cluster.has_ended(made[-1]), "the end of the second Job")
    assert bot.state(run).status == "paused"
    model.go_on.set()
    say("/agent resume")
    wait_until(lambda: bot.state(run).status not in ("active", "paused"), "the end of the run")
    state = bot.finished(repo, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert len(bot.forge.pulls_by_head(repo, f"agent/{number}-double-numbers")) == 1
    assert "Mind the negative numbers." not in str(model.requests[0])
    assert "Mind the negative numbers." in str(model.requests[1])
    assert len([name for name in bot.cluster.made if run.lower() in name]) == 3


@pytest.mark.slow
def test_a_cancelled_run_ends_its_job(bot: BotOnKubernetes) -> None:
    repo = bot.make_repo("octo/cancelled")
    model = InterruptedModel(bot)
    number = bot.forge.open_issue(repo.full_name, "ada", "Double numbers", "4 becomes 8, please.").number
    bot.forge.add_label(repo.full_name, number, "agent:implement", "ada")
    assert model.began.wait(HANG_S)
    (run,) = bot.runs_on(repo, "issue", number)
    (job,) = [name for name in bot.cluster.made if run.lower() in name]
    assert not bot.cluster.has_ended(job)
    bot.forge.add_comment(repo.full_name, number, "ada", "/agent cancel")
    wait_until(lambda: bot.cluster.has_ended(job), "the end of the Job")
    model.go_on.set()
    assert bot.finished(repo, "issue", number).status == "cancelled"
    assert bot.api.violations == []


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["bubblewrap", "pod"])
def test_a_worker_that_waits_does_one_run_and_leaves(tmp_path: Path, sandbox: str) -> None:
    words = scenarist("worker", "--next", "--wait", "600")
    with BotOnKubernetes(dispatchers=0) as bot:
        env = {**os.environ, **bot.env, "SCENARIST_STATE_DIR": str(tmp_path / "state")}
        if sandbox == "pod":
            env["SCENARIST_UNSAFE_NO_SANDBOX"] = "true"
            if os.geteuid() == 0:  # as in a pod
                words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *words]
        with subprocess.Popen(words, env=env) as worker:
            repo, number = begin(bot, "octo/next")
            assert worker.wait(HANG_S) == 0
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", (state.code, state.reason)
        assert state.only_pod == (sandbox == "pod")
        assert_exactly_one(bot, repo, number)
        assert bot.cluster.made == [], "no Job was made for it"


@pytest.mark.slow
def test_pods_that_reach_the_web_app_alone_do_a_run() -> None:
    with BotOnKubernetes(through_web=True) as bot:
        repo, number = begin(bot, "octo/web")
        state = bot.finished(repo, "issue", number)
        assert state.status == "done", (state.code, state.reason)
        assert_exactly_one(bot, repo, number)
        (made,) = bot.cluster.made
        (run,) = bot.runs_on(repo, "issue", number)
        events = [entry.event for entry in bot.store.entries(run)]
        started = [each for each in events if isinstance(each, PhaseStarted) and each.worker == made]
        assert {(each.phase, each.runner) for each in started} == {
            (phase, "kubernetes") for phase in ("specify", "baseline", "implement", "verify")
        }
        assert bot.api.violations == []
