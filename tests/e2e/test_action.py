"""`scenarist action` as a step of a job on a self-hosted runner: one process, the job's own token."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.config.settings import Settings
from bot.forges.forge import Account, Repo
from bot.forges.github.adapter import github_forge
from runners.git.command import git
from runners.models.chat import Reply
from tests.standins.chat_server import ChatServer, call
from tests.standins.github_server import APP_ID, SLUG, GitHubServer
from tests.support.harness import CALC, DOUBLE_STEPS, doubling, draft, says
from tests.support.waiting import HANG_S

ROOT = Path(__file__).parents[2]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubServer]:
    with GitHubServer(tmp_path / "github", CALC, "http://127.0.0.1:9/none", "unused") as github:
        yield github
        assert github.violations == []


def labelled(
    github: GitHubServer, number: int, sender: str, label: str = "agent:implement"
) -> dict[str, Any]:
    github.issues[number]["labels"] = [{"name": label}]
    return {
        "action": "labeled",
        "repository": {"full_name": github.repo},
        "sender": github._people[sender][0],
        "issue": github.issues[number],
        "label": {"name": label},
    }


def job(github: GitHubServer, tmp_path: Path, payload: Mapping[str, Any], **more: str) -> dict[str, str]:
    """The environment of a job for `payload`."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps(payload))
    return {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(tmp_path),
        "GITHUB_TOKEN": github.job_token(),
        "GITHUB_EVENT_NAME": "issues",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_REPOSITORY": github.repo,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.git.url,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        **more,
    }


def run_action(
    github: GitHubServer, tmp_path: Path, payload: Mapping[str, Any], **more: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bot", "action"],
        env=job(github, tmp_path, payload, **more),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        cwd=ROOT,
    )


def test_one_step_from_the_label_to_the_pull_request(github: GitHubServer, tmp_path: Path) -> None:
    number = github.open_issue("ada", "Double numbers", "It should double numbers.")
    with ChatServer([draft()], doubling()) as chat:
        done = run_action(
            github,
            tmp_path,
            labelled(github, number, "ada"),
            SCENARIST_MODEL_URL=chat.url,
            SCENARIST_MODEL_NAME="scripted",
        )
        prompts = json.dumps(chat.requests)
    assert done.returncode == 0, done.stderr
    assert [pull["head"] for pull in github.pulls.values()] == [f"agent/{number}-double-numbers"]
    assert [check["conclusion"] for check in github.checks.values()] == ["success"]
    assert len(github.comments) == 1
    summary = (tmp_path / "summary.md").read_text()
    assert "opened #2" in summary
    given = dict(line.split("=", 1) for line in (tmp_path / "outputs").read_text().splitlines())
    page = f"{github.git.url}/{github.repo}/actions/runs/7"
    (comment,) = github.comments.values()
    assert f"[Run {given['run-id']}]({page})" in comment["body"]
    assert given == {
        "run-id": given["run-id"],
        "outcome": "done",
        "pull-request": "2",
        "pull-request-url": given["pull-request-url"],
    }
    assert given["pull-request-url"].endswith(f"/{github.repo}/pull/2")
    # The log shows the work, and none of it can be taken for a command of the runner.
    assert done.stdout.startswith("::stop-commands::") and "Doubling: error before" in done.stdout
    assert not list((tmp_path / "temp" / "scenarist" / "work").glob("*"))
    for token in github._tokens:
        assert token not in done.stdout + done.stderr + prompts + summary
        stored = (tmp_path / "temp" / "scenarist" / "scenarist.db").read_bytes()
        assert token.encode() not in stored


def test_an_event_that_is_not_for_us_does_nothing(github: GitHubServer, tmp_path: Path) -> None:
    number = github.open_issue("ada", "Double numbers", "It should double numbers.")
    for payload in (labelled(github, number, "ada", "bug"), labelled(github, number, "tri")):
        done = run_action(github, tmp_path, payload)
        assert done.returncode == 0, done.stderr
    assert "another label" in (tmp_path / "summary.md").read_text()
    assert "no write access" in (tmp_path / "summary.md").read_text()
    assert github.comments == {} and github.pulls == {}


def test_a_run_without_proof_fails_the_job(github: GitHubServer, tmp_path: Path) -> None:
    number = github.open_issue("ada", "Help", "")
    done = run_action(github, tmp_path, labelled(github, number, "ada"))
    assert done.returncode == 1
    assert "is waiting for an answer" in (tmp_path / "summary.md").read_text()
    assert github.pulls == {}


def test_a_review_with_several_comments_is_one_revision(
    github: GitHubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = github.open_issue("ada", "Double numbers", "It should double numbers.")
    events: list[tuple[str, bytes]] = []
    monkeypatch.setattr(github, "deliver", lambda event, _guid, body: events.append((event, body)))
    renamed = CALC["calc.py"] + "\n\ndef double(value):\n    return 2 * value\n"
    revise = [
        says(call("write_file", path="calc.py", content=renamed)),
        says(call("finish", summary="Done.")),
    ]
    # A second revision would get this far, too.
    with ChatServer([draft()], [*doubling(), *revise, *revise]) as chat:
        model = {"SCENARIST_MODEL_URL": chat.url, "SCENARIST_MODEL_NAME": "scripted"}
        payload = labelled(github, number, "ada")
        assert run_action(github, tmp_path, payload, **model).returncode == 0
        pull = next(iter(github.pulls))
        github.review(pull, "wim", "", [("calc.py", 5, "Call it value."), ("calc.py", 6, "And here.")])
        reviews = [(event, body) for event, body in events if event.startswith("pull_request_review")]
        assert len(reviews) == 3
        for job, (event, body) in enumerate(reviews):
            more = {"GITHUB_EVENT_NAME": event, "GITHUB_RUN_ID": f"1{job}", **model}
            state = tmp_path / f"job{job}"  # each job has a machine of its own
            state.mkdir()
            done = run_action(github, state, json.loads(body), **more)
            assert done.returncode == 0, done.stderr
            said = (state / "summary.md").read_text()
            assert ("whose own event is handled" not in said) is (event == "pull_request_review"), said
        revising = chat.requests[-1]["messages"][1]["content"]
    # Nothing is kept from job to job: the issue and the first run come with the pull request.
    assert "It should double numbers." in revising and "Adds `double` to calc.py." in revising
    assert "Scenario: Doubling" in revising
    assert "The change, in the words of the model" in github.pulls[pull]["body"]
    ours = [each["body"] for each in github.comments.values() if each["issue"] == pull]
    assert len(ours) == 1
    replies = [each for each in github.review_comments.values() if "in_reply_to_id" in each]
    assert len(replies) == 2, "one for each thread"


def test_a_cancelled_job_ends_its_comment(github: GitHubServer, tmp_path: Path) -> None:
    number = github.open_issue("ada", "Double numbers", "It should double numbers.")
    asked, left = threading.Event(), threading.Event()

    def thinks(_request: dict[str, Any]) -> Reply:
        asked.set()
        left.wait(120)
        return says(call("give_up", reason="Nobody waits for this."))

    with ChatServer([draft()], thinks) as chat:
        model = {"SCENARIST_MODEL_URL": chat.url, "SCENARIST_MODEL_NAME": "scripted"}
        environ = job(github, tmp_path, labelled(github, number, "ada"), **model)
        command = [sys.executable, "-m", "bot", "action"]
        with subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            try:
                assert asked.wait(120)
                # What GitHub's runner sends, one after the other.
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 1
            finally:
                left.set()
                process.kill()
    (comment,) = github.comments.values()
    assert "**Scenarist** was cancelled." in comment["body"]
    assert "The CI job that did this was stopped" in comment["body"]
    assert "You do not have to do anything" not in comment["body"]
    assert github.issues[number]["labels"] == [], "nothing is at work on it"
    assert "outcome=cancelled" in (tmp_path / "outputs").read_text()
    assert github.pulls == {}


def test_an_app_of_its_own_acts_in_the_job(github: GitHubServer, tmp_path: Path) -> None:
    number = github.open_issue("ada", "Double numbers", "It should double numbers.")
    with ChatServer([draft()], doubling()) as chat:
        more = {
            "SCENARIST_MODEL_URL": chat.url,
            "SCENARIST_MODEL_NAME": "scripted",
            "SCENARIST_GITHUB_APP_ID": str(APP_ID),
            "SCENARIST_GITHUB_PRIVATE_KEY": github.private_key,
        }
        done = run_action(github, tmp_path, labelled(github, number, "ada"), **more)
    assert done.returncode == 0, done.stderr
    assert {each["user"]["login"] for each in github.comments.values()} == {f"{SLUG}[bot]"}
    assert github.pulls[2]["user"]["login"] == f"{SLUG}[bot]"


def test_the_account_of_a_token_is_the_bot(github: GitHubServer) -> None:
    api = github_forge(Settings(github_api_url=github.api_url, github_token=SecretStr(github.job_token())))
    repo = Repo(full_name=github.repo)
    assert api.login(repo) == "github-actions[bot]"
    token = github._mint(github._bots[f"{SLUG}[bot]"], {"metadata": "read"})
    api = github_forge(Settings(github_api_url=github.api_url, github_token=SecretStr(token)))
    assert api.login(repo) == f"{SLUG}[bot]"
    ours, other = (github._bots[name]["id"] for name in (f"{SLUG}[bot]", "github-actions[bot]"))
    assert api.is_ours(repo, Account(id=ours, login="x")) and not api.is_ours(
        repo, Account(id=other, login="x")
    )


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITHUB_EVENT_PATH"])
def test_outside_of_a_job_it_says_what_is_missing(github: GitHubServer, tmp_path: Path, missing: str) -> None:
    number = github.open_issue("ada", "Help", "")
    done = run_action(github, tmp_path, labelled(github, number, "ada"), **{missing: ""})
    assert done.returncode == 2
    assert done.stderr.startswith("SCN-7006:") and missing in done.stderr
    assert "Traceback" not in done.stderr


def test_the_comments_of_a_review_are_left_to_the_reviews_own_job(
    github: GitHubServer, tmp_path: Path
) -> None:
    payload = {
        "action": "created",
        "repository": {"full_name": github.repo},
        "sender": github._people["ada"][0],
        "pull_request": {
            "number": 2,
            "state": "open",
            "title": "x",
            "head": {"ref": "agent/1-x", "repo": {"full_name": github.repo}},
        },
        "comment": {
            "id": 5,
            "pull_request_review_id": 9,
            "created_at": "2026-01-01T00:00:00Z",
            "body": "Why?",
        },
    }
    done = run_action(github, tmp_path, payload, GITHUB_EVENT_NAME="pull_request_review_comment")
    assert done.returncode == 0, done.stderr
    assert "the comment is part of a review" in (tmp_path / "summary.md").read_text()
    assert github.comments == {} and github.pulls == {}


def test_scenarios_are_part_of_the_change_because_a_job_keeps_nothing(tmp_path: Path) -> None:
    plain = {path: text for path, text in CALC.items() if not path.startswith("features/")}
    first, write, *rest = doubling()
    then = '\n\n@then("I get {n:d}")\ndef get(context, n):\n    assert context.result == n, context.result\n'
    steps = DOUBLE_STEPS.replace("import when", "import then, when") + then
    more = says(call("write_file", path="features/steps/double_steps.py", content=steps))
    with GitHubServer(tmp_path / "github", plain, "http://127.0.0.1:9/none", "unused") as github:
        number = github.open_issue("ada", "Double numbers", "It should double numbers.")
        with ChatServer([draft()], [first, write, more, *rest]) as chat:
            model = {"SCENARIST_MODEL_URL": chat.url, "SCENARIST_MODEL_NAME": "scripted"}
            done = run_action(github, tmp_path, labelled(github, number, "ada"), **model)
        assert done.returncode == 0, done.stderr
        [pull] = github.pulls.values()
        changed = git("diff", "--name-only", "main", pull["head"], git_dir=github.bare).split()
        assert f"features/issue_{number}_double_numbers.feature" in changed
        assert github.violations == []
