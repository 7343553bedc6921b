"""People who sign in with GitLab, and their rights there.

https://docs.gitlab.com/api/oauth2/#authorization-code-with-proof-key-for-code-exchange-pkce
"""

from urllib.parse import quote

from bot.config.settings import Settings
from bot.forges.forge import Permission
from bot.forges.sign_in import Application, PersonsApi, named

# https://docs.gitlab.com/api/access_requests/#valid-access-levels
_LEVELS: tuple[tuple[int, Permission], ...] = ((50, "admin"), (40, "maintain"), (30, "write"))


class GitLabPeople(PersonsApi):
    """GitLab. https://docs.gitlab.com/api/projects/#retrieve-a-project"""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url.rstrip('/')}/api/v4")

    async def permission(self, token: str, repo: str) -> Permission:
        """Return the person's right on the project `repo`."""
        answer = await self.ask("GET", f"/projects/{quote(repo, safe='')}", token)
        if answer.status_code != 200:
            return "none"
        may = answer.json().get("permissions") or {}
        level = max((each or {}).get("access_level", 0) for each in (may.values() or [{}]))
        return next((permission for least, permission in _LEVELS if level >= least), "read")

    async def login(self, token: str) -> str:
        """Return the person's name. Raises `ForgeDenied`."""
        return named(await self.ask("GET", "/user", token), "username")

    async def comment(self, token: str, repo: str, number: int, text: str) -> None:
        """Comment on an issue. Raises `ForgeUnavailable` and `ForgeDenied`."""
        await self.post(f"/projects/{quote(repo, safe='')}/issues/{number}/notes", token, {"body": text})


def sign_in(settings: Settings) -> Application | None:
    """Return how people sign in with GitLab; None where the application's id and secret are not set."""
    secret = settings.gitlab_client_secret.get_secret_value()
    if not settings.gitlab_client_id or not secret:
        return None
    url = settings.gitlab_url.rstrip("/")
    return Application(
        name="GitLab",
        client_id=settings.gitlab_client_id,
        client_secret=secret,
        authorize_url=f"{url}/oauth/authorize",
        token_url=f"{url}/oauth/token",
        # To ask for rights and to comment as the person.
        scope="api",
        people=GitLabPeople(url),
    )
