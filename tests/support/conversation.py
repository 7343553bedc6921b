"""One conversation with the bot on GitHub's stand-in, GitLab's stand-in or the local forge.

People's actions are the same on all of them; each class does them on its forge. The results are read through
the bot's own adapters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from bot.forges.forge import Comment, Forge, Pull, Repo, ReviewComment, TargetKind
from bot.forges.github.adapter import github_forge
from bot.forges.gitlab.adapter import gitlab_forge
from bot.log.events import Prepared, Published, RunRequested, event_adapter
from bot.log.state import RunState
from bot.worker.processes import free_port
from runners.contract.job import EXAMPLES, FEATURE, WORK
from runners.git.command import TreeEntry, commit_on, git, store_blob
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import INSTALLATION, SLUG
from tests.standins.gitlab_server import GitLabServer
from tests.support.harness import CALC, REPO, BotUnderTest
from tests.support.waiting import wait_until

SECRET = "a-webhook-secret"
FORGES = ("local", "github", "gitlab")
Remark = tuple[str, int, str]  # path, line, text
Outcome = Literal["passed", "failed", "broken"]


class Conversation(ABC):
    """A bot, a forge, and people's actions there. `bare` is the repository."""

    kind = ""
    repo = Repo(full_name=REPO)
    bot: BotUnderTest
    forge: Forge
    bare: Path
    made: str  # the run that made the first pull request, set when there is one

    # -- what people do, differently on each forge -----------------------------------------------------

    @abstractmethod
    def open_issue(self, title: str, body: str) -> int: ...

    @abstractmethod
    def label(self, number: int, name: str, sender: str) -> None: ...

    @abstractmethod
    def say(self, on: TargetKind, number: int, author: str, body: str) -> None: ...

    @abstractmethod
    def review(self, pull: int, author: str, body: str, remarks: Sequence[Remark]) -> None: ...

    @abstractmethod
    def end_job(self, pull: int, name: str, outcome: Outcome, log: str, commit: str) -> None: ...

    @abstractmethod
    def bots_say(self, issue: int, text: str) -> None:
        """Deliver a comment of the bot under test, and one of another bot."""

    @abstractmethod
    def acknowledged(self, pull: int, remark: int) -> bool:
        """Return whether the bot has reacted to a remark in a review thread."""

    @abstractmethod
    def tell_push(self, branch: str) -> None: ...

    # -- the same everywhere -----------------------------------------------------------------------------

    def push(self, branch: str, files: Mapping[str, str], message: str = "By hand") -> str:
        """Commit files to a branch as a person does; returns the commit."""
        parent = git("rev-parse", branch, git_dir=self.bare)
        added = [
            TreeEntry("100644", store_blob(self.bare, text.encode()), path) for path, text in files.items()
        ]
        made = commit_on(self.bare, parent, message, added=added)
        git("update-ref", f"refs/heads/{branch}", made, git_dir=self.bare)
        self.tell_push(branch)
        return made

    def show(self, commit: str, path: str) -> str:
        return git("show", f"{commit}:{path}", git_dir=self.bare)

    def target(self, on: TargetKind, number: int) -> str:
        return f"{self.kind}:{self.repo.full_name}:{on}:{number}"

    def runs(self, on: TargetKind, number: int) -> list[str]:
        """Return the ids of the runs on an issue or pull request, newest first; wait for all deliveries."""
        self.bot.idle()
        return [row.id for row in self.bot.store.list_runs(target=self.target(on, number))]

    def end(self, on: TargetKind, number: int) -> RunState:
        """Wait until the newest run has ended or waits for a person, and its comment says so."""

        def ended() -> RunState | None:
            self.bot.group.check()
            found = self.runs(on, number)
            state = self.bot.state(found[0]) if found else RunState()
            current = bool(found) and self.bot.store.reports.is_current(found[0])
            return state if current and state.status != "active" else None

        return wait_until(ended, f"the end of the run on {on} {number}")

    def pull(self, number: int) -> Pull:
        return self.forge.pull(self.repo, number)

    def said(self, on: TargetKind, number: int) -> list[Comment]:
        """Return the bot's comments on an issue or pull request."""
        found = self.forge.comments(self.repo, number, on=on)
        return [each for each in found if self.forge.is_ours(self.repo, each.author)]

    def remarks(self, pull: int) -> list[ReviewComment]:
        return self.forge.review_comments(self.repo, pull)

    def answers(self, pull: int) -> list[str]:
        """Return the bot's comments in the review threads."""
        return [each.body for each in self.remarks(pull) if self.forge.is_ours(self.repo, each.author)]

    def opened_like(self, run: str, title: str, body: str, *, auto_rebase: bool = False) -> int:
        """Make another pull request of the bot from the log and the work of `run`; returns its number.

        The change is the same. The newest commit, issue, branch and number differ; `auto_rebase` is the
        repository's setting.
        """
        number = self.open_issue(title, body)
        state = self.bot.state(run)
        assert state.published is not None and state.requested is not None
        branch, first = f"agent/{number}-double-numbers", state.published.commit
        text = git("log", "-1", "--format=%B", first, git_dir=self.bare)
        again = (f"{first}^{{tree}}", "-p", f"{first}^", "-m", f"{text}\nCopy: {number}")
        commit = git("commit-tree", *again, git_dir=self.bare)
        git("update-ref", f"refs/heads/{branch}", commit, git_dir=self.bare)
        made = self.forge.ensure_pull(
            self.repo, head=branch, base="main", title=title, body=self.pull(state.published.pull).body
        )
        order = state.requested.order.model_copy(update={"number": number})
        request = RunRequested.model_validate(
            {**state.requested.model_dump(), "order": order, "order_sha256": order.digest, "key": ""}
        )
        store = self.bot.store
        copy = store.request_run(request, target=self.target("issue", number), exclusive=False)
        assert copy is not None
        claim = store.claim(copy, ["prepare"], 60)
        assert claim is not None
        events: list[Any] = []
        for entry in store.entries(run)[1:]:
            event = event_adapter.validate_json(entry.event.model_dump_json().replace(first, commit))
            if isinstance(event, Prepared):
                own = event.settings.model_copy(update={"auto_rebase": auto_rebase})
                event = event.model_copy(update={"branch": branch, "settings": own})
            if isinstance(event, Published):
                event = event.model_copy(update={"pull": made.number, "url": made.url})
            if event.type not in ("StatusPosted", "Asked"):
                events.append(event)
        kept = {name: store.artifact(run, name) for name in (WORK, FEATURE, EXAMPLES)}
        blobs = {name: data for name, data in kept.items() if data is not None}
        store.finish_phase(claim, events, blobs, phase="publish", status="done")
        return made.number


class OnLocal(Conversation):
    kind = "local"

    def __init__(self, bot: BotUnderTest) -> None:
        self.bot, self.forge, self._people = bot, bot.forge, bot.forge
        bot.make_repo(REPO)
        self.bare = bot.forge.path(REPO)

    def open_issue(self, title: str, body: str) -> int:
        return self._people.open_issue(REPO, "ada", title, body).number

    def label(self, number: int, name: str, sender: str) -> None:
        self._people.add_label(REPO, number, name, sender)

    def say(self, on: TargetKind, number: int, author: str, body: str) -> None:
        self._people.add_comment(REPO, number, author, body)

    def review(self, pull: int, author: str, body: str, remarks: Sequence[Remark]) -> None:
        self._people.submit_review(REPO, pull, author, body, list(remarks))

    def end_job(self, pull: int, name: str, outcome: Outcome, log: str, commit: str) -> None:
        state: Any = "failed" if outcome == "broken" else outcome
        self._people.end_job(REPO, pull, name, state, log, commit=commit, broken=outcome == "broken")

    def bots_say(self, issue: int, text: str) -> None:
        payload = self._people._conversation_payload(REPO, issue)
        comment = {"id": 10_000 + issue, "body": text, "created_at": ""}
        self._people._deliver(REPO, "issue_comment", "created", None, issue=payload, comment=comment)
        self._people._put(REPO, "member", 1999, 0, {"login": "other[bot]", "permission": "none"})
        self._people.add_comment(REPO, issue, "other[bot]", text)

    def acknowledged(self, pull: int, remark: int) -> bool:
        return bool(self._people._get(REPO, "reaction to review_comment", remark))

    def tell_push(self, branch: str) -> None:
        self._people.tell_push(REPO, branch, "ada")


class OnGitHub(Conversation):
    kind = "github"
    repo = Repo(full_name=REPO, installation=INSTALLATION)

    def __init__(self, bot: BotUnderTest, server: GitHubServer) -> None:
        self.bot, self._server, self.bare = bot, server, server.bare
        self.forge = github_forge(bot.settings)

    def open_issue(self, title: str, body: str) -> int:
        return self._server.open_issue("ada", title, body)

    def label(self, number: int, name: str, sender: str) -> None:
        self._server.label(number, name, sender)

    def say(self, on: TargetKind, number: int, author: str, body: str) -> None:
        self._server.say(number, author, body)

    def review(self, pull: int, author: str, body: str, remarks: Sequence[Remark]) -> None:
        self._server.review(pull, author, body, list(remarks))

    def end_job(self, pull: int, name: str, outcome: Outcome, log: str, commit: str) -> None:
        conclusion = {"passed": "success", "failed": "failure", "broken": "cancelled"}[outcome]
        self._server.end_job(pull, name, conclusion, log, commit=commit)

    def bots_say(self, issue: int, text: str) -> None:
        for login in (f"{SLUG}[bot]", "github-actions[bot]"):
            number = self._server._add_comment(issue, self._server._bots[login], text)
            comment = self._server.comments[number]
            self._server.send(
                "issue_comment", "created", login, issue=self._server.issues[issue], comment=comment
            )

    def acknowledged(self, pull: int, remark: int) -> bool:
        return (remark, "eyes") in self._server.reactions

    def tell_push(self, branch: str) -> None:
        self._server._pushed(REPO)
        after = git("rev-parse", branch, git_dir=self.bare)
        self._server.send("push", "", "ada", ref=f"refs/heads/{branch}", after=after)


class OnGitLab(Conversation):
    kind = "gitlab"

    def __init__(self, bot: BotUnderTest, server: GitLabServer) -> None:
        self.bot, self._server, self.bare = bot, server, server.bare
        self.forge = gitlab_forge(bot.settings)

    def open_issue(self, title: str, body: str) -> int:
        return self._server.open_issue("ada", title, body)

    def label(self, number: int, name: str, sender: str) -> None:
        self._server.label(number, name, sender)

    def say(self, on: TargetKind, number: int, author: str, body: str) -> None:
        self._server.say("issues" if on == "issue" else "merge_requests", number, author, body)

    def review(self, pull: int, author: str, body: str, remarks: Sequence[Remark]) -> None:
        if body:
            self._server.say("merge_requests", pull, author, f"/agent revise {body}")
        for path, line, text in remarks:
            self._server.comment_on_line(pull, author, path, line, text)

    def end_job(self, pull: int, name: str, outcome: Outcome, log: str, commit: str) -> None:
        reason = "runner_system_failure" if outcome == "broken" else "script_failure"
        status = "success" if outcome == "passed" else "failed"
        self._server.end_job(pull, name, status, log, reason=reason, commit=commit)

    def bots_say(self, issue: int, text: str) -> None:
        other = {"id": 202, "username": "project_8_bot_cd34", "name": "other", "state": "active"}
        self._server.people["other"] = other
        self._server._levels[202] = 30
        for name in (self._server.bot["username"], "other"):
            self._server.say("issues", issue, name, text)

    def acknowledged(self, pull: int, remark: int) -> bool:
        return ("merge_requests", pull, remark) in self._server.awards

    def tell_push(self, branch: str) -> None:
        after = git("rev-parse", branch, git_dir=self.bare)
        event = {"object_kind": "push", "ref": f"refs/heads/{branch}", "after": after}
        self._server._tell("Push Hook", "ada", event)


@contextmanager
def conversation(
    forge: str, files: Mapping[str, str] = CALC, made: Callable[..., BotUnderTest] = BotUnderTest
) -> Iterator[Conversation]:
    """Start a bot, which `made` returns, on one of `FORGES`, with one repository that holds `files`."""
    with ExitStack() as stack:
        if forge == "local":
            yield OnLocal(stack.enter_context(made()))
            return
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="scn-talk-")))
        folder.chmod(0o755)
        port = free_port()
        hook = f"http://127.0.0.1:{port}/webhooks/{forge}"
        if forge == "github":
            github = stack.enter_context(GitHubServer(folder, files, hook, SECRET))
            bot = stack.enter_context(made(github.settings(), port))
            yield OnGitHub(bot, github)
            assert github.violations == [], github.violations
            return
        gitlab = stack.enter_context(GitLabServer(folder, files, hook, SECRET))
        yield OnGitLab(stack.enter_context(made(gitlab.settings(), port)), gitlab)
