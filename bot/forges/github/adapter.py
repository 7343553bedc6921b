"""GitHub through githubkit: App JWT, tokens minted for one repository and least permission, tolerant reading.

githubkit's typed responses refuse what other server versions send, so answers are read with small models
of our own over `.json()`. https://docs.github.com/en/rest
"""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from githubkit import GitHub
from githubkit.exception import RequestError, RequestFailed
from githubkit.utils import UNSET

from bot.config.settings import Settings
from bot.forges.forge import (
    Account,
    Check,
    Comment,
    Forge,
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
from bot.forges.github import payloads
from bot.forges.github.app import app_of
from bot.forges.github.http import FreshToken, RateBudget, forge_errors, github_client

_READ = {"metadata": "read", "issues": "read", "pull_requests": "read", "contents": "read"}
_TOKEN_SECONDS = 300
_PAGE = 100
_SCARCE_S = 60.0
_MAX_PAGES = 100
_ANNOTATIONS = 50  # GitHub's limit a request
_ACTIONS_BOT = "github-actions[bot]"
_STATES: Mapping[str, Permission] = {
    "admin": "admin",
    "maintain": "admin",
    "write": "write",
    "triage": "read",
    "read": "read",
}


def github_forge(settings: Settings) -> "GitHubForge":
    """The adapter for the configured App, or for a job's own token. Raises `SettingsInvalid`."""
    token = settings.github_token.get_secret_value()
    tokens: Tokens = JobToken(token) if token else app_of(settings)
    return GitHubForge(settings.github_api_url, tokens, settings.github_git_url)


class Tokens(Protocol):
    """Where an adapter's tokens come from. All of it raises the forge's errors."""

    def token(self, repo: Repo, permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        """A token for `repo` with at least `permissions`; with `fresh` one that was not given before, if
        there is one."""
        ...

    def name(self, repo: Repo) -> str:
        """The repository's full name by now; to be asked after a token."""
        ...

    def login(self) -> str:
        """The account that the tokens act as."""
        ...


@dataclass(frozen=True)
class JobToken:
    """The token of a GitHub Actions job: the same for everything."""

    value: str

    def token(self, _repo: Repo, _permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        return self.value

    def name(self, repo: Repo) -> str:
        return repo.full_name

    def login(self) -> str:
        return _ACTIONS_BOT


class GitHubForge:
    """GitHub's REST API behind the `Forge` protocol."""

    kind = "github"

    def __init__(self, api_url: str, tokens: Tokens, git_url: str = "") -> None:
        self._api_url = api_url
        self._tokens = tokens
        self._budget = RateBudget()
        self._git_url = (git_url or _web_url(api_url)).rstrip("/")
        self._account: int | None = None

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

    def issue(self, repo: Repo, number: int) -> Issue:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            answer = github.rest.issues.get(owner, name, number).json()
        return payloads.Issue.model_validate(answer).neutral()

    def marked_issues(self, repo: Repo, prefix: str) -> dict[str, int]:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            found = _pages(
                lambda page: github.rest.issues.list_for_repo(
                    owner, name, state="all", sort="created", direction="desc", per_page=_PAGE, page=page
                ).json()
            )
        issues = [each for each in found if "pull_request" not in each]
        return {mark: each["number"] for each in issues for mark in marks(each.get("body") or "", prefix)}

    def create_issue(self, repo: Repo, title: str, body: str, labels: Sequence[str]) -> Issue:
        data: Any = {"title": title, "body": body, "labels": list(labels)}
        with self._api(repo, {"issues": "write"}) as (github, owner, name):
            answer = github.rest.issues.create(owner, name, data=data).json()
        return payloads.Issue.model_validate(answer).neutral()

    def comments(self, repo: Repo, number: int, *, on: Subject = "issue") -> list[Comment]:
        with self._api(repo, {"issues": "read"}) as (github, owner, name):
            found = _pages(
                lambda page: github.rest.issues.list_comments(
                    owner, name, number, per_page=_PAGE, page=page
                ).json()
            )
        return [payloads.IssueComment.model_validate(item).neutral() for item in found]

    def default_branch(self, repo: Repo) -> str:
        with self._api(repo, {"metadata": "read"}) as (github, owner, name):
            answer = github.rest.repos.get(owner, name).json()
        return payloads.Repository.model_validate(answer).default_branch

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        # git gives up at the first 401, so what it gets must not have been revoked a minute ago.
        token = self._tokens.token(repo, {"contents": "write" if write else "read"}, fresh=True)
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return GitAccess(
            url=f"{self._git_url}/{self._tokens.name(repo)}.git", header=f"Authorization: Basic {basic}"
        )

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: Subject = "issue"
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

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.list(
                owner, name, state="all", head=f"{owner}:{branch}", per_page=_PAGE
            ).json()
        found = [payloads.PullRequest.model_validate(item).neutral() for item in answer]
        # Servers that ignore the filter exist.
        return [pull for pull in found if pull.head == branch and pull.head_repo == self._tokens.name(repo)]

    def pull(self, repo: Repo, number: int) -> Pull:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.get(owner, name, number).json()
        return payloads.PullRequest.model_validate(answer).neutral()

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        known = self._open_pull(repo, head)
        with self._api(repo, {"pull_requests": "write"}) as (github, owner, name):
            if known is None:

                def opened(as_draft: bool) -> int:
                    made = github.rest.pulls.create(
                        owner, name, title=title, body=body, head=head, base=base, draft=as_draft or UNSET
                    )
                    return int(made.json()["number"])

                def create() -> int:
                    try:
                        return opened(draft)
                    except RequestFailed as error:
                        # Private repositories have no drafts in some plans.
                        if not draft or "draft" not in error.response.text.lower():
                            raise
                        return opened(False)

                number = self._create(create, lambda: getattr(self._open_pull(repo, head), "number", None))
                return self.pull(repo, number)
            if (known.title, known.body) != (title, body):
                github.rest.pulls.update(owner, name, known.number, data={"title": title, "body": body})
        return self.pull(repo, known.number)

    def upsert_check(self, repo: Repo, check: Check) -> int:
        done = check.state in ("success", "failure", "neutral", "cancelled")
        state = {"status": "completed", "conclusion": check.state} if done else {"status": check.state}
        notes = [_annotation(note) for note in check.annotations]
        output = {"title": check.title, "summary": check.summary}
        fields: dict[str, Any] = {"external_id": check.external_id, **state}
        if check.details_url:
            fields["details_url"] = check.details_url
        first: Any = {
            "name": check.name,
            "head_sha": check.head_sha,
            **fields,
            "output": {**output, "annotations": notes[:_ANNOTATIONS]},
        }
        with self._api(repo, {"checks": "write"}) as (github, owner, name):

            def update(data: Any) -> None:
                github.rest.checks.update(owner, name, number, data=data)

            known = self._own_check(github, owner, name, check)
            if known is not None:
                number = known
                # An update adds annotations to those that are there: only the text is brought up to date.
                update({**fields, "output": output})
                return number
            number = self._create(
                lambda: github.rest.checks.create(owner, name, data=first).json()["id"],
                lambda: self._own_check(github, owner, name, check),
            )
            for start in range(_ANNOTATIONS, len(notes), _ANNOTATIONS):
                update({"output": {**output, "annotations": notes[start : start + _ANNOTATIONS]}})
        return number

    def review(self, repo: Repo, pull: int, review: int) -> Review:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            answer = github.rest.pulls.get_review(owner, name, pull, review).json()
        return payloads.Review.model_validate(answer).neutral()

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        with self._api(repo, {"pull_requests": "read"}) as (github, owner, name):
            found = _pages(
                lambda page: github.rest.pulls.list_review_comments(
                    owner, name, pull, per_page=_PAGE, page=page
                ).json()
            )
        return [payloads.ReviewComment.model_validate(item).neutral() for item in found]

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        def own() -> int | None:
            for comment in self.review_comments(repo, pull):
                if comment.thread == thread and marker in comment.body and self.is_ours(repo, comment.author):
                    return comment.id
            return None

        with self._api(repo, {"pull_requests": "write"}) as (github, owner, name):
            known = own()
            if known is not None:
                return known
            return self._create(
                lambda: github.rest.pulls.create_reply_for_review_comment(
                    owner, name, pull, thread, data={"body": body}
                ).json()["id"],
                own,
            )

    def is_ours(self, repo: Repo, account: Account) -> bool:
        if self._account is None:
            try:
                with self._api(repo, {"metadata": "read"}) as (github, _owner, _name):
                    answer = github.rest.users.get_by_username(self._tokens.login()).json()
            except ForgeMissing:
                return False  # servers exist that make the account with its first act
            self._account = payloads.User.model_validate(answer).id
        return account.id == self._account

    # -- inside --------------------------------------------------------------------------------------

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

    def _own_comment(self, repo: Repo, number: int, marker: str) -> int | None:
        for comment in self.comments(repo, number):
            if marker in comment.body and self.is_ours(repo, comment.author):
                return comment.id
        return None

    def _open_pull(self, repo: Repo, head: str) -> Pull | None:
        known = self.pulls_by_head(repo, head)
        if not known:
            return None
        opened = next((pull for pull in known if pull.state == "open"), None)
        if opened is None:
            raise PullClosed(f"Pull request #{known[0].number} for {head} is {known[0].state}.")
        return opened

    @staticmethod
    def _own_check(github: GitHub[Any], owner: str, name: str, check: Check) -> int | None:
        answer = github.rest.checks.list_for_ref(
            owner, name, check.head_sha, check_name=check.name, per_page=_PAGE
        ).json()
        for item in answer["check_runs"]:
            found = payloads.CheckRun.model_validate(item)
            if found.name == check.name and found.external_id == check.external_id:
                return found.id
        return None


def _pages(get: Callable[[int], list[Any]]) -> list[Any]:
    found: list[Any] = []
    for page in range(1, _MAX_PAGES + 1):
        items = get(page)
        found += items
        if len(items) < _PAGE:
            break
    return found


def _annotation(note: Any) -> dict[str, Any]:
    return {
        "path": note.path,
        "start_line": note.line,
        "end_line": note.line,
        "annotation_level": note.level,
        "title": note.title,
        "message": note.message,
    }


def _web_url(api_url: str) -> str:
    """Where repositories are cloned from, given the API's address."""
    if api_url.rstrip("/") == "https://api.github.com":
        return "https://github.com"
    return api_url.rstrip("/").removesuffix("/api/v3")


def _conforms(forge: GitHubForge) -> Forge:
    """Lets the type checker compare the adapter with the protocol."""
    return forge
