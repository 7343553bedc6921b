"""Make the routes of the pages from the operator's settings."""

from collections.abc import Callable, Mapping

from starlette.routing import Route

from bot.config.settings import Settings, has_forge
from bot.config.urls import github_web_url
from bot.storage.store import Store
from bot.web.identity.access import Access
from bot.web.identity.people import GitHubPeople, GitLabPeople
from bot.web.identity.session import Seals
from bot.web.pages.controls import Controls
from bot.web.pages.listings import Listings
from bot.web.pages.oauth import Application, OAuth
from bot.web.pages.render import Renderer
from bot.web.pages.run_pages import RunPages
from bot.web.pages.sign_in import SignIn
from bot.web.pages.site import Site


def page_routes(store: Store, settings: Settings, controlled: Callable[[str], None]) -> list[Route]:
    """Return the routes of all pages; `controlled(run_id)` is called after a button of a run was pressed."""
    found = applications(settings)
    people = {forge: each.people for forge, each in found.items()}
    control_token = settings.control_token.get_secret_value()
    site = Site(
        Renderer(),
        Seals(settings.session_secret.get_secret_value(), control_token),
        Access(settings.pages, people),
        control_token=control_token,
        sign_ins={forge: each.name for forge, each in found.items()},
        secure=settings.public_url.startswith("https://"),
    )
    return [
        *Listings(store, site, has_forge=has_forge(settings), label=settings.trigger_label).routes(),
        *SignIn(site).routes(),
        *OAuth(site, found, settings.public_url).routes(),
        *RunPages(store, site, label=settings.trigger_label).routes(),
        *Controls(store, site, people, controlled).routes(),
    ]


def applications(settings: Settings) -> Mapping[str, Application]:
    """Return the forges through which people can sign in: those whose client id and secret are set."""
    found: dict[str, Application] = {}
    if settings.github_client_id and settings.github_client_secret.get_secret_value():
        web = settings.github_web_url.rstrip("/") or github_web_url(settings.github_api_url)
        found["github"] = Application(
            name="GitHub",
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret.get_secret_value(),
            authorize_url=f"{web}/login/oauth/authorize",
            token_url=f"{web}/login/oauth/access_token",
            # An App's own permissions bound its user tokens.
            scope="",
            people=GitHubPeople(settings.github_api_url),
        )
    if settings.gitlab_client_id and settings.gitlab_client_secret.get_secret_value():
        url = settings.gitlab_url.rstrip("/")
        found["gitlab"] = Application(
            name="GitLab",
            client_id=settings.gitlab_client_id,
            client_secret=settings.gitlab_client_secret.get_secret_value(),
            authorize_url=f"{url}/oauth/authorize",
            token_url=f"{url}/oauth/token",
            # To ask for rights and to comment as the person.
            scope="api",
            people=GitLabPeople(url),
        )
    return found
