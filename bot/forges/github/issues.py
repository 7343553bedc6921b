"""Issues, their comments, and who may do what on GitHub."""

from collections.abc import Mapping, Sequence
from typing import Any

from githubkit.exception import RequestFailed

from bot.forges.backlog import marks
from bot.forges.forge import (
    Account,
    Comment,
    ForgeUnavailable,
    Issue,
    Permission,
    Repo,
    TargetKind,
)
from bot.forges.github import payloads
from bot.forges.github.api import PAGE, GitHubApi, pages

_SCARCE_S = 60.0
_STATES: Mapping[str, Permission] = {
    "admin": "admin",
    "maintain": "maintain",
    "write": "write",
    "triage": "read",
    "read": "read",
}


class Issues(GitHubApi):
    """The part of the adapter that reads and writes issues and comments."""

    def permission(self, repo: Repo, account: Account) -> Permission:
        with self._api(repo, {"metadata": "read"}) as (github, owner, name):
            try:
                answer = github.rest.repos.get_collaborator_permission_level(
                    owner, name, account.login
                ).json()
            except RequestFailed as error:
                if error.response.status_code == 404:
                    return "none"
                raise
        found = payloads.Collaborator.model_validate(answer)
        if found.user is not None and found.user.id != account.id:
            return "none"  # the login belongs to somebody else by now
        return _STATES.get(found.role_name or found.permission, _STATES.get(found.permission, "none"))

    def in_team(self, repo: Repo, account: Account, team: str) -> bool:
        with self._api(repo, {"members": "read"}) as (github, owner, _name):
            try:
                answer = github.rest.teams.get_membership_for_user_in_org(owner, team, account.login).json()
            except RequestFailed as error:
                if error.response.status_code == 404:
                    return False
                raise
        return bool(answer["state"] == "active")

    def issue(self, repo: Repo, number: int) -> Issue:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            answer = github.rest.issues.get(owner, name, number).json()
        return payloads.Issue.model_validate(answer).neutral()

    def marked_issues(self, repo: Repo, prefix: str) -> dict[str, int]:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            found = pages(
                lambda page: github.rest.issues.list_for_repo(
                    owner, name, state="all", sort="created", direction="desc", per_page=PAGE, page=page
                ).json()
            )
        issues = [each for each in found if "pull_request" not in each]
        return {mark: each["number"] for each in issues for mark in marks(each.get("body") or "", prefix)}

    def create_issue(self, repo: Repo, title: str, body: str, labels: Sequence[str]) -> Issue:
        data: Any = {"title": title, "body": body, "labels": list(labels)}
        with self._api(repo, {"issues": "write"}) as (github, owner, name):
            answer = github.rest.issues.create(owner, name, data=data).json()
        return payloads.Issue.model_validate(answer).neutral()

    def comments(self, repo: Repo, number: int, *, on: TargetKind = "issue") -> list[Comment]:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            found = pages(
                lambda page: github.rest.issues.list_comments(
                    owner, name, number, per_page=PAGE, page=page
                ).json()
            )
        return [payloads.IssueComment.model_validate(item).neutral() for item in found]

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
    ) -> int:
        if known is not None and (seconds := self._budget.scarce_for(repo.installation)):
            later = ForgeUnavailable(
                "Few requests to GitHub are left: comments are brought up to date later."
            )
            later.wait_s = min(seconds, _SCARCE_S)
            raise later
        with self._api(repo, {"issues": "write"}) as (github, owner, name):
            if known is None:
                known = self._own_comment(repo, number, marker)
            if known is not None:
                github.rest.issues.update_comment(owner, name, known, data={"body": body})
                return known
            return self._create(
                lambda: github.rest.issues.create_comment(owner, name, number, data={"body": body}).json()[
                    "id"
                ],
                lambda: self._own_comment(repo, number, marker),
            )

    def _own_comment(self, repo: Repo, number: int, marker: str) -> int | None:
        for comment in self.comments(repo, number):
            if marker in comment.body and self.is_ours(repo, comment.author):
                return comment.id
        return None
