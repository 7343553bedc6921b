"""People who sign in with GitHub, and their rights there.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

from urllib.parse import quote

from bot.config.settings import Settings
from bot.config.urls import github_web_url
from bot.forges.forge import Permission
from bot.forges.sign_in import Application, PersonsApi, named


class GitHubPeople(PersonsApi):
    """GitHub. https://docs.github.com/en/rest/repos/repos#get-a-repository"""

    async def permission(self, token: str, repo: str) -> Permission:
        """Return the person's right on `repo`; ``none`` where the App's installation does not show it to
        them.
        """
        answer = await self.ask("GET", f"/repos/{quote(repo)}", token)
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
        return named(await self.ask("GET", "/user", token), "login")

    async def comment(self, token: str, repo: str, number: int, text: str) -> None:
        """Comment on an issue. Raises `ForgeUnavailable` and `ForgeDenied`."""
        await self.post(f"/repos/{quote(repo)}/issues/{number}/comments", token, {"body": text})


def sign_in(settings: Settings) -> Application | None:
    """Return how people sign in with GitHub; None where the App's client id and secret are not set."""
    secret = settings.github_client_secret.get_secret_value()
    if not settings.github_client_id or not secret:
        return None
    web = settings.github_web_url.rstrip("/") or github_web_url(settings.github_api_url)
    return Application(
        name="GitHub",
        client_id=settings.github_client_id,
        client_secret=secret,
        authorize_url=f"{web}/login/oauth/authorize",
        token_url=f"{web}/login/oauth/access_token",
        # An App's own permissions bound its user tokens.
        scope="",
        people=GitHubPeople(settings.github_api_url),
    )
