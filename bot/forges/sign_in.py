"""How people sign in with a forge, and what it then lets them do, asked with the token that they gave for it.

The web process has no credential of its own on a forge.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from bot.forges.forge import ForgeDenied, ForgeUnavailable, Permission
from bot.tls import trusted

_TIMEOUT_S = 10.0


class ForgePeople(Protocol):
    """A person's rights on a forge, requested with the person's own token."""

    async def permission(self, token: str, repo: str) -> Permission:
        """Return the person's right on `repo`. Raises `ForgeUnavailable`."""
        ...

    async def login(self, token: str) -> str:
        """Return the person's name. Raises `ForgeUnavailable` and `ForgeDenied`."""
        ...

    async def comment(self, token: str, repo: str, number: int, text: str) -> None:
        """Comment on an issue as the person. Raises the forge's errors."""
        ...


@dataclass(frozen=True)
class Application:
    """How a forge knows this bot, where people authorise it, and what the forge then says of them."""

    name: str
    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    scope: str
    people: ForgePeople


class PersonsApi:
    """Requests to one forge's API with a person's token."""

    def __init__(self, api_url: str) -> None:
        self._api = api_url.rstrip("/")

    async def ask(self, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
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

    async def post(self, path: str, token: str, body: Any) -> None:
        """Send `body`. Raises `ForgeUnavailable` and `ForgeDenied`."""
        answer = await self.ask("POST", path, token, body)
        if not answer.is_success:
            raise ForgeDenied(f"The forge refused the comment ({answer.status_code}).")


def named(answer: httpx.Response, key: str) -> str:
    """Return the name that a forge's answer has under `key`. Raises `ForgeDenied`."""
    name = answer.json().get(key) if answer.status_code == 200 else None
    if not isinstance(name, str) or not name:
        raise ForgeDenied(f"The forge did not say who this is ({answer.status_code}).")
    return name
