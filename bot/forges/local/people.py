"""The actions of people on the local forge. Each sends a delivery, signed as GitHub signs it."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bot.forges.ci import JobState
from bot.forges.forge import Account, ForgeMissing, ForgeUnavailable, Issue, Permission, Repo
from bot.forges.local.things import BOT, Things, now
from bot.tls import trusted
from runners.git.command import git


class People(Things):
    """The actions of people; `send` posts a delivery (headers, body)."""

    def __init__(
        self,
        engine: sa.Engine,
        root: Path,
        *,
        send: Callable[[Mapping[str, str], bytes], None] | None = None,
        secret: bytes = b"",
    ) -> None:
        super().__init__(engine, root)
        self._send = send
        self._secret = secret

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

    def open_issue(
        self, repo: str, author: str, title: str, body: str, *, number: int = 0, known_as: int | None = None
    ) -> Issue:
        """Open an issue (numbers are shared with pull requests, as on GitHub).

        It gets `number` where that is neither 0 nor taken, else the next one. `known_as` is the number
        by which other people know it (0: none), if it is another one.
        """
        taken = [found for kind in ("issue", "pull") for found, _, _ in self._all(repo, kind)]
        data = {
            "title": title,
            "body": body,
            "author": self.account(repo, author).model_dump(),
            "labels": [],
            "open": True,
            "known_as": known_as,
            "updated_at": now(),
        }
        number = self._put(repo, "issue", None if number in (0, *taken) else number, 0, data)
        self._deliver(repo, "issues", "opened", author, issue=self._issue_payload(repo, number))
        return self.issue(Repo(full_name=repo), number)

    def add_label(self, repo: str, number: int, label: str, sender: str) -> None:
        data = self._get(repo, "issue", number)
        data["labels"] = sorted({*data["labels"], label})
        data["updated_at"] = now()
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
        self._put(repo, "issue", number, 0, {**data, "updated_at": now()})
        payload = self._issue_payload(repo, number)
        self._deliver(repo, "issues", "unlabeled", sender, issue=payload, label={"name": label})

    def close_issue(self, repo: str, number: int, sender: str) -> None:
        data = self._get(repo, "issue", number)
        self._put(repo, "issue", number, 0, {**data, "open": False, "updated_at": now()})
        self._deliver(repo, "issues", "closed", sender, issue=self._issue_payload(repo, number))

    def add_comment(self, repo: str, number: int, author: str, body: str) -> int:
        made = self._comment(repo, number, self.account(repo, author), body)
        payload = self._conversation_payload(repo, number)
        comment = {"id": made, "body": body, "created_at": now()}
        self._deliver(repo, "issue_comment", "created", author, issue=payload, comment=comment)
        return made

    def edit_comment(self, repo: str, comment: int, editor: str, body: str) -> None:
        """Edit whoever's comment on an issue."""
        issue, data = next((to, data) for _, to, data in self._all(repo, "comment", number=comment))
        self._put(repo, "comment", comment, issue, {**data, "body": body, "updated_at": now()})
        edited = {"id": comment, "user": data["author"], "body": body, "created_at": data["created_at"]}
        payload = self._conversation_payload(repo, issue)
        former = {"body": {"from": data["body"]}}
        self._deliver(repo, "issue_comment", "edited", editor, issue=payload, comment=edited, changes=former)

    def close_pull(self, repo: str, pull: int, sender: str, *, merge: bool = False) -> None:
        """Close a pull request; with `merge` its base gets the newest commit of its branch."""
        data, path = self._get(repo, "pull", pull), self.path(repo)
        head = git("rev-parse", data["head"], git_dir=path)
        before = git("merge-base", data["base"], head, git_dir=path)
        if merge:
            git("update-ref", f"refs/heads/{data['base']}", head, git_dir=path)
        state = "merged" if merge else "closed"
        self._put(repo, "pull", pull, 0, {**data, "state": state, "before": before})
        ended = {"merged": merge, "merge_commit_sha": head if merge else None}
        payload = {**self._pull_payload(repo, pull), **ended}
        self._deliver(repo, "pull_request", "closed", sender, pull_request=payload)

    def reopen_pull(self, repo: str, pull: int, sender: str) -> None:
        """Open a closed pull request again."""
        self._put(repo, "pull", pull, 0, {**self._get(repo, "pull", pull), "state": "open"})
        payload = self._pull_payload(repo, pull)
        self._deliver(repo, "pull_request", "reopened", sender, pull_request=payload)

    def tell_push(self, repo: str, branch: str, sender: str) -> None:
        """Tell that somebody has pushed to a branch; the commits are in the bare repository."""
        after = git("rev-parse", branch, git_dir=self.path(repo))
        message = git("log", "-1", "--format=%B", branch, git_dir=self.path(repo))
        commits = [{"id": after, "message": message}]
        self._deliver(repo, "push", "", sender, ref=f"refs/heads/{branch}", after=after, commits=commits)

    def end_job(
        self,
        repo: str,
        pull: int,
        name: str,
        state: JobState,
        log: str = "",
        *,
        commit: str = "",
        broken: bool = False,
        optional: bool = False,
    ) -> None:
        """Let a job of the CI end on the newest commit of a pull request, or on `commit`."""
        found = self.pull(Repo(full_name=repo), pull)
        sha = commit or found.head_sha
        data = {"commit": sha, "name": name, "state": state, "log": log}
        self._put(repo, "job", None, 0, {**data, "broken": broken, "optional": optional})
        if state == "running":
            return
        conclusion = {"passed": "success", "failed": "failure"}.get(state, "skipped")
        run = {"name": name, "head_sha": sha, "conclusion": conclusion}
        suite = {"head_branch": found.head}
        self._deliver(repo, "check_run", "completed", None, check_run={**run, "check_suite": suite})

    def submit_review(
        self, repo: str, pull: int, author: str, body: str, comments: list[tuple[str, int, str]]
    ) -> int:
        """Submit a review with comments (path, line, text); returns its id."""
        who = self.account(repo, author).model_dump()
        at = now()
        head = self.pull(Repo(full_name=repo), pull).head_sha
        data = {"author": who, "body": body, "state": "CHANGES_REQUESTED", "submitted_at": at}
        review = self._put(repo, "review", None, pull, data)
        made = [
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
                    "commit": head,
                    "created_at": at,
                    "review": review,
                },
            )
            for path, line, text in comments
        ]
        shown = self._pull_payload(repo, pull)
        for number, (_path, _line, text) in zip(made, comments, strict=True):
            comment = {"id": number, "body": text, "created_at": at, "pull_request_review_id": review}
            self._deliver(
                repo, "pull_request_review_comment", "created", author, comment=comment, pull_request=shown
            )
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
            pull_request=shown,
        )
        return review

    def _pull_payload(self, repo: str, number: int) -> dict[str, Any]:
        found = self.pull(Repo(full_name=repo), number)
        head = {"ref": found.head, "sha": found.head_sha, "repo": {"full_name": repo}}
        return {"number": number, "title": found.title, "body": found.body, "head": head}

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

    def _deliver(self, repo: str, event: str, action: str, sender: str | None, **parts: Any) -> None:
        if self._send is None:
            return
        body = json.dumps(
            {
                "action": action,
                "repository": {"full_name": repo},
                "sender": (self.account(repo, sender) if sender else BOT).model_dump(),
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


def http_sender(url: str) -> Callable[[Mapping[str, str], bytes], None]:
    """Posts deliveries to `url`, as a forge does: ten seconds to answer, anything but 2xx is a failure."""

    def send(headers: Mapping[str, str], body: bytes) -> None:
        try:
            answer = httpx.post(url, content=body, headers=dict(headers), timeout=10, verify=trusted())
        except httpx.HTTPError as error:
            raise ForgeUnavailable(f"The delivery to {url} failed ({type(error).__name__}).") from None
        if not answer.is_success:
            raise ForgeUnavailable(f"The delivery to {url} was answered with {answer.status_code}.")

    return send
