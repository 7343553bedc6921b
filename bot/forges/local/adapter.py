"""The local forge: bare git repositories on disk, everything else in the bot's database, webhooks like
GitHub's.

It is for trying Scenarist without any account. A person's acts (`open_issue`, `add_label`, …) send
deliveries, signed as GitHub signs them; the bot's own (`upsert_comment`, …) do not.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bot.forges.forge import (
    Account,
    Check,
    Comment,
    ForgeMissing,
    ForgeUnavailable,
    GitAccess,
    Issue,
    Permission,
    Pull,
    PullClosed,
    Repo,
    Review,
    ReviewComment,
    Subject,
    marks,
)
from bot.storage.tables import local_things as things
from runners.git.command import git, remote_heads

BOT = Account(id=1, login="scenarist[bot]")


class LocalForge:
    """One local forge; `root` holds its repositories, `send` posts a delivery (headers, body)."""

    kind = "local"

    def __init__(
        self,
        engine: sa.Engine,
        root: Path,
        *,
        send: Callable[[Mapping[str, str], bytes], None] | None = None,
        secret: bytes = b"",
    ) -> None:
        self._engine = engine
        self._root = root
        self._send = send
        self._secret = secret

    # -- what people do ------------------------------------------------------------------------------

    def path(self, repo: str) -> Path:
        """Where the bare repository lies."""
        return self._root / f"{repo}.git"

    def create_repo(self, repo: str, members: Mapping[str, Permission]) -> None:
        """An empty repository with branch `main` as its default; `members` maps logins to rights."""
        path = self.path(repo)
        path.mkdir(parents=True)
        git("init", "--quiet", "--bare", "--initial-branch=main", str(path), git_dir=path)
        for number, (login, permission) in enumerate(members.items(), start=1001):
            self._put(repo, "member", number, 0, {"login": login, "permission": permission})

    def account(self, repo: str, login: str) -> Account:
        for number, _, member in self._all(repo, "member"):
            if member["login"] == login:
                return Account(id=number, login=login)
        raise ForgeMissing(f"{repo} has no member {login}.")

    def open_issue(self, repo: str, author: str, title: str, body: str) -> Issue:
        """Open an issue (numbers are shared with pull requests, as on GitHub)."""
        data = {
            "title": title,
            "body": body,
            "author": self.account(repo, author).model_dump(),
            "labels": [],
            "open": True,
            "updated_at": _now(),
        }
        number = self._put(repo, "issue", None, 0, data)
        self._deliver(repo, "issues", "opened", author, issue=self._issue_payload(repo, number))
        return self.issue(Repo(full_name=repo), number)

    def add_label(self, repo: str, number: int, label: str, sender: str) -> None:
        data = self._get(repo, "issue", number)
        data["labels"] = sorted({*data["labels"], label})
        data["updated_at"] = _now()
        self._put(repo, "issue", number, 0, data)
        self._deliver(
            repo,
            "issues",
            "labeled",
            sender,
            issue=self._issue_payload(repo, number),
            label={"name": label},
        )

    def remove_label(self, repo: str, number: int, label: str, sender: str) -> None:
        data = self._get(repo, "issue", number)
        data["labels"] = [each for each in data["labels"] if each != label]
        self._put(repo, "issue", number, 0, {**data, "updated_at": _now()})
        payload = self._issue_payload(repo, number)
        self._deliver(repo, "issues", "unlabeled", sender, issue=payload, label={"name": label})

    def close_issue(self, repo: str, number: int, sender: str) -> None:
        data = self._get(repo, "issue", number)
        self._put(repo, "issue", number, 0, {**data, "open": False, "updated_at": _now()})
        self._deliver(repo, "issues", "closed", sender, issue=self._issue_payload(repo, number))

    def add_comment(self, repo: str, number: int, author: str, body: str) -> int:
        made = self._comment(repo, number, self.account(repo, author), body)
        payload = self._conversation_payload(repo, number)
        comment = {"id": made, "body": body, "created_at": _now()}
        self._deliver(repo, "issue_comment", "created", author, issue=payload, comment=comment)
        return made

    def edit_comment(self, repo: str, comment: int, editor: str, body: str) -> None:
        """Edit whoever's comment on an issue."""
        issue, data = next((to, data) for _, to, data in self._all(repo, "comment", number=comment))
        self._put(repo, "comment", comment, issue, {**data, "body": body, "updated_at": _now()})
        edited = {"id": comment, "user": data["author"], "body": body, "created_at": data["created_at"]}
        payload = self._conversation_payload(repo, issue)
        self._deliver(repo, "issue_comment", "edited", editor, issue=payload, comment=edited)

    def submit_review(
        self, repo: str, pull: int, author: str, body: str, comments: list[tuple[str, int, str]]
    ) -> int:
        """Submit a review with comments (path, line, text); returns its id."""
        who = self.account(repo, author).model_dump()
        at = _now()
        data = {"author": who, "body": body, "state": "CHANGES_REQUESTED", "submitted_at": at}
        review = self._put(repo, "review", None, pull, data)
        for path, line, text in comments:
            self._put(
                repo,
                "review_comment",
                None,
                pull,
                {
                    "thread": 0,
                    "author": who,
                    "body": text,
                    "path": path,
                    "line": line,
                    "created_at": at,
                    "review": review,
                },
            )
        found = self.pull(Repo(full_name=repo), pull)
        self._deliver(
            repo,
            "pull_request_review",
            "submitted",
            author,
            review={
                "id": review,
                "state": "changes_requested",
                "body": body,
                "submitted_at": at,
            },
            pull_request={
                "number": pull,
                "title": found.title,
                "head": {"ref": found.head, "repo": {"full_name": repo}},
            },
        )
        return review

    # -- the Forge protocol --------------------------------------------------------------------------

    def permission(self, repo: Repo, account: Account) -> Permission:
        for number, _, member in self._all(repo.full_name, "member"):
            if number == account.id:
                permission: Permission = member["permission"]
                return permission
        return "none"

    def issue(self, repo: Repo, number: int) -> Issue:
        data = self._get(repo.full_name, "issue", number)
        fields = {name: data[name] for name in ("title", "body", "author", "labels", "open")}
        return Issue.model_validate({"number": number, **fields})

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
            "updated_at": _now(),
        }
        return self.issue(repo, self._put(repo.full_name, "issue", None, 0, data))

    def comments(self, repo: Repo, number: int, *, on: Subject = "issue") -> list[Comment]:
        return [
            Comment.model_validate({"id": found, **data})
            for found, _, data in self._all(repo.full_name, "comment", number)
        ]

    def default_branch(self, repo: Repo) -> str:
        path = self.path(repo.full_name)
        if not path.is_dir():
            raise ForgeMissing(f"There is no repository {repo.full_name}.")
        return git("symbolic-ref", "--short", "HEAD", git_dir=path)

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        return GitAccess(url=str(self.path(repo.full_name).resolve()))

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: Subject = "issue"
    ) -> int:
        ours = [
            comment.id
            for comment in self.comments(repo, number)
            if comment.author.id == BOT.id and (comment.id == known or marker in comment.body)
        ]
        if not ours:
            return self._comment(repo.full_name, number, BOT, body)
        data = self._get(repo.full_name, "comment", ours[0])
        self._put(repo.full_name, "comment", ours[0], number, {**data, "body": body, "updated_at": _now()})
        return ours[0]

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        found = [
            self.pull(repo, number)
            for number, _, data in self._all(repo.full_name, "pull")
            if data["head"] == branch
        ]
        return found[::-1]

    def pull(self, repo: Repo, number: int) -> Pull:
        data = self._get(repo.full_name, "pull", number)
        path = self.path(repo.full_name)
        head_sha = remote_heads(str(path), "", data["head"]).get(data["head"], "")
        return Pull.model_validate(
            {
                "number": number,
                "url": f"{path}#{number}",
                "head_sha": head_sha,
                "head_repo": repo.full_name,
                **data,
            }
        )

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
        return [
            ReviewComment.model_validate({"id": number, **data, "thread": data["thread"] or number})
            for number, _, data in self._all(repo.full_name, "review_comment", pull)
        ]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        comments = self.review_comments(repo, pull)
        for comment in comments:
            if comment.author.id == BOT.id and marker in comment.body:
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
            "created_at": _now(),
            "review": None,
        }
        return self._put(repo.full_name, "review_comment", None, pull, data)

    def is_ours(self, repo: Repo, account: Account) -> bool:
        return account.id == BOT.id

    # -- inside --------------------------------------------------------------------------------------

    def _comment(self, repo: str, number: int, author: Account, body: str) -> int:
        now = _now()
        data = {"author": author.model_dump(), "body": body, "created_at": now, "updated_at": now}
        return self._put(repo, "comment", None, number, data)

    def _issue_payload(self, repo: str, number: int) -> dict[str, Any]:
        data = self._get(repo, "issue", number)
        return {
            "number": number,
            "title": data["title"],
            "body": data["body"],
            "updated_at": data["updated_at"],
            "labels": [{"name": label} for label in data["labels"]],
        }

    def _conversation_payload(self, repo: str, number: int) -> dict[str, Any]:
        try:
            return self._issue_payload(repo, number)
        except ForgeMissing:
            data = self._get(repo, "pull", number)
            return {"number": number, "title": data["title"], "body": data["body"], "pull_request": {}}

    def _deliver(self, repo: str, event: str, action: str, sender: str, **parts: Any) -> None:
        if self._send is None:
            return
        body = json.dumps(
            {
                "action": action,
                "repository": {"full_name": repo},
                "sender": self.account(repo, sender).model_dump(),
                **parts,
            }
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest(),
        }
        self._send(headers, body)

    def _all(
        self, repo: str, kind: str, parent: int | None = None, number: int | None = None
    ) -> list[tuple[int, int, dict[str, Any]]]:
        query = sa.select(things).where(things.c.repo == repo, things.c.kind == kind)
        if parent is not None:
            query = query.where(things.c.parent == parent)
        if number is not None:
            query = query.where(things.c.id == number)
        with self._engine.connect() as plain:
            db = plain.execution_options(isolation_level="AUTOCOMMIT")
            rows = db.execute(query.order_by(things.c.id)).all()
        return [(row.id, row.parent, json.loads(row.data)) for row in rows]

    def _get(self, repo: str, kind: str, number: int) -> dict[str, Any]:
        for _, _, data in self._all(repo, kind, number=number):
            return data
        raise ForgeMissing(f"{repo} has no {kind} {number}.")

    def _put(self, repo: str, kind: str, number: int | None, parent: int, data: Mapping[str, Any]) -> int:
        """Write a thing; without `number` it gets the next one of its kind."""
        with self._engine.begin() as db:
            if number is None:
                # Issues and pull requests share their numbers, as on GitHub.
                kinds = ("issue", "pull") if kind in ("issue", "pull") else (kind,)
                newest = sa.select(sa.func.max(things.c.id)).where(
                    things.c.repo == repo, things.c.kind.in_(kinds)
                )
                number = (db.execute(newest).scalar() or 0) + 1
            where = (things.c.repo == repo, things.c.kind == kind, things.c.id == number)
            text = json.dumps(data)
            if not db.execute(sa.update(things).where(*where).values(data=text)).rowcount:
                db.execute(
                    sa.insert(things).values(repo=repo, kind=kind, id=number, parent=parent, data=text)
                )
        return number


def http_sender(url: str) -> Callable[[Mapping[str, str], bytes], None]:
    """Posts deliveries to `url`, as a forge does: ten seconds to answer, anything but 2xx is a failure."""

    def send(headers: Mapping[str, str], body: bytes) -> None:
        try:
            answer = httpx.post(url, content=body, headers=dict(headers), timeout=10)
        except httpx.HTTPError as error:
            raise ForgeUnavailable(f"The delivery to {url} failed ({type(error).__name__}).") from None
        if not answer.is_success:
            raise ForgeUnavailable(f"The delivery to {url} was answered with {answer.status_code}.")

    return send


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
