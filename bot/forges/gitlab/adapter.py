"""GitLab's REST API behind the `Forge` protocol; it translates and decides nothing.

https://docs.gitlab.com/api/rest/
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import requests

from bot.config.settings import Settings, SettingsInvalid
from bot.forges.forge import (
    Account,
    Check,
    CheckState,
    Comment,
    Forge,
    ForgeMissing,
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
from bot.forges.gitlab import payloads
from bot.forges.gitlab.client import GitlabError, client, forge_errors, is_ambiguous, said

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
_READER, _DEVELOPER, _MAINTAINER = 10, 30, 40
_BOT = re.compile(r"(project|group)_\d+_bot(_[0-9a-f]+|\d*)")
_MAX_DESCRIPTION = 255  # of a commit status
_STATES: Mapping[CheckState, str] = {
    "queued": "pending",
    "in_progress": "running",
    "success": "success",
    "failure": "failed",
    "neutral": "success",
    "cancelled": "canceled",
}


def gitlab_forge(settings: Settings) -> "GitLabForge":
    """Return the adapter for the configured server. Raises `SettingsInvalid` without a token."""
    token = settings.gitlab_token.get_secret_value()
    if not token:
        raise SettingsInvalid("SCENARIST_GITLAB_TOKEN is not set.")
    return GitLabForge(settings.gitlab_url, token)


class GitLabForge:
    """One GitLab server, with one token of the bot's account."""

    kind = "gitlab"

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._client = client(self._url, token)
        self._account: int | None = None

    def permission(self, repo: Repo, account: Account) -> Permission:
        with forge_errors():
            user = account.id or self._user_id(account.login)
            if not user or _BOT.fullmatch(account.login):
                return "none"
            try:
                member = self._project(repo).members_all.get(user)
            except GitlabError as error:
                if error.response_code == 404:
                    return "none"
                raise
        if getattr(member, "state", "active") != "active":
            return "none"
        level = int(member.access_level)
        if level >= _MAINTAINER:
            return "admin"
        if level >= _DEVELOPER:
            return "write"
        return "read" if level >= _READER else "none"

    def issue(self, repo: Repo, number: int) -> Issue:
        with forge_errors():
            return payloads.issue(self._project(repo).issues.get(number).attributes)

    def comments(self, repo: Repo, number: int, *, on: Subject = "issue") -> list[Comment]:
        with forge_errors():
            found = self._subject(repo, number, on).notes.list(
                iterator=True, sort="asc", order_by="created_at", per_page=100
            )
            return [
                payloads.comment(each.attributes) for each in found if not payloads.is_hidden(each.attributes)
            ]

    def default_branch(self, repo: Repo) -> str:
        with forge_errors():
            return str(self._client.projects.get(repo.full_name).default_branch)

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        basic = base64.b64encode(f"oauth2:{self._token}".encode()).decode()
        return GitAccess(url=f"{self._url}/{repo.full_name}.git", header=f"Authorization: Basic {basic}")

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: Subject = "issue"
    ) -> int:
        def own() -> int | None:
            return next(
                (
                    each.id
                    for each in self.comments(repo, number, on=on)
                    if marker in each.body and self.is_ours(repo, each.author)
                ),
                None,
            )

        with forge_errors():
            notes = self._subject(repo, number, on).notes
            known = known if known is not None else own()
            if known is not None:
                notes.update(known, {"body": body})
                return known
            return _created(lambda: int(notes.create({"body": body}).get_id()), own)

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        with forge_errors():
            found = self._project(repo).mergerequests.list(
                source_branch=branch, state="all", order_by="created_at", sort="desc", get_all=True
            )
            own = [each.attributes for each in found]
        return [
            payloads.pull(each, repo)
            for each in own
            if each.get("source_project_id") == each.get("target_project_id")
        ]

    def pull(self, repo: Repo, number: int) -> Pull:
        with forge_errors():
            return payloads.pull(self._project(repo).mergerequests.get(number).attributes, repo)

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        def opened() -> int | None:
            return next(
                (each.number for each in self.pulls_by_head(repo, head) if each.state == "open"), None
            )

        known = self.pulls_by_head(repo, head)
        number = next((each.number for each in known if each.state == "open"), None)
        if known and number is None:
            raise PullClosed(f"Merge request !{known[0].number} for {head} is {known[0].state}.")
        with forge_errors():
            requests_ = self._project(repo).mergerequests
            if number is None:
                data = {
                    "source_branch": head,
                    "target_branch": base,
                    "title": f"{payloads.DRAFT}{title}" if draft else title,
                    "description": body,
                    "remove_source_branch": True,
                }
                number = _created(lambda: int(requests_.create(data).get_id()), opened)
            else:
                present = requests_.get(number)
                was_draft = str(present.title).startswith(payloads.DRAFT)
                wanted = {"title": f"{payloads.DRAFT}{title}" if was_draft else title, "description": body}
                if (present.title, present.description) != (wanted["title"], body):
                    requests_.update(number, wanted)
        return self.pull(repo, number)

    def upsert_check(self, repo: Repo, check: Check) -> int:
        data: dict[str, Any] = {
            "state": _STATES[check.state],
            "name": check.name,
            "description": check.title[:_MAX_DESCRIPTION],
        }
        if check.details_url:
            data["target_url"] = check.details_url
        with forge_errors():
            commit = self._project(repo).commits.get(check.head_sha, lazy=True)
            pipeline = self._pipeline(repo, check.head_sha)
            if pipeline is not None:
                data["pipeline_id"] = pipeline
            try:
                return int(commit.statuses.create(data).id)
            except GitlabError as error:
                # The status has this state already: GitLab's state machine knows no such step.
                if error.response_code != 400 or "Cannot transition status" not in said(error):
                    raise
            found = commit.statuses.list(name=check.name, get_all=True)
            return int(found[0].id) if found else 0

    def review(self, repo: Repo, pull: int, review: int) -> Review:
        raise ForgeMissing("GitLab groups no comments into a review.")

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        with forge_errors():
            found = self._project(repo).mergerequests.get(pull, lazy=True).discussions.list(iterator=True)
            return [
                payloads.review_comment(note, each.attributes["notes"][0])
                for each in found
                for note in each.attributes["notes"]
                if not payloads.is_hidden(note) and not each.attributes.get("individual_note")
            ]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        with forge_errors():
            request = self._project(repo).mergerequests.get(pull, lazy=True)

            def discussion() -> Any:
                found = request.discussions.list(iterator=True)
                return next((each for each in found if each.attributes["notes"][0]["id"] == thread), None)

            def own(of: Any) -> int | None:
                return next(
                    (
                        int(note["id"])
                        for note in of.attributes["notes"]
                        if marker in note["body"] and self.is_ours(repo, payloads.account(note["author"]))
                    ),
                    None,
                )

            present = discussion()
            if present is None:
                raise ForgeMissing(f"Merge request !{pull} has no thread that begins with note {thread}.")
            known = own(present)
            if known is not None:
                return known
            return _created(
                lambda: int(present.notes.create({"body": body}).get_id()), lambda: own(discussion())
            )

    def is_ours(self, repo: Repo, account: Account) -> bool:
        if self._account is None:
            with forge_errors():
                self._client.auth()
            self._account = int(getattr(self._client.user, "id", 0))
        return account.id == self._account

    def marked_issues(self, repo: Repo, prefix: str) -> dict[str, int]:
        with forge_errors():
            found = self._project(repo).issues.list(
                state="all", order_by="created_at", sort="desc", iterator=True, per_page=100
            )
            return {mark: int(each.iid) for each in found for mark in marks(each.description or "", prefix)}

    def create_issue(self, repo: Repo, title: str, body: str, labels: Sequence[str]) -> Issue:
        data = {"title": title, "description": body, "labels": ",".join(labels)}
        with forge_errors():
            return payloads.issue(self._project(repo).issues.create(data).attributes)

    # -- inside --------------------------------------------------------------------------------------

    def _project(self, repo: Repo) -> Any:
        return self._client.projects.get(repo.full_name, lazy=True)

    def _subject(self, repo: Repo, number: int, on: Subject) -> Any:
        """Return the issue or merge request of that number, not fetched: each has numbers of its own."""
        project = self._project(repo)
        return (project.issues if on == "issue" else project.mergerequests).get(number, lazy=True)

    def _user_id(self, login: str) -> int:
        found = self._client.users.list(username=login, get_all=False) if login else []
        return int(found[0].id) if found else 0

    def _pipeline(self, repo: Repo, sha: str) -> int | None:
        """Return the newest pipeline of the merge request's own CI on `sha`, so that the status joins it."""
        found = self._project(repo).pipelines.list(sha=sha, get_all=False)
        own = [each for each in found if each.attributes.get("source") == "merge_request_event"]
        return int(own[0].id) if own else None


def _created(create: Callable[[], int], find: Callable[[], int | None]) -> int:
    """Create a thing; after an answer that leaves open whether it was made, look before failing."""
    try:
        return create()
    except (GitlabError, requests.RequestException) as error:
        found = None
        if is_ambiguous(error):
            with suppress(GitlabError, requests.RequestException):
                found = find()
        if found is None:
            raise
        return found


def _conforms(forge: GitLabForge) -> Forge:
    """Lets the type checker compare the adapter with the protocol."""
    return forge
