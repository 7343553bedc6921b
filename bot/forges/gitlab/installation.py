"""What a project needs so that the bot can work there: a token with its rights, labels, a webhook.

https://docs.gitlab.com/api/project_webhooks/
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from bot.forges.gitlab.client import GitlabError, client, forge_errors
from gherkin.values import Frozen

SCOPES = ("api", "write_repository")
# The hook's triggers that the bot hears; the others are switched off.
TRIGGERS = (
    "issues_events",
    "note_events",
    "merge_requests_events",
    "pipeline_events",
    "push_events",
)
DEVELOPER, MAINTAINER = 30, 40
ROLES = {10: "Guest", 15: "Planner", 20: "Reporter", 25: "Security manager", 30: "Developer"}
ROLES |= {40: "Maintainer", 50: "Owner", 60: "Administrator"}


class Token(Frozen):
    """A token and whose it is; `expires` is None where it never does. `level` is the role in a project."""

    user: int
    login: str
    scopes: tuple[str, ...]
    expires: date | None

    @property
    def missing(self) -> list[str]:
        """Return the scopes that it lacks; `api` includes the right to read and write repositories over
        the API, but not over git.
        """
        return [scope for scope in SCOPES if scope not in self.scopes]

    def days_left(self, today: date) -> int | None:
        return None if self.expires is None else (self.expires - today).days


class Installation:
    """One server, seen with one token. All methods raise the forge's errors."""

    def __init__(self, url: str, token: str) -> None:
        self._client = client(url.rstrip("/"), token)

    def token(self) -> Token:
        """Return what the server says of the token."""
        with forge_errors():
            self._client.auth()
            user: Any = self._client.user
            found: Any = self._client.personal_access_tokens.get("self")
        until = getattr(found, "expires_at", None)
        return Token(
            user=int(user.id),
            login=str(user.username),
            scopes=tuple(found.scopes),
            expires=date.fromisoformat(until) if until else None,
        )

    def level(self, project: str, user: int) -> int:
        """Return the access level of an account in a project; 0 for none."""
        with forge_errors():
            try:
                member = self._client.projects.get(project, lazy=True).members_all.get(user)
            except GitlabError as error:
                if error.response_code == 404:
                    return 0
                raise
            return int(member.access_level)

    def make_labels(self, project: str, labels: Sequence[tuple[str, str, str]]) -> list[str]:
        """Make the labels (name, colour in hex, description) that are not there; return those made."""
        made = []
        with forge_errors():
            found = self._client.projects.get(project, lazy=True).labels
            known = {each.name for each in found.list(iterator=True, per_page=100)}
            for name, color, description in labels:
                if name not in known:
                    found.create({"name": name, "color": f"#{color}", "description": description})
                    made.append(name)
        return made

    def make_hook(self, project: str, url: str, *, token: str, signing_token: str, push: bool) -> bool:
        """Make the webhook that calls `url`, or bring it up to date; return whether it is new.

        The secrets are always written: GitLab never tells which ones a hook has.
        """
        data: dict[str, Any] = dict.fromkeys(TRIGGERS, True)
        data |= {"url": url, "push_events": push, "enable_ssl_verification": url.startswith("https:")}
        data |= {"signing_token": signing_token} if signing_token else {"token": token}
        with forge_errors():
            hooks = self._client.projects.get(project, lazy=True).hooks
            known = next((each for each in hooks.list(iterator=True, per_page=100) if each.url == url), None)
            if known is None:
                hooks.create(data)
            else:
                hooks.update(known.id, data)
        return known is None
