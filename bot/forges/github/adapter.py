"""GitHub's REST API behind the `Forge` protocol: App JWT, tokens minted for one repository and the least
permission."""

import base64
from typing import Any

from githubkit.exception import RequestFailed

from bot.config.settings import Settings
from bot.config.urls import github_web_url
from bot.forges.forge import Capabilities, Forge, GitAccess, Repo
from bot.forges.github import payloads
from bot.forges.github.api import JobToken, Tokens
from bot.forges.github.app import app_of
from bot.forges.github.checks import Checks
from bot.forges.github.ci import CiResults
from bot.forges.github.issues import Issues
from bot.forges.github.pulls import Pulls
from bot.forges.github.reactions import Reactions


def github_forge(settings: Settings) -> "GitHubForge":
    """Return the adapter for the configured App, or for a job's own token. Raises `SettingsInvalid`."""
    token = settings.github_token.get_secret_value()
    tokens: Tokens = JobToken(settings.github_api_url, token) if token else app_of(settings)
    return GitHubForge(settings.github_api_url, tokens, settings.github_git_url)


class GitHubForge(Issues, Pulls, Checks, CiResults, Reactions):
    """GitHub's REST API behind the `Forge` protocol."""

    kind = "github"
    # https://github.com/orgs/community/discussions/27190
    capabilities = Capabilities(max_body=65_536)

    def __init__(self, api_url: str, tokens: Tokens, git_url: str = "") -> None:
        super().__init__(api_url, tokens)
        self._git_url = (git_url or github_web_url(api_url)).rstrip("/")

    def default_branch(self, repo: Repo) -> str:
        with self._api(repo, {"metadata": "read"}) as (github, owner, name):
            answer = github.rest.repos.get(owner, name).json()
        return payloads.Repository.model_validate(answer).default_branch

    def read_file(self, repo: Repo, path: str) -> str | None:
        with self._api(repo, {"contents": "read"}) as (github, owner, name):
            try:
                answer: Any = github.rest.repos.get_content(owner, name, path).json()
            except RequestFailed as error:
                if error.response.status_code == 404:
                    return None
                raise
        if not isinstance(answer, dict) or answer.get("encoding") != "base64":
            return None  # a folder, or a file of more than a megabyte
        return base64.b64decode(answer["content"]).decode(errors="replace")

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        # git gives up at the first 401, so what it gets must not have been revoked a minute ago.
        token = self._tokens.token(repo, {"contents": "write" if write else "read"}, fresh=True)
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return GitAccess(
            url=f"{self._git_url}/{self._tokens.name(repo)}.git", header=f"Authorization: Basic {basic}"
        )


def _conforms(forge: GitHubForge) -> Forge:
    """Lets the type checker compare the adapter with the protocol."""
    return forge
