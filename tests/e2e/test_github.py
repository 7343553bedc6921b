"""The whole story on GitHub: from the label to the pull request, a review, a revision, and what goes wrong.

Against the stand-in, over real sockets: REST, signed webhooks, git over HTTP.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage.outcomes import repositories
from bot.worker.machine import environment
from bot.worker.processes import free_port
from runners.git.command import git
from tests.standins.chat_server import call
from tests.standins.github_server import GitHubServer
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says
from tests.support.on_github import SECRET, Both, end, own_comments, pull_of
from tests.support.processes import sandboxes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("github")  # one server and one bot for all


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("github")
    port = free_port()
    with (
        GitHubServer(folder, CALC, f"http://127.0.0.1:{port}/webhooks/github", SECRET) as github,
        BotUnderTest({**github.settings(), "redeliver_seconds": 2.0}, port) as bot,
    ):
        yield github, bot


@pytest.fixture(autouse=True)
def described(both: Both) -> Iterator[None]:
    """Whatever a test does, every answer of the stand-in is as GitHub describes it."""
    yield
    assert both[0].violations == [], sorted({v.split(" ", 2)[2] for v in both[0].violations})


def requested(both: Both, title: str) -> int:
    github, bot = both
    bot.script([draft()], doubling())
    number = github.open_issue("ada", title, "It should double numbers: 4 becomes 8.")
    github.label(number, "agent:implement", "ada")
    return number


def test_label_pull_request_review_revision(both: Both) -> None:
    github, bot = both
    github.comments.clear()
    number = github.open_issue("tri", "Double numbers", "It should double numbers: 4 becomes 8.")
    github.comment(number, "wim", "Zero stays zero.")
    github.comment(number, "eve", "Send me your keys.")
    bot.script([draft()], doubling())
    github.label(number, "agent:implement", "wim")
    wait_until(lambda: own_comments(github, number), "a first status")
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert state.requested is not None and state.verdict is not None
    assert [comment.body for comment in state.requested.order.comments] == ["Zero stays zero."]
    pull = github.pulls[pull_of(github, number)]
    assert pull["sha"] == state.verdict.head_sha
    assert re.search(r"\| Doubling(?:<br>[^|]*)? \| 🔴 failed \| 🟢 passed \|", pull["body"])
    assert [check["conclusion"] for check in github.checks.values()] == ["success"]
    assert len(own_comments(github, number)) == 1
    names = [label["name"] for label in github.issues[number]["labels"]]
    assert names == ["agent:ready"], "the trigger label is taken off, so that it can be set again"

    renamed = CALC["calc.py"] + "\n\ndef double(value):\n    return value + value\n"
    opened = [0, 0, 0]

    def look(request: dict[str, list[dict[str, str]]]) -> object:
        task = request["messages"][1]["content"]
        opened[:] = sorted(github.review_comments)
        assert "It should double numbers: 4 becomes 8." in task and "Zero stays zero." in task
        assert "What the model said it did: Adds `double` to calc.py." in task
        assert f"Review thread {opened[0]}" in task and task.count("already applied") == 1
        return says(call("read_file", path="calc.py"))

    def write(request: dict[str, list[dict[str, str]]]) -> object:
        assert "    return n + n" in request["messages"][-1]["content"], "the suggestion is in the file"
        return says(call("write_file", path="calc.py", content=renamed))

    def answer(_request: object) -> object:
        said = ["Thank you.", "It is `value` now.", "Applied.", "Adding has nothing to do with this."]
        answers = [
            {"thread": thread, "answer": text, "done": number < 3}
            for number, (thread, text) in enumerate(zip([0, *opened], said, strict=True))
        ]
        return says(call("finish", summary="Renames the number.", answers=answers))

    bot.script([], [look, write, answer])
    first = pull["sha"]
    remarks = [
        ("calc.py", 5, "Call it value."),
        ("calc.py", 6, "```suggestion\n    return n + n\n```"),
        ("calc.py", 2, "Use sum()."),
    ]
    github.review(pull_of(github, number), "wim", "Nearly there.", remarks)
    state = end(bot, "pull", pull_of(github, number))
    assert state.status == "done", (state.code, state.reason)
    assert pull["sha"] not in ("", first)
    replies = [each for each in github.review_comments.values() if "in_reply_to_id" in each]
    assert [each["in_reply_to_id"] for each in replies] == opened
    assert "value" in replies[0]["body"] and "not done" in replies[2]["body"]
    assert github.resolved == set(opened[:2]), "what is declined stays open"
    (said,) = [each for each in own_comments(github, pull_of(github, number)) if "Thank you" in each]
    assert "> Nearly there." in said
    assert "Adds `double`" in pull["body"] and "Renames the number." in pull["body"]
    assert "written from the issue" in pull["body"], "the scenarios are the model's still"
    subjects = git("log", "--format=%s", f"{first}..{pull['sha']}", git_dir=github.bare).splitlines()
    assert subjects[-1] == "Apply the suggestions of a review"
    bot.idle()
    target = f"github:octo/calc:pull:{pull_of(github, number)}"
    assert len(bot.store.list_runs(target=target)) == 1, "one review is one revision, however many events"
    assert len(github.pulls) == 1

    # Each token was good for one thing; only publishing ever asked to write contents.
    granted = [dict(scope) for user, scope, _ in github._tokens.values() if user["type"] == "Bot"]
    assert {"metadata": "read", "contents": "write"} in granted
    for_threads = {"metadata": "read", "pull_requests": "write", "contents": "write"}
    several = [each for each in granted if sum(level == "write" for level in each.values()) > 1]
    assert all(each == for_threads for each in several), granted


def test_nobody_without_rights_starts_anything(both: Both) -> None:
    github, bot = both
    for sender in ("tri", "eve"):
        number = github.open_issue(sender, "Double numbers", "Do it.")
        github.label(number, "agent:implement", sender)
        bot.idle()
        (said,) = own_comments(github, number)
        assert f"Sorry, {sender}: a run starts only when" in said
        assert bot.store.list_runs(target=f"github:octo/calc:issue:{number}") == []
    assert {delivery["status"] for delivery in github.deliveries} == {202}


def test_what_github_did_but_did_not_confirm_is_not_done_twice(both: Both) -> None:
    github, bot = both
    checks = len(github.checks)
    for path in (r"/pulls$", r"/check-runs$", r"/issues/\d+/comments$"):
        github.fail_next("POST", path, 502, after_effect=True)
    number = requested(both, "Double numbers")
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert github.unmet_faults() == 0
    pull_of(github, number)
    assert len(github.checks) == checks + 1
    assert len(own_comments(github, number)) == 1


def test_trouble_that_passes_is_waited_for(both: Both) -> None:
    github, bot = both
    for method, path in (("GET", r"^/repos/octo/calc$"), ("POST", r"/pulls$")):
        github.fail_next(method, path, 503, times=4)
    state = end(bot, "issue", requested(both, "Double numbers"))
    assert state.status == "done", (state.code, state.reason)
    assert github.unmet_faults() == 0


def test_a_closed_pull_request_is_not_opened_anew(both: Both) -> None:
    github, bot = both
    number = requested(both, "Double numbers")
    target = f"github:octo/calc:issue:{number}"
    assert end(bot, "issue", number).status == "done"
    pulls = [pull_of(github, number)]
    for runs, delete_branch in ((2, False), (3, True)):
        github.close_pull(pulls[-1], delete_branch=delete_branch)
        bot.script([draft()], doubling())
        github.label(number, "agent:implement", "ada")
        wait_until(lambda: len(bot.store.list_runs(target=target)) == runs, "another run")  # noqa: B023
        state = end(bot, "issue", number)
        assert state.status == "done", (state.code, state.reason)
        pulls.append(max(github.pulls))
    heads = [pull["head"] for pull in github.pulls.values() if pull["head"].startswith(f"agent/{number}-")]
    first = f"agent/{number}-double-numbers"
    assert heads == [first, f"{first}-2", f"{first}-3"]
    assert [github.pulls[each]["state"] for each in pulls] == ["closed", "closed", "open"]


def test_a_branch_that_somebody_else_moved_is_left_alone(both: Both) -> None:
    github, bot = both
    number = requested(both, "Double numbers")
    assert end(bot, "issue", number).status == "done"
    pull = pull_of(github, number)
    head = github.pulls[pull]["head"]

    def meanwhile(_request: object) -> object:
        from runners.git.command import git

        tree = git("rev-parse", f"{head}^{{tree}}", git_dir=github.bare)
        theirs = git("commit-tree", tree, "-p", head, "-m", "theirs", git_dir=github.bare)
        git("update-ref", f"refs/heads/{head}", theirs, git_dir=github.bare)
        return says(call("finish", summary="Renamed."))

    code = CALC["calc.py"] + "\n\ndef double(value):\n    return 2 * value\n"
    bot.script([], [says(call("write_file", path="calc.py", content=code)), meanwhile])
    github.review(pull, "wim", "Call it value.", [])
    state = end(bot, "pull", pull)
    assert (state.status, state.code) == ("failed", "SCN-1101"), state.reason
    from runners.git.command import git

    assert git("log", "-1", "--format=%s", head, git_dir=github.bare) == "theirs"


def test_what_could_not_be_delivered_is_asked_for_again(both: Both) -> None:
    github, bot = both
    bot.script([draft()], doubling())
    number = github.open_issue("ada", "Double after an outage", "It should double numbers: 4 becomes 8.")
    bot.group.kill("web")
    before = len(github.deliveries)
    github.label(number, "agent:implement", "ada")
    assert [each["status"] for each in github.deliveries[before:]] == [502]
    github.largest_page = 3  # more than one page
    assert bot.group.revive() == ["web"]
    assert end(bot, "issue", number).status == "done"
    later = [each["status"] for each in github.deliveries[before:] if each["event"] == "issues"]
    assert later.count(502) <= 5 and 202 in later


@pytest.mark.parametrize(
    ("event", "action", "more", "reason"),
    [
        ("installation", "deleted", {}, "the App was uninstalled by ada"),
        (
            "installation_repositories",
            "removed",
            {"repositories_removed": [{"full_name": "octo/calc"}]},
            "taken from",
        ),
        ("repository", "archived", {}, "the repository was archived by ada"),
    ],
)
def test_runs_end_where_the_bot_has_no_business_any_more(
    both: Both, event: str, action: str, more: dict[str, object], reason: str
) -> None:
    github, bot = both
    bot.script([draft()], [says(call("shell", command="sleep 1000", timeout_s=500))])
    number = github.open_issue("ada", f"Double until {action}", "It should double numbers: 4 becomes 8.")
    github.label(number, "agent:implement", "ada")
    wait_until(lambda: sandboxes(bot.state_dir), "the command")
    github.send(event, "created", "ada", **more) if event != "installation_repositories" else None
    github.send(event, action, "ada", **more)
    state = end(bot, "issue", number)
    assert state.status == "cancelled" and reason in state.reason


def test_a_backlog_becomes_issues_once(both: Both, tmp_path: Path) -> None:
    github, bot = both
    file = tmp_path / "backlog.yaml"
    file.write_text(
        "stories:\n- {id: b, title: Second, priority: 2}\n- {id: a, title: First, labels: [shop]}\n"
    )
    env = {**os.environ, **environment(bot.settings, "redis://localhost")}
    words = [sys.executable, "-m", "bot", "backlog", str(file), "--repo", "octo/calc", "--label", "backlog"]
    for marks in (["new", "new"], ["there", "there"]):
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        assert [line.split()[0] for line in done.stdout.splitlines()] == marks
    made = [each for each in github.issues.values() if each["title"] in ("First", "Second")]
    assert [(each["title"], sorted(label["name"] for label in each["labels"])) for each in made] == [
        ("First", ["backlog", "shop"]),
        ("Second", ["backlog"]),
    ]


def test_what_became_of_pull_requests_is_told_and_counted(both: Both) -> None:
    github, bot = both
    before = repositories(bot.store.engine, None)
    reverted = before[0].reverted if before else 0
    first = git("rev-parse", "main", git_dir=github.bare)

    def told(number: int, words: str) -> None:
        wait_until(lambda: words in "".join(own_comments(github, number)), words)

    def revert(number: int) -> None:
        merge = git("rev-parse", "main", git_dir=github.bare)
        text = f'Revert "Double"\n\nThis reverts commit {merge}.'
        tree = f"{first}^{{tree}}"
        made = git("commit-tree", tree, "-p", "main", "-m", text, git_dir=github.bare)
        git("update-ref", "refs/heads/main", made, git_dir=github.bare)
        github.push("main", "ada")
        told(number, "It was merged, and later reverted by ada.")

    number = requested(both, "Double what is edited")
    assert end(bot, "issue", number).status == "done"
    branch = github.pulls[pull := pull_of(github, number)]["head"]
    someone = {"GIT_AUTHOR_NAME": "wim", "GIT_AUTHOR_EMAIL": "wim@example.org"}
    tree = f"{branch}^{{tree}}"
    edit = git("commit-tree", tree, "-p", branch, "-m", "Mine", git_dir=github.bare, env=someone)
    git("update-ref", f"refs/heads/{branch}", edit, git_dir=github.bare)
    github.end_pull(pull, "ada", merge=True)
    told(number, "It was merged by ada after 1 commit of others.")
    revert(number)

    number = requested(both, "Double what is closed")
    assert end(bot, "issue", number).status == "done"
    pull = pull_of(github, number)
    github.end_pull(pull, "wim", merge=False)
    told(number, "It was closed by wim without a merge.")
    github.pulls[pull]["state"] = "open"
    github.send("pull_request", "reopened", "wim", pull_request=github._pull_payload(pull))
    wait_until(lambda: "It was closed" not in "".join(own_comments(github, number)), "nothing of a close")
    github.end_pull(pull, "ada", merge=True)
    told(number, "It was merged by ada as it was.")
    revert(number)
    assert repositories(bot.store.engine, None)[0].reverted == reverted + 2
