"""Shared parts of all requests to GitHub's REST API: a token for one repository, paging, making a thing once.

githubkit's typed responses refuse answers of other server versions, so answers are read with small models of
our own over `.json()`. https://docs.github.com/en/rest
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import GraphQLFailed, RequestError, RequestFailed

from bot.forges.forge import Account, ForgeMissing, Repo
from bot.forges.github import payloads
from bot.forges.github.http import FreshToken, RateBudget, forge_errors, github_client

PAGE = 100
_MAX_PAGES = 100
_ACTIONS_BOT = "github-actions[bot]"
_VIEWER = "query { viewer { login } }"


class Tokens(Protocol):
    """The source of an adapter's tokens. All methods raise the forge's errors."""

    def token(self, repo: Repo, permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        """Return a token for `repo` with at least `permissions`; with `fresh` one that was not given
        before, if there is one.
        """
        ...

    def name(self, repo: Repo) -> str:
        """Return the repository's full name by now; to be asked after a token."""
        ...

    def login(self) -> str:
        """Return the account that the tokens act as."""
        ...


class JobToken:
    """The token of a GitHub Actions job, of an App or of a person: the same for everything."""

    def __init__(self, api_url: str, value: str) -> None:
        self._api_url = api_url
        self._value = value
        self._login = ""

    def token(self, _repo: Repo, _permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        return self._value

    def name(self, repo: Repo) -> str:
        return repo.full_name

    def login(self) -> str:
        """Return the account of the token; a server that does not say it is taken to have given a job's
        own.
        """
        if not self._login:
            with github_client(self._api_url, TokenAuthStrategy(self._value)) as github, forge_errors():
                try:
                    self._login = str(github.graphql(_VIEWER)["viewer"]["login"])
                except (GraphQLFailed, RequestFailed, KeyError, TypeError) as error:
                    if isinstance(error, RequestFailed) and error.response.status_code >= 500:
                        raise
                    self._login = _ACTIONS_BOT
        return self._login


class GitHubApi:
    """Requests in the name of the bot; the classes that speak of issues, pull requests and checks build on
    it."""

    def __init__(self, api_url: str, tokens: Tokens) -> None:
        self._api_url = api_url
        self._tokens = tokens
        self._budget = RateBudget()
        self._account: int | None = None

    def login(self, repo: Repo) -> str:
        return self._tokens.login()

    def is_ours(self, repo: Repo, account: Account) -> bool:
        if self._account is None:
            try:
                with self._api(repo, {"metadata": "read"}) as (github, _owner, _name):
                    answer = github.rest.users.get_by_username(self._tokens.login()).json()
            except ForgeMissing:
                return False  # servers exist that make the account with its first act
            self._account = payloads.User.model_validate(answer).id
        return account.id == self._account

    @contextmanager
    def _api(
        self, repo: Repo, permissions: Mapping[str, str]
    ) -> Iterator[tuple[GitHub[FreshToken], str, str]]:
        """A client with a token for `repo` and `permissions`; githubkit's errors become the forge's."""
        with forge_errors():
            self._tokens.token(repo, permissions)  # only then the name is known
            owner, name = self._tokens.name(repo).split("/")
            auth = FreshToken(lambda fresh: self._tokens.token(repo, permissions, fresh=fresh))
            with github_client(self._api_url, auth, partial(self._budget.note, repo.installation)) as github:
                yield github, owner, name

    def _create(self, create: Callable[[], int], find: Callable[[], int | None]) -> int:
        """Create a thing; after an answer that leaves open whether it was made, look before failing."""
        try:
            return int(create())
        except RequestFailed as error:
            if error.response.status_code < 500 and error.response.status_code not in (409, 422):
                raise
            found = find()
            if found is None:
                raise
            return found
        except RequestError:
            found = find()
            if found is None:
                raise
            return found


def pages(get: Callable[[int], list[Any]]) -> list[Any]:
    """Return all items of a list; `get` returns a page, counted from 1."""
    found: list[Any] = []
    for page in range(1, _MAX_PAGES + 1):
        items = get(page)
        found += items
        if len(items) < PAGE:
            break
    return found
