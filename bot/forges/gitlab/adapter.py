"""GitLab's REST API behind the `Forge` protocol."""

import base64

from bot.config.settings import Settings, SettingsInvalid
from bot.forges.forge import Capabilities, Forge, GitAccess, Repo
from bot.forges.gitlab.ci import CiResults
from bot.forges.gitlab.client import GitlabError, forge_errors
from bot.forges.gitlab.issues import Issues
from bot.forges.gitlab.merge_requests import MergeRequests
from bot.forges.gitlab.reactions import Reactions
from bot.forges.gitlab.statuses import Statuses


def gitlab_forge(settings: Settings) -> "GitLabForge":
    """Return the adapter for the configured server. Raises `SettingsInvalid` without a token."""
    token = settings.gitlab_token.get_secret_value()
    if not token:
        raise SettingsInvalid("SCENARIST_GITLAB_TOKEN is not set.")
    return GitLabForge(settings.gitlab_url, token)


class GitLabForge(Issues, MergeRequests, Statuses, CiResults, Reactions):
    """One GitLab server behind the `Forge` protocol."""

    kind = "gitlab"
    # https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
    capabilities = Capabilities(max_body=1_000_000, pull_sign="!")

    def default_branch(self, repo: Repo) -> str:
        with forge_errors():
            return str(self._client.projects.get(repo.full_name).default_branch)

    def read_file(self, repo: Repo, path: str) -> str | None:
        with forge_errors():
            try:
                return bytes(self._project(repo).files.raw(path, ref="HEAD")).decode(errors="replace")
            except GitlabError as error:
                if error.response_code == 404:
                    return None
                raise

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        basic = base64.b64encode(f"oauth2:{self._token}".encode()).decode()
        return GitAccess(url=f"{self._url}/{repo.full_name}.git", header=f"Authorization: Basic {basic}")


def _conforms(forge: GitLabForge) -> Forge:
    """Lets the type checker compare the adapter with the protocol."""
    return forge
