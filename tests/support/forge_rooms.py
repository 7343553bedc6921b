"""One pull request of the bot on each forge, with actions and readings that do not use the bot."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.config.settings import Settings
from bot.forges.ci import JobState
from bot.forges.events import ForgeEvent, Ignored
from bot.forges.forge import Forge, Repo
from bot.forges.github.adapter import github_forge
from bot.forges.github.webhooks.receiver import GitHubReceiver
from bot.forges.gitlab.adapter import gitlab_forge
from bot.forges.gitlab.webhooks.receiver import GitLabReceiver
from bot.forges.local.adapter import LocalForge
from bot.storage.database import connect, migrate
from runners.git.command import git
from tests.standins.github_server import GitHubServer
from tests.standins.github_state import INSTALLATION
from tests.standins.gitlab_server import GitLabServer

FILES = {"calc.py": "a = 1\nb = 2\nc = 3\n"}
HEAD = "agent/1-double"
LABELS = ("agent:implement", "agent:spec")


Outcome = Literal["passed", "failed", "broken", "running"]


@dataclass
class Room:
    """One forge with an issue, and functions that act on it or read it without the bot."""

    forge: Forge
    repo: Repo
    issue: int
    bare: Path
    comment: Callable[[int], int]
    thread: Callable[[int], int]
    reactions: Callable[[], int]
    resolved: Callable[[int, int], bool]
    close: Callable[[int], object]
    # (pull request, name, how it ended, log): a job of the CI ends on the pull request's newest commit.
    end_job: Callable[[int, str, Outcome, str], object]
    # Somebody merges a pull request; with False they close it.
    end_pull: Callable[[int, bool], object]
    # Somebody has pushed the newest commit of a branch.
    push: Callable[[str], object]
    # What the forge's receiver reads from the newest delivery.
    told: Callable[[], ForgeEvent | Ignored]

    def commit(self, branch: str, message: str, *, email: str = "wim@example.org") -> str:
        """Put an empty commit of somebody on a branch; returns its hash."""
        tree = git("rev-parse", f"{branch}^{{tree}}", git_dir=self.bare)
        author = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": email}
        made = git("commit-tree", tree, "-p", branch, "-m", message, git_dir=self.bare, env=author)
        git("update-ref", f"refs/heads/{branch}", made, git_dir=self.bare)
        return made

    def pull(self, *, draft: bool = False) -> int:
        """Make a pull request of the bot whose branch has one commit more than main; returns its number."""
        tree = git("rev-parse", "main^{tree}", git_dir=self.bare)
        made = git("commit-tree", tree, "-p", "main", "-m", "x", git_dir=self.bare)
        git("update-ref", f"refs/heads/{HEAD}", made, git_dir=self.bare)
        opened = self.forge.ensure_pull(self.repo, head=HEAD, base="main", title="T", body="B", draft=draft)
        return opened.number


_ON_GITHUB = {"passed": "success", "failed": "failure", "broken": "cancelled", "running": None}


def on_github(folder: Path, stack: ExitStack) -> Room:
    server = stack.enter_context(GitHubServer(folder, FILES, "http://127.0.0.1:9/", "s"))
    # The stand-in records requests that GitHub's description does not allow; there must be none.
    stack.callback(lambda: _none(server.violations))
    return github_room(server, folder)


def github_room(server: GitHubServer, folder: Path) -> Room:
    def thread(pull: int) -> int:
        server.review(pull, "wim", "", [("calc.py", 1, "Why?"), ("calc.py", 2, "And why that?")])
        return max(server.review_comments)

    return Room(
        github_forge(Settings.model_validate({"state_dir": folder, **server.settings()})),
        Repo(full_name=server.repo, installation=INSTALLATION),
        server.open_issue("ada", "T", "B"),
        server.bare,
        lambda number: server.comment(number, "wim", "Hello"),
        thread,
        lambda: len(server.reactions),
        lambda _pull, first: first in server.resolved,
        server.close_pull,
        lambda pull, name, outcome, log: server.end_job(pull, name, _ON_GITHUB[outcome], log),
        lambda pull, merge: server.end_pull(pull, "ada", merge=merge),
        lambda branch: server.push(branch, "ada"),
        lambda: GitHubReceiver(LABELS).read(server.deliveries[-1]["event"], server.deliveries[-1]["body"]),
    )


def on_gitlab(folder: Path, stack: ExitStack) -> Room:
    server = stack.enter_context(GitLabServer(folder, FILES, "http://127.0.0.1:9/", "s"))

    def end_job(pull: int, name: str, outcome: Outcome, log: str) -> None:
        reason = "runner_system_failure" if outcome == "broken" else "script_failure"
        status = {"passed": "success", "running": "running"}.get(outcome, "failed")
        server.end_job(pull, name, status, log, reason=reason)

    def resolved(pull: int, first: int) -> bool:
        return any(
            each.get("resolved", False)
            for each in server.discussions[pull]
            if each["notes"][0]["id"] == first
        )

    return Room(
        gitlab_forge(Settings.model_validate({"state_dir": folder, **server.settings()})),
        Repo(full_name=server.repo),
        server.open_issue("ada", "T", "B"),
        server.bare,
        lambda number: server.say("issues", number, "wim", "Hello"),
        lambda pull: server.comment_on_line(pull, "wim", "calc.py", 2, "Why?"),
        lambda: len(server.awards),
        resolved,
        lambda pull: server.close(pull, "ada"),
        end_job,
        lambda pull, merge: server.close(pull, "ada", merge=merge),
        lambda branch: server.push(branch, "ada"),
        lambda: GitLabReceiver(LABELS).read(*server.told[-1]),
    )


def on_local(folder: Path, stack: ExitStack) -> Room:
    engine = connect(f"sqlite:///{folder / 'bot.db'}")
    stack.callback(engine.dispose)
    migrate(engine)
    told: list[tuple[str, bytes]] = []
    forge = LocalForge(
        engine,
        folder / "forge",
        send=lambda headers, body: told.append((headers["X-GitHub-Event"], body)),
    )
    name = "octo/calc"
    forge.create_repo(name, {"ada": "admin", "wim": "write", "tri": "read"})
    (folder / "tree").mkdir()
    (folder / "tree" / "calc.py").write_text(FILES["calc.py"])
    git("add", "--all", git_dir=forge.path(name), work_tree=folder / "tree")
    git("commit", "--quiet", "-m", "Begin", git_dir=forge.path(name), work_tree=folder / "tree")

    def thread(pull: int) -> int:
        forge.submit_review(name, pull, "wim", "", [("calc.py", 2, "Why?")])
        return forge.review_comments(Repo(full_name=name), pull)[-1].id

    def end_job(pull: int, job: str, outcome: Outcome, log: str) -> None:
        state: JobState = "failed" if outcome == "broken" else outcome
        forge.end_job(name, pull, job, state, log, broken=outcome == "broken")

    def close(pull: int) -> None:
        forge.close_pull(name, pull, "ada")

    def reactions() -> int:
        kinds = ("issue", "pull", "comment", "review_comment")
        return sum(len(forge._all(name, f"reaction to {kind}")) for kind in kinds)

    return Room(
        forge,
        Repo(full_name=name),
        forge.open_issue(name, "ada", "T", "B").number,
        forge.path(name),
        lambda number: forge.add_comment(name, number, "wim", "Hello"),
        thread,
        reactions,
        lambda _pull, first: bool(forge._all(name, "resolved", number=first)),
        close,
        end_job,
        lambda pull, merge: forge.close_pull(name, pull, "ada", merge=merge),
        lambda branch: forge.tell_push(name, branch, "ada"),
        lambda: GitHubReceiver(LABELS).read(*told[-1]),
    )


def _none(violations: list[str]) -> None:
    assert violations == []


ROOMS = {"github": on_github, "gitlab": on_gitlab, "local": on_local}
