"""What the bot does as the App itself: minting tokens, its card, the deliveries that did not arrive.

https://docs.github.com/en/rest/apps
"""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from githubkit import AppAuthStrategy, TokenAuthStrategy
from githubkit.exception import RequestFailed

from bot.config.settings import Settings, SettingsInvalid
from bot.forges.forge import Repo
from bot.forges.github.http import forge_errors, github_client
from gherkin.values import Frozen

_TOKEN_SECONDS = 300
# GitHub keeps deliveries for three days, and gives a hundred a page.
_MAX_PAGES = 20
_MAX_ATTEMPTS = 5
# What GitHub writes down for a delivery that was answered with success.
_DELIVERED = "OK"
_NEXT = re.compile(r'[?&]cursor=([^&>]+)[^>]*>; rel="next"')


class DeliveryAttempt(Frozen):
    """GitHub's newest attempt to deliver something: the event, and in GitHub's words how it went."""

    event: str
    status: str

    @property
    def failed(self) -> bool:
        return self.status != _DELIVERED


class AppInstallation(Frozen):
    """The App on one account: the account's login, and what its owner has granted."""

    account: str
    permissions: dict[str, str]


def app_of(settings: Settings) -> "AppTokens":
    path, key = settings.github_private_key_file, settings.github_private_key.get_secret_value()
    if not settings.github_app_id or (path is None and not key):
        raise SettingsInvalid(
            "SCENARIST_GITHUB_APP_ID and SCENARIST_GITHUB_PRIVATE_KEY_FILE are needed for GitHub."
        )
    try:
        key = key or (path.read_text(encoding="utf-8") if path else "")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"The App's private key cannot be read ({type(error).__name__}).") from None
    if "PRIVATE KEY-----" not in key:
        where = "SCENARIST_GITHUB_PRIVATE_KEY" if path is None else path
        raise SettingsInvalid(f"{where} holds no private key in PEM form.")
    return AppTokens(settings.github_api_url, settings.github_app_id, key)


class AppTokens:
    """Mints installation tokens for one repository and the permissions asked for; keeps each five minutes."""

    def __init__(self, api_url: str, app_id: str, private_key: str) -> None:
        self._api_url = api_url
        self._names: dict[str, str] = {}
        self._github = github_client(api_url, AppAuthStrategy(app_id, private_key))
        self._minted: dict[tuple[Any, ...], tuple[float, str]] = {}
        self._slug = ""

    def token(self, repo: Repo, permissions: Mapping[str, str], *, fresh: bool = False) -> str:
        """Return a token for `repo` alone with just `permissions`; with `fresh` one that was not given
        before.
        """
        key = (repo.full_name, repo.installation, *sorted(permissions.items()))
        until, token = self._minted.get(key, (0.0, ""))
        if time.monotonic() < until and not fresh:
            return token
        with forge_errors():
            installation = repo.installation or self._installation(repo)
            try:
                token = self._mint(installation, self.name(repo), permissions)
            except RequestFailed as error:
                # A repository of that name is not in the installation: it may have another by now.
                if error.response.status_code != 422 or not self._renamed(installation, repo):
                    raise
                token = self._mint(installation, self.name(repo), permissions)
        self._minted[key] = (time.monotonic() + _TOKEN_SECONDS, token)
        return token

    def name(self, repo: Repo) -> str:
        """Return the repository's full name as far as it is known: another one, when it was renamed since
        the run began.
        """
        return self._names.get(repo.full_name, repo.full_name)

    def _mint(self, installation: int, full_name: str, permissions: Mapping[str, str]) -> str:
        scope: Any = {"repositories": [full_name.split("/")[1]], "permissions": dict(permissions)}
        answer = self._github.rest.apps.create_installation_access_token(installation, data=scope).json()
        return str(answer["token"])

    def _renamed(self, installation: int, repo: Repo) -> bool:
        """Return whether the repository has another name than it was known by, which is kept then.

        Asked with a token that can read nothing but metadata.
        """
        scope: Any = {"permissions": {"metadata": "read"}}
        answer = self._github.rest.apps.create_installation_access_token(installation, data=scope).json()
        before, (owner, name) = self.name(repo), repo.full_name.split("/")
        with github_client(self._api_url, TokenAuthStrategy(str(answer["token"]))) as github:
            found: Any = github.rest.repos.get(
                owner, name
            ).json()  # answered with a redirect, which is followed
        self._names[repo.full_name] = str(found["full_name"])
        return self._names[repo.full_name] != before

    def login(self) -> str:
        """Return the login of the App's own account."""
        if not self._slug:
            self._slug = str(self.card()["slug"])
        return f"{self._slug}[bot]"

    def card(self) -> dict[str, Any]:
        """Return GitHub's description of the App."""
        with forge_errors():
            app: Any = self._github.rest.apps.get_authenticated().json()
        return dict(app)

    def installations(self) -> list[AppInstallation]:
        """Return where the App is installed."""
        with forge_errors():
            found = list(self._github.rest.paginate(self._github.rest.apps.list_installations, per_page=100))
        return [
            AppInstallation(
                account=str(getattr(each.account, "login", None) or each.id),
                permissions=each.permissions.model_dump(exclude_unset=True),
            )
            for each in found
        ]

    def hook(self) -> dict[str, Any]:
        """Return the URL and the content type of the App's webhook, as GitHub has them."""
        with forge_errors():
            hook: Any = self._github.rest.apps.get_webhook_config_for_app().json()
        return dict(hook)

    def last_delivery(self) -> DeliveryAttempt | None:
        """Return GitHub's newest attempt to deliver something to the App; None if there was none."""
        with forge_errors():
            found: Any = self._github.rest.apps.list_webhook_deliveries(per_page=1).json()
        return DeliveryAttempt(event=found[0]["event"], status=found[0]["status"]) if found else None

    def _installation(self, repo: Repo) -> int:
        owner, name = repo.full_name.split("/")
        return int(self._github.rest.apps.get_repo_installation(owner, name).json()["id"])

    def ask_again(self, most: int = 100) -> int:
        """Ask GitHub to send again the deliveries that failed and that it still has; returns how many."""
        tried: dict[str, list[Any]] = {}
        with forge_errors():
            cursor = ""
            for _ in range(_MAX_PAGES):
                more: Any = {"cursor": cursor} if cursor else {}
                answer = self._github.rest.apps.list_webhook_deliveries(per_page=100, **more)
                for attempt in answer.json():
                    tried.setdefault(attempt["guid"], []).append(attempt)
                following = _NEXT.search(answer.headers.get("link", ""))
                if following is None:
                    break
                cursor = unquote(following[1])
            lost = [
                max(attempts, key=lambda each: each["id"])["id"]
                for attempts in tried.values()
                if len(attempts) < _MAX_ATTEMPTS and all(each["status"] != _DELIVERED for each in attempts)
            ]
            for number in sorted(lost)[:most]:
                self._github.rest.apps.redeliver_webhook_delivery(number)
        return len(lost[:most])
