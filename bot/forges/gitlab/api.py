"""What all requests to GitLab's REST API share: the project, the bot's account, making a thing once.

https://docs.gitlab.com/api/rest/
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests

from bot.forges.forge import Account, Repo, TargetKind
from bot.forges.gitlab.client import GitlabError, client, forge_errors, is_ambiguous


class GitLabApi:
    """Requests to one server, with one token of the bot's account."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._client = client(self._url, token)
        self._account: Account | None = None

    def login(self, repo: Repo) -> str:
        return self._own_account().login

    def is_ours(self, repo: Repo, account: Account) -> bool:
        own = self._own_account()
        # Older versions name no id in their webhooks; names are never reused while the account is there.
        return account.id == own.id if account.id else account.login == own.login

    def _own_account(self) -> Account:
        if self._account is None:
            with forge_errors():
                self._client.auth()
            user: Any = self._client.user
            self._account = Account(id=int(user.id), login=str(user.username))
        return self._account

    def _project(self, repo: Repo) -> Any:
        return self._client.projects.get(repo.full_name, lazy=True)

    def _subject(self, repo: Repo, number: int, on: TargetKind) -> Any:
        """Return the issue or merge request of that number, not fetched: each has numbers of its own."""
        project = self._project(repo)
        return (project.issues if on == "issue" else project.mergerequests).get(number, lazy=True)


def created(create: Callable[[], int], find: Callable[[], int | None]) -> int:
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


def discussion(request: Any, thread: int) -> Any:
    """Return the discussion of a merge request that begins with note `thread`, or None."""
    found = request.discussions.list(iterator=True)
    return next((each for each in found if each.attributes["notes"][0]["id"] == thread), None)
