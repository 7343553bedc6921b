"""The local forge: bare git repositories on disk, everything else in the bot's database, webhooks like
GitHub's.

It is for trying Scenarist without any account. What people do (`people.py`) sends deliveries; what the bot
does here sends none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.forges.backlog import marks
from bot.forges.ci import MAX_LOG_BYTES, CiJob
from bot.forges.forge import (
    Account,
    Capabilities,
    Check,
    Comment,
    ForgeMissing,
    GitAccess,
    Issue,
    Label,
    Permission,
    Pull,
    PullClosed,
    PullCommit,
    Repo,
    Review,
    ReviewComment,
    TargetKind,
)
from bot.forges.local.people import People
from bot.forges.local.things import BOT, now
from gherkin.values import Frozen
from runners.git.command import git, read_blob, remote_heads


class LocalForge(People):
    """One local forge behind the `Forge` protocol; `root` holds its repositories."""

    kind = "local"
    capabilities = Capabilities()

    def permission(self, repo: Repo, account: Account) -> Permission:
        for number, _, member in self._all(repo.full_name, "member"):
            if number == account.id:
                permission: Permission = member["permission"]
                return permission
        return "none"

    def in_team(self, repo: Repo, account: Account, team: str) -> bool:
        return False  # there are none

    def marked_issues(self, repo: Repo, prefix: str) -> dict[str, int]:
        found = self._all(repo.full_name, "issue")
        return {mark: number for number, _, data in found[::-1] for mark in marks(data["body"], prefix)}

    def create_issue(self, repo: Repo, title: str, body: str, labels: Sequence[str]) -> Issue:
        data = {
            "title": title,
            "body": body,
            "author": BOT.model_dump(),
            "labels": sorted(labels),
            "open": True,
            "updated_at": now(),
        }
        return self.issue(repo, self._put(repo.full_name, "issue", None, 0, data))

    def comments(self, repo: Repo, number: int, *, on: TargetKind = "issue") -> list[Comment]:
        found = self._all(repo.full_name, "comment", number)
        return [Comment.model_validate({"id": each, **_known(Comment, data)}) for each, _, data in found]

    def default_branch(self, repo: Repo) -> str:
        path = self.path(repo.full_name)
        if not path.is_dir():
            raise ForgeMissing(f"There is no repository {repo.full_name}.")
        return git("symbolic-ref", "--short", "HEAD", git_dir=path)

    def read_file(self, repo: Repo, path: str) -> str | None:
        blob = read_blob(self.path(repo.full_name), "HEAD", path)
        return None if blob is None else blob.decode(errors="replace")

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        return GitAccess(url=str(self.path(repo.full_name).resolve()))

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
    ) -> int:
        ours = [
            comment.id
            for comment in self.comments(repo, number)
            if comment.author.id == BOT.id and (comment.id == known or marker in comment.body)
        ]
        if not ours:
            return self._comment(repo.full_name, number, BOT, body)
        data = self._get(repo.full_name, "comment", ours[0])
        self._put(repo.full_name, "comment", ours[0], number, {**data, "body": body, "updated_at": now()})
        return ours[0]

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        found = [
            self.pull(repo, number)
            for number, _, data in self._all(repo.full_name, "pull")
            if data["head"] == branch
        ]
        return found[::-1]

    def pull_commits(self, repo: Repo, number: int) -> list[PullCommit]:
        data = self._get(repo.full_name, "pull", number)
        listed = git(
            "log",
            "--reverse",
            "--format=%H %ae %P",
            f"{data.get('before') or data['base']}..{data['head']}",
            git_dir=self.path(repo.full_name),
        )
        found = [line.split(" ") for line in listed.splitlines()]
        return [PullCommit(sha=sha, email=email, merge=len(parents) > 1) for sha, email, *parents in found]

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        known = self.pulls_by_head(repo, head)
        if known and known[0].state != "open":
            raise PullClosed(f"Pull request #{known[0].number} for {head} is {known[0].state}.")
        data = {
            "title": title,
            "body": body,
            "head": head,
            "base": base,
            "state": "open",
            "author": BOT.model_dump(),
        }
        if known:
            number = self._put(repo.full_name, "pull", known[0].number, 0, data)
        else:
            number = self._put(repo.full_name, "pull", None, 0, {**data, "draft": draft})
        return self.pull(repo, number)

    def set_ready(self, repo: Repo, number: int) -> None:
        data = self._get(repo.full_name, "pull", number)
        self._put(repo.full_name, "pull", number, 0, {**data, "draft": False})

    def upsert_check(self, repo: Repo, check: Check) -> int:
        for number, _, data in self._all(repo.full_name, "check"):
            if data["name"] == check.name and data["head_sha"] == check.head_sha:
                return self._put(repo.full_name, "check", number, 0, check.model_dump(mode="json"))
        return self._put(repo.full_name, "check", None, 0, check.model_dump(mode="json"))

    def checks(self, repo: Repo, head_sha: str) -> list[Check]:
        found = [Check.model_validate(data) for _, _, data in self._all(repo.full_name, "check")]
        return [check for check in found if check.head_sha == head_sha]

    def review(self, repo: Repo, pull: int, review: int) -> Review:
        return Review.model_validate({"id": review, **self._get(repo.full_name, "review", review)})

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        found = self._all(repo.full_name, "review_comment", pull)
        return [_review_comment(number, data) for number, _, data in found]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        comments = self.review_comments(repo, pull)
        for comment in comments:
            if comment.thread == thread and comment.author.id == BOT.id and marker in comment.body:
                return comment.id
        root = next((comment for comment in comments if comment.id == thread), None)
        if root is None:
            raise ForgeMissing(f"Pull request #{pull} has no review thread {thread}.")
        data = {
            "thread": thread,
            "author": BOT.model_dump(),
            "body": body,
            "path": root.path,
            "line": root.line,
            "created_at": now(),
            "review": None,
        }
        return self._put(repo.full_name, "review_comment", None, pull, data)

    def resolve_thread(self, repo: Repo, pull: int, thread: int) -> bool:
        self._get(repo.full_name, "review_comment", thread)
        self._put(repo.full_name, "resolved", thread, pull, {})
        return True

    def react(
        self, repo: Repo, number: int, comment: int | None, *, on: TargetKind, in_thread: bool = False
    ) -> None:
        kind = on if comment is None else "review_comment" if in_thread else "comment"
        self._get(repo.full_name, kind, comment or number)
        self._put(repo.full_name, f"reaction to {kind}", comment or number, number, {"content": "eyes"})

    def put_label(self, repo: Repo, number: int, label: Label, *, on: TargetKind) -> None:
        labels = self.labels(repo, number, on=on)
        self._put_labels(repo, number, on, sorted({*labels, label.name}))

    def drop_label(self, repo: Repo, number: int, label: str, *, on: TargetKind) -> None:
        labels = self.labels(repo, number, on=on)
        self._put_labels(repo, number, on, [each for each in labels if each != label])

    def labels(self, repo: Repo, number: int, *, on: TargetKind) -> list[str]:
        """Return the labels of an issue or pull request."""
        if on == "issue":
            return list(self.issue(repo, number).labels)
        found = self._all(repo.full_name, "pull labels", number=number)
        return list(found[0][2]["labels"]) if found else []

    def _put_labels(self, repo: Repo, number: int, on: TargetKind, labels: list[str]) -> None:
        if on == "pull":
            self._put(repo.full_name, "pull labels", number, 0, {"labels": labels})
            return
        data = self._get(repo.full_name, "issue", number)
        self._put(repo.full_name, "issue", number, 0, {**data, "labels": labels})

    def is_ours(self, repo: Repo, account: Account) -> bool:
        return account.id == BOT.id

    def login(self, repo: Repo) -> str:
        return BOT.login

    def ci_jobs(self, repo: Repo, commit: str, *, pull: int | None = None) -> list[CiJob]:
        sha = remote_heads(str(self.path(repo.full_name)), "", commit).get(commit, commit)
        found = self._all(repo.full_name, "job")
        return [_job(number, data) for number, _, data in found if data["commit"] == sha]

    def ci_log(self, repo: Repo, job: CiJob) -> str:
        return str(self._get(repo.full_name, "job", job.id)["log"])[-MAX_LOG_BYTES:]


def _job(number: int, data: Mapping[str, Any]) -> CiJob:
    fields = {name: data[name] for name in ("name", "state", "broken", "optional")}
    return CiJob.model_validate({"id": number, "has_log": True, **fields})


def _review_comment(number: int, data: Mapping[str, Any]) -> ReviewComment:
    kept = {**_known(ReviewComment, data), "thread": data["thread"] or number}
    return ReviewComment.model_validate({"id": number, **kept})


def _known(kind: type[Frozen], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `kind` has fields for: reactions and the like are kept beside it."""
    return {name: value for name, value in data.items() if name in kind.model_fields}
