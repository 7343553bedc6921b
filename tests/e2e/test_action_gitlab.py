"""`scenarist action` as a job of GitLab CI that a webhook triggered: one process, a project's token."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.standins.chat_server import ChatServer, call
from tests.standins.gitlab_server import TOKEN, GitLabServer
from tests.support.harness import CALC, doubling, draft, says

ROOT = Path(__file__).parents[2]


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[GitLabServer]:
    with GitLabServer(tmp_path / "gitlab", CALC, "http://127.0.0.1:9/none", "unused") as gitlab:
        yield gitlab


def labelled(gitlab: GitLabServer, sender: str, project: str = "octo/calc") -> dict[str, Any]:
    number = gitlab.open_issue("ada", "Double numbers", "It should double numbers.", ("agent:implement",))
    event = gitlab._issue_event(number, "open", {})
    return {**event, "user": gitlab.people[sender], "project": {"id": 7, "path_with_namespace": project}}


def run_action(
    gitlab: GitLabServer, tmp_path: Path, payload: Mapping[str, Any], **more: str
) -> "subprocess.CompletedProcess[str]":
    event = tmp_path / "payload"
    event.write_text(json.dumps(payload))
    environ = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(tmp_path),
        "GITLAB_CI": "true",
        "CI_JOB_ID": "71",
        "CI_JOB_TOKEN": "a-job-token-that-nobody-needs",
        "CI_SERVER_URL": gitlab.root,
        "CI_PROJECT_PATH": gitlab.repo,
        "CI_PROJECT_DIR": str(tmp_path / "job"),
        "TRIGGER_PAYLOAD": str(event),
        "SCENARIST_GITLAB_TOKEN": TOKEN,
        **more,
    }
    (tmp_path / "job").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "bot", "action"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )


def test_one_job_from_the_label_to_the_merge_request(gitlab: GitLabServer, tmp_path: Path) -> None:
    payload = labelled(gitlab, "wim")
    with ChatServer([draft()], doubling()) as chat:
        model = {"SCENARIST_MODEL_URL": chat.url, "SCENARIST_MODEL_NAME": "scripted"}
        done = run_action(gitlab, tmp_path, payload, **model)
        prompts = json.dumps(chat.requests)
    assert done.returncode == 0, done.stderr
    (request,) = gitlab.merge_requests.values()
    assert request["source_branch"] == "agent/1-double-numbers" and "opened #1" in done.stdout
    assert [each["status"] for each in next(iter(gitlab.statuses.values()))] == ["success"]
    given = dict(line.split("=", 1) for line in (tmp_path / "job" / "scenarist.env").read_text().splitlines())
    assert given["AGENT_OUTCOME"] == "done" and given["AGENT_PULL_REQUEST"] == "1"
    assert given["AGENT_PULL_REQUEST_URL"].endswith("/merge_requests/1")
    assert given["AGENT_RUN_ID"] in str(gitlab.notes)
    stored = (tmp_path / "job" / ".scenarist-job" / "scenarist.db").read_bytes()
    assert TOKEN not in done.stdout + done.stderr + prompts and TOKEN.encode() not in stored


def test_a_revision_in_a_job_of_its_own_knows_the_issue(
    gitlab: GitLabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = labelled(gitlab, "wim")
    told: list[Mapping[str, Any]] = []
    monkeypatch.setattr(gitlab, "_tell", lambda _event, _sender, body: told.append(body))
    renamed = CALC["calc.py"] + "\n\ndef double(value):\n    return 2 * value\n"
    revise = [
        says(call("write_file", path="calc.py", content=renamed)),
        says(call("finish", summary="Done.")),
    ]
    with ChatServer([draft()], doubling()) as chat:
        model = {"SCENARIST_MODEL_URL": chat.url, "SCENARIST_MODEL_NAME": "scripted"}
        assert run_action(gitlab, tmp_path, payload, **model).returncode == 0
        (number,) = gitlab.merge_requests
        gitlab.comment_on_line(number, "wim", "calc.py", 5, "Call it value.")
        note = {**told[-1], "user": payload["user"], "project": payload["project"]}
        chat.implement = revise
        (tmp_path / "second").mkdir()
        done = run_action(gitlab, tmp_path / "second", note, CI_JOB_ID="72", **model)
        assert done.returncode == 0, done.stderr + done.stdout
        revising = chat.requests[-1]["messages"][1]["content"]
    assert "It should double numbers." in revising and "Adds `double` to calc.py." in revising
    assert "Call it value." in revising and "Scenario: Doubling" in revising


def test_an_event_that_is_not_for_us_does_nothing(gitlab: GitLabServer, tmp_path: Path) -> None:
    done = run_action(gitlab, tmp_path, labelled(gitlab, "tri"))
    assert done.returncode == 0 and "no write access" in done.stdout, done.stderr
    assert gitlab.notes == {} and gitlab.merge_requests == {}


def test_the_event_of_another_project_is_refused(gitlab: GitLabServer, tmp_path: Path) -> None:
    done = run_action(gitlab, tmp_path, labelled(gitlab, "wim", "eve/calc"))
    assert done.returncode == 2 and "SCN-7006" in done.stderr and "eve/calc" in done.stderr


@pytest.mark.parametrize("missing", ["SCENARIST_GITLAB_TOKEN", "TRIGGER_PAYLOAD"])
def test_outside_of_a_triggered_job_it_says_what_is_missing(
    gitlab: GitLabServer, tmp_path: Path, missing: str
) -> None:
    done = run_action(gitlab, tmp_path, labelled(gitlab, "wim"), **{missing: ""})
    assert done.returncode == 2 and done.stderr.startswith("SCN-7006:") and missing in done.stderr


def test_the_template_runs_the_action_without_a_checkout_of_the_project() -> None:
    job = yaml.safe_load((ROOT / "ci" / "scenarist.gitlab-ci.yml").read_text())["scenarist"]
    assert job["variables"]["GIT_STRATEGY"] == "none"
    assert job["script"][-1].endswith("scenarist action")
    assert "TRIGGER_PAYLOAD" in job["rules"][0]["if"]
