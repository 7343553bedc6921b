"""The launcher of jobs in GitHub Actions, against the stand-in over a real socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config.settings import Settings, SettingsInvalid
from bot.launchers.actions.launcher import ActionsLauncher, NotOnGitHub, actions_launcher
from bot.launchers.launcher import LauncherUnavailable, LaunchRefused
from bot.log.events import RunRequested
from bot.remote.tokens import SecretTooShort, Signer
from bot.storage.launches import Launch, WaitingRun, launch_named
from bot.storage.store import Store
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import INSTALLATION
from tests.support.launches import finish_prepare
from tests.support.stores import request

SECRET = "a-secret-of-thirty-two-characters"
TEMPLATE = (Path(__file__).parents[5] / "ci" / "scenarist.github-actions.yml").read_text()
WORKFLOW = ".github/workflows/scenarist.yml"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubServer]:
    with GitHubServer(tmp_path, {WORKFLOW: TEMPLATE}, "http://127.0.0.1:9/", "secret") as server:
        server.granted["actions"] = "write"
        yield server
        assert server.violations == []


def settings(github: GitHubServer, **changes: object) -> Settings:
    given = {"public_url": "https://bot.example.com", "runner_secret": SECRET, **changes}
    return Settings.model_validate({**github.settings(), **given})


@pytest.fixture
def launcher(github: GitHubServer, sqlite_store: Store) -> ActionsLauncher:
    return actions_launcher(settings(github), sqlite_store)


@pytest.fixture
def run(github: GitHubServer, sqlite_store: Store) -> WaitingRun:
    asked: RunRequested = request("k").model_copy(
        update={"forge": "github", "repo": github.repo, "installation": INSTALLATION}
    )
    run_id = sqlite_store.request_run(asked, target="t", exclusive=False) or ""
    finish_prepare(sqlite_store, run_id, "actions")
    [found] = sqlite_store.runs_to_launch("actions", 9)
    return found


def test_a_run_becomes_one_job_that_is_found_by_its_name(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun, sqlite_store: Store
) -> None:
    assert launcher.launched() == []
    launcher.launch(run)
    launcher.launch(run)
    [job] = github.workflow_runs
    assert job["display_title"] == run.launch.name
    assert launch_named(job["display_title"]) == run.launch
    assert job["inputs"]["url"] == "https://bot.example.com"
    token = Signer(SECRET).read(job["inputs"]["token"], sqlite_store.clock())
    assert (token.kind, token.launch, token.fence) == ("launch", run.launch, run.launch.fence)
    [known] = launcher.launched()
    assert (known.launch, known.ended, known.failure) == (run.launch, False, None)
    launcher.launch(run)
    assert len(github.workflow_runs) == 1


def test_another_dispatcher_finds_the_job_too(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun, sqlite_store: Store
) -> None:
    launcher.launch(run)
    other = actions_launcher(settings(github), sqlite_store)
    assert [each.launch for each in other.launched()] == [run.launch]
    other.launch(run)
    assert len(github.workflow_runs) == 1


def test_how_a_job_ended_is_told(github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun) -> None:
    launcher.launch(run)
    job = github.take_job()
    assert job is not None
    github.end_workflow(job, "timed_out")
    [known] = launcher.launched()
    assert known.ended
    assert known.failure is not None
    assert "timed_out" in known.failure.error.message
    assert job["html_url"] in known.failure.error.message
    launcher.launch(run)
    again = github.take_job()
    assert again is not None
    [known] = launcher.launched()
    assert (known.ended, known.failure) == (False, None), "the newest job counts"
    github.end_workflow(again, "success")
    [known] = launcher.launched()
    assert (known.ended, known.failure) == (True, None)


def test_a_job_with_the_name_of_a_run_elsewhere_says_nothing_of_it(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun, sqlite_store: Store
) -> None:
    elsewhere = request("other").model_copy(update={"forge": "github", "repo": "octo/elsewhere"})
    other_id = sqlite_store.request_run(elsewhere, target="other", exclusive=False) or ""
    finish_prepare(sqlite_store, other_id, "kubernetes")
    [other] = sqlite_store.runs_to_launch("kubernetes", 9)
    launcher.launch(run)
    launcher.launch(run.model_copy(update={"launch": other.launch}))
    for job in (github.take_job(), github.take_job()):
        assert job is not None
        github.end_workflow(job, "failure")
    fresh = actions_launcher(settings(github), sqlite_store)
    assert [each.launch for each in fresh.launched()] == [run.launch]


def test_a_job_is_cancelled_and_one_that_ended_is_left_alone(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun
) -> None:
    launcher.launch(run)
    launcher.launched()
    launcher.stop(run.launch)
    assert github.workflow_runs[0]["conclusion"] == "cancelled"
    launcher.launched()
    launcher.stop(run.launch)
    launcher.stop(Launch(run_id="0" * 26, fence=1))
    assert len([each for each in github.requests if each[1].endswith("/cancel")]) == 1


def test_what_keeps_a_job_from_starting_is_said(
    github: GitHubServer, run: WaitingRun, sqlite_store: Store
) -> None:
    elsewhere = actions_launcher(settings(github, actions_workflow="other.yml"), sqlite_store)
    with pytest.raises(LaunchRefused, match=r"404.*other\.yml"):
        elsewhere.launch(run)
    github.granted["actions"] = "read"
    fresh = actions_launcher(settings(github), sqlite_store)
    with pytest.raises(LaunchRefused, match="permissions requested are not granted"):
        fresh.launch(run)
    with pytest.raises(NotOnGitHub):
        fresh.launch(run.model_copy(update={"forge": "gitlab"}))
    assert github.workflow_runs == []


def test_a_github_that_is_away_is_no_refusal(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun
) -> None:
    github.fail_next("POST", "/dispatches$")
    with pytest.raises(LauncherUnavailable):
        launcher.launch(run)
    launcher.launch(run)
    assert len(github.workflow_runs) == 1


def test_an_answer_that_was_lost_starts_no_second_job(
    github: GitHubServer, launcher: ActionsLauncher, run: WaitingRun
) -> None:
    github.fail_next("POST", "/dispatches$", after_effect=True)
    with pytest.raises(LauncherUnavailable):
        launcher.launch(run)
    launcher.launched()
    launcher.launch(run)
    assert len(github.workflow_runs) == 1


def test_what_is_missing_in_the_settings_is_named(github: GitHubServer, sqlite_store: Store) -> None:
    with pytest.raises(SettingsInvalid, match="SCENARIST_PUBLIC_URL"):
        actions_launcher(settings(github, public_url=""), sqlite_store)
    with pytest.raises(SecretTooShort):
        actions_launcher(settings(github, runner_secret="short"), sqlite_store)
