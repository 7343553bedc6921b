"""Make the routes of the pages from the operator's settings."""

from collections.abc import Callable

from starlette.routing import Route

from bot.config.settings import Settings, has_forge
from bot.forges.registry.sign_ins import sign_ins
from bot.storage.store import Store
from bot.web.identity.access import Access
from bot.web.identity.session import Seals
from bot.web.pages.controls import Controls
from bot.web.pages.listings import Listings
from bot.web.pages.oauth import OAuth
from bot.web.pages.render import Renderer
from bot.web.pages.run_pages import RunPages
from bot.web.pages.sign_in import SignIn
from bot.web.pages.site import Site


def page_routes(store: Store, settings: Settings, controlled: Callable[[str], None]) -> list[Route]:
    """Return the routes of all pages; `controlled(run_id)` is called after a button of a run was pressed."""
    found = sign_ins(settings)
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
