"""Issues, notes, and who may do what on GitLab."""

import re
from collections.abc import Sequence

from bot.forges.backlog import marks
from bot.forges.forge import Account, Comment, Issue, Permission, Repo, TargetKind
from bot.forges.gitlab import payloads
from bot.forges.gitlab.api import GitLabApi, created
from bot.forges.gitlab.client import GitlabError, forge_errors

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
_READER, _DEVELOPER, _MAINTAINER, _OWNER = 10, 30, 40, 50
_BOT = re.compile(r"(project|group)_\d+_bot(_[0-9a-f]+|\d*)")


class Issues(GitLabApi):
    """The part of the adapter that reads and writes issues and notes."""

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
        if level >= _OWNER:
            return "admin"
        if level >= _MAINTAINER:
            return "maintain"
        if level >= _DEVELOPER:
            return "write"
        return "read" if level >= _READER else "none"

    def in_team(self, repo: Repo, account: Account, team: str) -> bool:
        with forge_errors():
            user = account.id or self._user_id(account.login)
            try:
                member = self._client.groups.get(team, lazy=True).members_all.get(user)
            except GitlabError as error:
                if error.response_code == 404:
                    return False
                raise
        return bool(getattr(member, "state", "active") == "active")

    def issue(self, repo: Repo, number: int) -> Issue:
        with forge_errors():
            return payloads.issue(self._project(repo).issues.get(number).attributes)

    def comments(self, repo: Repo, number: int, *, on: TargetKind = "issue") -> list[Comment]:
        with forge_errors():
            found = self._subject(repo, number, on).notes.list(
                iterator=True, sort="asc", order_by="created_at", per_page=100
            )
            return [
                payloads.comment(each.attributes) for each in found if not payloads.is_hidden(each.attributes)
            ]

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
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
            return created(lambda: int(notes.create({"body": body}).get_id()), own)

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

    def _user_id(self, login: str) -> int:
        found = self._client.users.list(username=login, get_all=False) if login else []
        return int(found[0].id) if found else 0
