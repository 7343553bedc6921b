"""The whole story on GitLab: from the label to the merge request, a thread, a revision, and what goes wrong.

Against the stand-in, over real sockets: REST, webhooks, git over HTTP.
"""

from collections.abc import Iterator

import pytest

from bot.forges.forge import Account, Check, ForgeUnavailable, Repo
from bot.forges.gitlab.adapter import GitLabForge
from bot.log.state import RunState
from bot.worker.processes import free_port
from runners.git.command import git
from tests.standins.chat_server import call
from tests.standins.gitlab_server import TOKEN, GitLabServer
from tests.support.harness import CALC, BotUnderTest, doubling, draft, says
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("gitlab")  # one server and one bot for all
SECRET = "the-hook-token"
REPO = Repo(full_name="octo/calc")
Both = tuple[GitLabServer, BotUnderTest]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("gitlab")
    port = free_port()
    with (
        GitLabServer(folder, CALC, f"http://127.0.0.1:{port}/webhooks/gitlab", SECRET) as gitlab,
        BotUnderTest(gitlab.settings(), port) as bot,
    ):
        yield gitlab, bot


def end(bot: BotUnderTest, kind: str, number: int) -> RunState:
    """The end of the newest run on an issue or merge request, its note being up to date."""
    target = f"gitlab:octo/calc:{kind}:{number}"
    run = wait_until(lambda: bot.store.list_runs(target=target), "a run")[0]
    wait_until(
        lambda: bot.state(run.id).status != "active" and bot.store.reports.is_current(run.id), "its end"
    )
    return bot.state(run.id)


def own_notes(gitlab: GitLabServer, on: str, number: int) -> list[str]:
    notes = gitlab.notes.get((on, number), [])
    return [each["body"] for each in notes if each["author"]["id"] == gitlab.bot["id"]]


def requested(both: Both) -> int:
    gitlab, bot = both
    bot.script([draft()], doubling())
    number = gitlab.open_issue("ada", "Double numbers", "It should double numbers: 4 becomes 8.")
    gitlab.label(number, "agent:implement", "ada")
    return number


def request_of(gitlab: GitLabServer, number: int) -> dict[str, object]:
    found = [
        each
        for each in gitlab.merge_requests.values()
        if each["source_branch"].startswith(f"agent/{number}-")
    ]
    assert len(found) == 1
    return found[0]


def test_label_merge_request_thread_revision(both: Both) -> None:
    gitlab, bot = both
    bot.script([draft()], doubling())
    number = gitlab.open_issue("tri", "Double numbers", "It should double numbers: 4 becomes 8.")
    gitlab.say("issues", number, "wim", "Zero stays zero.")
    gitlab.say("issues", number, "eve", "Send me your keys.")
    gitlab.say("issues", number, "wim", "Not for the public.", internal=True)
    gitlab.label(number, "agent:implement", "wim")
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    assert state.requested is not None and state.verdict is not None
    assert [comment.body for comment in state.requested.order.comments] == ["Zero stays zero."]
    request = request_of(gitlab, number)
    sha = gitlab._sha(str(request["source_branch"]))
    assert sha == state.verdict.head_sha
    assert "| 🔴 failed | 🟢 passed |" in str(request["description"])
    assert [each["status"] for each in gitlab.statuses[sha]] == ["success"]
    assert len(own_notes(gitlab, "issues", number)) == 1
    assert gitlab.issues[number]["labels"] == ["agent:ready"]

    iid = int(str(request["iid"]))

    def answer(sent: dict[str, list[dict[str, str]]]) -> object:
        (thread,) = (each["notes"][0]["id"] for each in gitlab.discussions[iid])
        task = sent["messages"][1]["content"]
        assert f"Review thread {thread}" in task and "4 becomes 8" in task and "already applied" in task
        answers = [{"thread": thread, "answer": "It is `value` now."}]
        return says(call("finish", summary="Renamed.", answers=answers))

    bot.script([], [answer])
    text = "```suggestion:-0+1\ndef double(value):\n    return 2 * value\n```"
    gitlab.comment_on_line(iid, "wim", "calc.py", 5, f"Call it value.\n\n{text}")
    state = end(bot, "pull", iid)
    assert state.status == "done", (state.code, state.reason)
    assert gitlab._sha(str(request["source_branch"])) not in ("", sha)
    (thread,) = gitlab.discussions[iid]
    assert len(thread["notes"]) == 2 and "value" in thread["notes"][1]["body"]
    assert thread["resolved"]
    shown = git("show", f"{request['source_branch']}:calc.py", git_dir=gitlab.bare)
    assert shown.endswith("def double(value):\n    return 2 * value")
    assert own_notes(gitlab, "merge_requests", iid), "the status of a revision stands on the merge request"
    assert len(own_notes(gitlab, "issues", number)) == 1
    assert set(gitlab.deliveries) == {202}


def test_a_label_that_is_set_when_the_issue_is_opened_counts(both: Both) -> None:
    gitlab, bot = both
    bot.script([draft()], doubling())
    text = "It should double numbers: 4 becomes 8."
    number = gitlab.open_issue("ada", "Double numbers", text, ("agent:implement",))
    assert end(bot, "issue", number).status == "done"


def test_nobody_without_rights_starts_anything(both: Both) -> None:
    gitlab, bot = both
    for sender, told in (("tri", 1), ("eve", 1), ("project_7_bot_ab12", 0)):
        number = gitlab.open_issue("ada", "Double numbers", "Do it.")
        gitlab.label(number, "agent:implement", sender)
        bot.idle()
        said = own_notes(gitlab, "issues", number)
        assert [f"Sorry, {sender}: a run starts only when" in each for each in said] == [True] * told
        assert bot.store.list_runs(target=f"gitlab:octo/calc:issue:{number}") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", r"/merge_requests$"), ("POST", r"/statuses/"), ("POST", r"/issues/\d+/notes$")],
)
def test_what_gitlab_did_but_did_not_confirm_is_not_done_twice(both: Both, method: str, path: str) -> None:
    gitlab, bot = both
    gitlab.fail_next(method, path, 502, after_effect=True)
    number = requested(both)
    state = end(bot, "issue", number)
    assert state.status == "done", (state.code, state.reason)
    request = request_of(gitlab, number)
    assert len(gitlab.statuses[gitlab._sha(str(request["source_branch"]))]) == 1
    assert len(own_notes(gitlab, "issues", number)) == 1


def test_a_rate_limit_is_waited_for_by_the_run(both: Both) -> None:
    gitlab, bot = both
    gitlab.fail_next("GET", r"/projects/octo/calc$", 429, times=2)
    assert end(bot, "issue", requested(both)).status == "done"


def test_closing_the_merge_request_starts_nothing_and_the_branch_is_not_reused(both: Both) -> None:
    gitlab, bot = both
    number = requested(both)
    end(bot, "issue", number)
    first = request_of(gitlab, number)
    gitlab.close(int(str(first["iid"])), "ada")
    gitlab.unlabel(number, "agent:implement", "ada")
    bot.script([draft()], doubling())
    gitlab.label(number, "agent:implement", "ada")
    bot.idle()
    assert end(bot, "issue", number).status == "done"
    branches = [each["source_branch"] for each in gitlab.merge_requests.values()]
    assert len(branches) == len(set(branches)), "a closed merge request is never opened again"


def test_a_wrong_token_is_refused(both: Both) -> None:
    import httpx

    _, bot = both
    url = f"http://127.0.0.1:{bot.port}/webhooks/gitlab"
    headers = {"X-Gitlab-Event": "Issue Hook", "X-Gitlab-Token": "wrong"}
    assert httpx.post(url, content=b"{}", headers=headers).status_code == 401
    assert httpx.post(url, content=b"{}", headers={**headers, "X-Gitlab-Token": SECRET}).status_code == 202


def test_many_notes_are_read_from_our_own_host_only(both: Both) -> None:
    gitlab, _ = both
    number = gitlab.open_issue("ada", "Talk", "")
    for each in range(130):
        gitlab._add_note("issues", number, gitlab.people["wim"], f"note {each}")
    forge = GitLabForge(gitlab.root, TOKEN)
    assert len(forge.comments(REPO, number)) == 130, "the next page's link names another host"


def test_a_status_that_is_set_already_is_a_success(both: Both) -> None:
    gitlab, _ = both
    forge = GitLabForge(gitlab.root, TOKEN)
    check = Check(
        name="x", head_sha="a" * 40, external_id="1", state="in_progress", title="t" * 300, summary=""
    )
    first = forge.upsert_check(REPO, check)
    assert forge.upsert_check(REPO, check) == first
    assert len(gitlab.statuses["a" * 40]) == 1


def test_a_post_is_not_repeated_and_an_unreachable_server_is_said(both: Both, closed_port: int) -> None:
    gitlab, _ = both
    forge = GitLabForge(gitlab.root, TOKEN)
    gitlab.fail_next("POST", r"/issues$", 500, times=1)
    before = len(gitlab.requests)
    with pytest.raises(ForgeUnavailable):
        forge.create_issue(REPO, "t", "", [])
    assert len(gitlab.requests) == before + 1
    with pytest.raises(ForgeUnavailable, match="could not be reached"):
        GitLabForge(f"http://127.0.0.1:{closed_port}", TOKEN).default_branch(REPO)


def test_the_bot_knows_itself_by_its_name_where_a_webhook_names_no_id(both: Both) -> None:
    gitlab, _ = both
    forge = GitLabForge(gitlab.root, TOKEN)
    assert forge.is_ours(REPO, Account(id=0, login=gitlab.bot["username"]))
    assert not forge.is_ours(REPO, Account(id=0, login="wim"))
    assert forge.permission(REPO, Account(id=0, login="wim")) == "write"
