"""Render templates as HTML. Every value in a template is escaped; strangers' text is never markup."""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from bot.report.page.page import RunPage
from bot.report.page.phases import name_of, took
from bot.report.page.turns import Item
from bot.web.identity.session import Viewer

# The parts of a run's page that are sent anew when they change, in their order. Each is the macro of
# `sections.html.j2` that prints the element with this id.
SECTIONS = ("now", "phases", "scenarios", "verdict", "diff", "facts", "timeline", "spending")
_CODE = re.compile(r"`([^`]+)`")


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (content, short hash) of the files that pages load."""
    found = {}
    for each in files("bot.web.pages").joinpath("static").iterdir():
        content = each.read_bytes()
        found[each.name] = (content, hashlib.sha256(content).hexdigest()[:12])
    return found


def static_url(name: str) -> str:
    """Return the address of a static file; it changes with the file, so that browsers may cache it."""
    return f"/static/{name}?v={static_files()[name][1]}"


def ticks(text: str) -> Markup:
    """Return `text` escaped, with the parts between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped one step before


def utc(at: float) -> str:
    """Return a moment (seconds since the epoch) as people read it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


class Renderer:
    """The templates of the pages."""

    def __init__(self) -> None:
        self._env = jinja2.Environment(
            loader=jinja2.PackageLoader("bot.web.pages", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._env.filters.update(ticks=ticks, took=took, utc=utc, phase_name=name_of)
        self._env.globals.update(static=static_url)

    def page(self, template: str, **values: Any) -> str:
        """Return a whole page."""
        return self._env.get_template(template).render(**values)

    def sections(self, page: RunPage) -> dict[str, Markup]:
        """Return each of `SECTIONS` -> its HTML."""
        macros = self._macros()
        return {name: getattr(macros, name)(page) for name in SECTIONS}

    def _macros(self) -> Any:
        return self._env.get_template("sections.html.j2").module

    def controls(self, page: RunPage, viewer: Viewer) -> Markup:
        """Return the buttons of a run for somebody who may press them."""
        return Markup(self._macros().controls(page, viewer))  # noqa: S704 - the macro escapes

    def no_controls(self) -> Markup:
        """Return what others see in the place of the buttons."""
        return Markup(self._macros().no_controls())  # noqa: S704 - the macro escapes

    def items(self, items: Iterable[Item], run_id: str) -> Markup:
        """Entries of the conversation."""
        return Markup("").join(self._parts().item(each, run_id) for each in items)

    def output(self, item: Item) -> Markup:
        """Return the output of an entry, alone."""
        return Markup(self._parts().output(item.output)) if item.output else Markup("")  # noqa: S704 - escaped

    def log(self, text: str) -> Markup:
        """Return the log of a command, alone."""
        return Markup(self._parts().log(text))  # noqa: S704 - the macro escapes

    def _parts(self) -> Any:
        return self._env.get_template("parts.html.j2").module


def partial(target: str, swap: str, content: str) -> str:
    """Return HTML that htmx puts into the element `target` (a selector) of a page, in the way that `swap`
    names.

    https://htmx.org/docs/
    """
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{content}</hx-partial>'
