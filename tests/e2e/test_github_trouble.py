"""What GitHub does while a run is on: each time the run ends in its one pull request, or says what a
maintainer has to do."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.forges.forge import Repo
from bot.forges.github.adapter import github_forge
from bot.log.events import PhaseDelayed
from bot.worker.processes import free_port
from runners.git.command import TreeEntry, commit_on, git, store_blob
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import INSTALLATION
from tests.support.harness import CALC, BotUnderTest, doubling, draft
from tests.support.on_github import SECRET, Both, end, own_comments, pull_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("github-trouble")  # one server and one bot for all


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("trouble")
    port = free_port()
    with (
        GitHubServer(folder, CALC, f"http://127.0.0.1:{port}/webhooks/github", SECRET) as github,
        BotUnderTest(github.settings(), port) as bot,
    ):
        yield github, bot


def while_at_work(both: Both, happens: Callable[[GitHubServer], None]) -> int:
    """An issue that was labelled; `happens` before the model's second turn."""
    github, bot = both
    turns = doubling()
    second = turns[1]

    happened: list[bool] = []

    def turn(_request: dict[str, Any]) -> Any:
        if not happened:
            happened.append(True)
            happens(github)
        return second

    bot.script([draft()], [turns[0], turn, *turns[2:]])
    number = github.open_issue("ada", "Double numbers", "It should double numbers: 4 becomes 8.")
    github.label(number, "agent:implement", "ada")
    return number


def done(both: Both, number: int) -> str:
    """The text of the one pull request; its state is the run's."""
    github, bot = both
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert len(own_comments(github, number)) == 1
    pull = github.pulls[pull_of(github, number)]
    checks = [each for each in github.checks.values() if each["head_sha"] == pull["sha"]]
    assert len(checks) == 1
    return str(pull["body"])


RATE = {
    "primary": (403, lambda: {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 2)}),
    "secondary": (403, lambda: {"retry-after": "1"}),
    "too many": (429, lambda: {"retry-after": "1"}),
    "html": (502, dict),
}


@pytest.mark.parametrize("kinds", [("primary", "too many"), ("secondary", "html")])
def test_limits_and_broken_answers_are_waited_for(both: Both, kinds: tuple[str, str]) -> None:
    """Each of the effects of publishing, and the status comment, meet each of them once."""

    def trouble(github: GitHubServer) -> None:
        for method, path in (
            ("POST", r"/pulls$"),
            ("POST", r"/check-runs$"),
            ("PATCH", r"/issues/comments/"),
        ):
            for kind in kinds:
                status, headers = RATE[kind]
                github.fail_next(method, path, status, headers=headers())

    number = while_at_work(both, trouble)
    done(both, number)
    seen = {(method, status) for method, _, status in both[0].requests}
    assert seen >= {(method, RATE[kind][0]) for method in ("POST", "PATCH") for kind in kinds}


def test_an_app_that_gets_no_tokens_for_a_while_waits(both: Both) -> None:
    number = while_at_work(both, lambda github: github.fail_next("POST", r"/access_tokens$", 502, times=2))
    done(both, number)


def test_a_limit_for_longer_is_obeyed(both: Both) -> None:
    github, bot = both
    until = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3000)}
    number = while_at_work(both, lambda github: github.fail_next("POST", r"/pulls$", 403, headers=until))
    target = f"github:{github.repo}:issue:{number}"
    run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0].id

    def waits() -> list[PhaseDelayed]:
        return [each.event for each in bot.store.entries(run) if isinstance(each.event, PhaseDelayed)]

    (delayed,) = wait_until(waits, "its waiting")
    assert 1000 < delayed.seconds <= 3000 and "rate limit" in delayed.reason
    github.label(number, "unused", "ada")
    github.unlabel(number, "agent:implement", "ada")
    assert end(bot, "issue", number).status == "cancelled"


def test_when_few_requests_are_left_they_are_for_the_work(both: Both) -> None:
    """The limit ends in an hour: the run does not wait for that, and its comment does."""
    github, bot = both
    until = time.time() + 3600

    def scarce(github: GitHubServer) -> None:
        github.rate = (400, 5000, until)

    number = while_at_work(both, scarce)
    target = f"github:{github.repo}:issue:{number}"
    try:
        run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0].id
        wait_until(lambda: bot.state(run).status != "active", "its end")
        assert bot.state(run).status == "done"
        pull_of(github, number)
        (status,) = own_comments(github, number)
        assert "opened #" not in status
    finally:
        # The answers to the next run's requests say that there are plenty again.
        github.rate = (4900, 5000, until)
    number = while_at_work(both, lambda github: None)
    done(both, number)
    (status,) = own_comments(github, number)
    assert "opened #" in status


def test_git_that_fails_for_a_while_is_waited_for(both: Both) -> None:
    bot = both[1]

    def trouble(github: GitHubServer) -> None:
        for writing in (False, True):
            github.git.faults[writing].extend([503, 502])

    number = while_at_work(both, trouble)
    done(both, number)
    assert both[0].git.faults == {False: [], True: []}, "reading and writing have met them"
    run = bot.store.list_runs(target=f"github:octo/calc:issue:{number}")[0].id
    codes = [each.event.code for each in bot.store.entries(run) if isinstance(each.event, PhaseDelayed)]
    assert codes == ["SCN-3103"] * 4


def test_tokens_that_were_revoked_are_asked_for_anew(both: Both) -> None:
    number = while_at_work(both, lambda github: github.revoke_tokens())
    done(both, number)
    assert (401 in {status for _, _, status in both[0].requests[-200:]}) is True


def test_a_repository_that_was_renamed_gets_its_pull_request(both: Both) -> None:
    github, _ = both
    number = while_at_work(both, lambda github: github.rename("octo/calculator"))
    try:
        done(both, number)
        assert {status for _, path, status in github.requests if "octo/calc/" in path} >= {307}
        # And what comes in under the new name is another run on the same repository.
        done_again = while_at_work(both, lambda github: None)
        target = f"github:octo/calculator:issue:{done_again}"
        run = wait_until(lambda: both[1].store.list_runs(target=target), "a run")[0].id
        wait_until(lambda: both[1].state(run).status != "active", "its end")
        assert both[1].state(run).status == "done"
    finally:
        github.rename("octo/calc")


def test_a_default_branch_that_was_renamed_is_merged_into(both: Both) -> None:
    github, _ = both

    def renamed(github: GitHubServer) -> None:
        git("branch", "-m", "main", "trunk", git_dir=github.bare)
        github.default_branch = "trunk"

    number = while_at_work(both, renamed)
    try:
        done(both, number)
        assert github.pulls[pull_of(github, number)]["base"] == "trunk"
    finally:
        git("branch", "-m", "trunk", "main", git_dir=github.bare)
        github.default_branch = "main"


def test_a_base_that_was_rewritten_is_told(both: Both) -> None:
    github, _ = both
    before = git("rev-parse", "main", git_dir=github.bare)

    def rewritten(github: GitHubServer) -> None:
        other = git("commit-tree", f"{before}^{{tree}}", "-m", "Begin again", git_dir=github.bare)
        git("update-ref", "refs/heads/main", other, git_dir=github.bare)

    number = while_at_work(both, rewritten)
    try:
        assert f"was rewritten**: `{before[:12]}`" in done(both, number)
    finally:
        git("update-ref", "refs/heads/main", before, git_dir=github.bare)


def test_a_permission_that_was_taken_away_is_named(both: Both) -> None:
    github, bot = both
    number = while_at_work(both, lambda github: github.granted.pop("pull_requests"))
    try:
        state = end(bot, "issue", number)
    finally:
        github.granted["pull_requests"] = "write"
    assert (state.status, state.code) == ("failed", "SCN-1002")
    assert "pull requests" in state.reason, "what the App may not do is named"
    assert not [pull for pull in github.pulls.values() if pull["head"].startswith(f"agent/{number}-")]


def test_a_branch_that_is_protected_from_the_bot_can_be_pushed_later(both: Both) -> None:
    github, bot = both
    hook = github.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'error: GH013: Repository rule violations found' >&2\nexit 1\n")
    hook.chmod(0o755)
    number = while_at_work(both, lambda github: None)
    try:
        state = end(bot, "issue", number)
    finally:
        hook.unlink()
    assert (state.status, state.code) == ("failed", "SCN-3104")
    assert "GH013: Repository rule violations found" in state.reason and "retry publish" in state.reason
    spent = state.spent
    github.say(number, "ada", "/agent retry publish")
    wait_until(lambda: bot.state(_run(both, number)).status == "done", "its end")
    assert bot.state(_run(both, number)).spent == spent, "nothing is paid for twice"
    pull_of(github, number)


def _run(both: Both, number: int) -> str:
    return both[1].store.list_runs(target=f"github:octo/calc:issue:{number}")[0].id


@pytest.mark.parametrize("drafts", [True, False])
def test_a_draft_is_opened_where_the_repository_may_have_one(both: Both, drafts: bool) -> None:
    github, bot = both
    branch = f"draft-{drafts}".lower()
    tip = commit_on(
        github.bare, "main", "Something", added=[TreeEntry("100644", store_blob(github.bare, b"x"), branch)]
    )
    git("update-ref", f"refs/heads/{branch}", tip, git_dir=github.bare)
    github.drafts = drafts
    try:
        forge = github_forge(bot.settings)
        words = {"head": branch, "base": "main", "title": "t", "body": "b"}
        made = [
            forge.ensure_pull(Repo(full_name="octo/calc", installation=INSTALLATION), **words, draft=True)
            for _ in range(2)
        ]
    finally:
        github.drafts = True
    assert [each.draft for each in made] == [drafts] * 2
    assert made[0].number == made[1].number
