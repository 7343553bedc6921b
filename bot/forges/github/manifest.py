"""Registering a GitHub App from a manifest: what it is to have, and what GitHub gives for it.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from typing import Any

from githubkit import UnauthAuthStrategy

from bot.forges.github.http import forge_errors, github_client
from gherkin.values import Frozen

# What the bot cannot work without, and what it uses where it is granted.
PERMISSIONS = {
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
    "checks": "write",
    "metadata": "read",
}
WANTED_PERMISSIONS = {**PERMISSIONS, "actions": "read"}
EVENTS = frozenset(
    {
        "issues",
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "check_suite",
        "repository",
    }
)


class NewApp(Frozen):
    """An App as GitHub hands it over, once: with its private key (PEM) and its secrets."""

    id: int
    slug: str
    page: str
    private_key: str
    webhook_secret: str
    client_id: str
    client_secret: str

    @property
    def install_url(self) -> str:
        """Return where people install the App on repositories."""
        return f"{self.page}/installations/new"


def manifest(name: str, address: str, redirect_url: str, *, push: bool) -> dict[str, Any]:
    """Return the manifest of an App whose web app is reached at `address`.

    GitHub sends the browser to `redirect_url` afterwards. With `push` the App hears of pushes, which
    `auto_rebase` needs.
    """
    return {
        "name": name,
        "url": address,
        "hook_attributes": {"url": f"{address}/webhooks/github", "active": True},
        "redirect_url": redirect_url,
        "callback_urls": [f"{address}/sign-in/github/callback"],
        "public": False,
        "default_permissions": WANTED_PERMISSIONS,
        "default_events": sorted(EVENTS | ({"push"} if push else set())),
    }


def registration_url(web_url: str, organisation: str, state: str) -> str:
    """Return the address that takes the manifest, for one's own account or an organisation."""
    owner = f"/organizations/{organisation}" if organisation else ""
    return f"{web_url}{owner}/settings/apps/new?state={state}"


def convert(api_url: str, code: str) -> NewApp:
    """Exchange the code that GitHub gave for the App. It works once, within an hour.

    Raises `ForgeMissing` for a code that GitHub does not know (any more), and the forge's other errors.

    https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
    """
    with github_client(api_url, UnauthAuthStrategy()) as github, forge_errors():
        given: Any = github.rest.apps.create_from_manifest(code).json()
    return NewApp(
        id=int(given["id"]),
        slug=str(given["slug"]),
        page=str(given["html_url"]),
        private_key=str(given["pem"]),
        webhook_secret=str(given["webhook_secret"] or ""),
        client_id=str(given["client_id"]),
        client_secret=str(given["client_secret"]),
    )
