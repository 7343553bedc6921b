"""A person's rights on GitHub and GitLab, requested with the token that the person gave for this.

The web process has no credential of its own on a forge.
"""

from typing import Any
from urllib.parse import quote

import httpx

from bot.forges.forge import ForgeDenied, ForgeUnavailable, Permission
from bot.tls import trusted

_TIMEOUT_S = 10.0
# https://docs.gitlab.com/api/access_requests/#valid-access-levels
_LEVELS: tuple[tuple[int, Permission], ...] = ((50, "admin"), (40, "maintain"), (30, "write"))


class _Http:
    """Requests to one forge's API with a person's token."""

    def __init__(self, api_url: str) -> None:
        self._api = api_url.rstrip("/")

    async def _ask(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
        """Return the forge's answer. Raises `ForgeUnavailable`."""
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/json",
            "user-agent": "scenarist",
        }
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_S, verify=trusted()) as client:
                answer = await client.request(method, f"{self._api}{path}", headers=headers, json=body)
        except httpx.HTTPError as error:
            raise ForgeUnavailable(f"The forge could not be reached ({type(error).__name__}).") from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise ForgeUnavailable(f"The forge answered {answer.status_code}.")
        return answer

    async def _post(self, path: str, token: str, body: Any) -> None:
        """Raises `ForgeUnavailable` and `ForgeDenied`."""
        answer = await self._ask("POST", path, token, body)
        if not answer.is_success:
            raise ForgeDenied(f"The forge refused the comment ({answer.status_code}).")


class GitHubPeople(_Http):
    """GitHub. https://docs.github.com/en/rest/repos/repos#get-a-repository"""

    async def permission(self, token: str, repo: str) -> Permission:
        """Return the person's right on `repo`; ``none`` where the App's installation does not show it to
        them.
        """
        answer = await self._ask("GET", f"/repos/{quote(repo)}", token)
        if answer.status_code != 200:
            return "none"
        may = answer.json().get("permissions") or {}
        rights: tuple[tuple[str, Permission], ...] = (
            ("admin", "admin"),
            ("maintain", "maintain"),
            ("push", "write"),
        )
        return next((right for name, right in rights if may.get(name)), "read")

    async def login(self, token: str) -> str:
        """Return the person's name. Raises `ForgeDenied`."""
        return _login(await self._ask("GET", "/user", token), "login")

    async def comment(self, token: str, repo: str, number: int, text: str) -> None:
        """Comment on an issue. Raises `ForgeUnavailable` and `ForgeDenied`."""
        await self._post(f"/repos/{quote(repo)}/issues/{number}/comments", token, {"body": text})


class GitLabPeople(_Http):
    """GitLab. https://docs.gitlab.com/api/projects/#retrieve-a-project"""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url.rstrip('/')}/api/v4")

    async def permission(self, token: str, repo: str) -> Permission:
        """Return the person's right on the project `repo`."""
        answer = await self._ask("GET", f"/projects/{quote(repo, safe='')}", token)
        if answer.status_code != 200:
            return "none"
        may = answer.json().get("permissions") or {}
        level = max((each or {}).get("access_level", 0) for each in (may.values() or [{}]))
        return next((permission for least, permission in _LEVELS if level >= least), "read")

    async def login(self, token: str) -> str:
        """Return the person's name. Raises `ForgeDenied`."""
        return _login(await self._ask("GET", "/user", token), "username")

    async def comment(self, token: str, repo: str, number: int, text: str) -> None:
        """Comment on an issue. Raises `ForgeUnavailable` and `ForgeDenied`."""
        await self._post(f"/projects/{quote(repo, safe='')}/issues/{number}/notes", token, {"body": text})


def _login(answer: httpx.Response, field: str) -> str:
    name = answer.json().get(field) if answer.status_code == 200 else None
    if not isinstance(name, str) or not name:
        raise ForgeDenied(f"The forge did not say who this is ({answer.status_code}).")
    return name
