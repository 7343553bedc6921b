"""What all pages share: who asks, what they may see, and how a page is made."""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.web.identity.access import Access
from bot.web.identity.session import Seals, Viewer, viewer_of
from bot.web.pages.render import Renderer

OPERATOR = Viewer(name="an operator")


class Site:
    """Templates, sessions and rights of the pages. `sign_ins` are the forges by which one can sign in."""

    def __init__(
        self,
        render: Renderer,
        seals: Seals,
        access: Access,
        *,
        control_token: str,
        sign_ins: Mapping[str, str],
        secure: bool,
    ) -> None:
        self.render = render
        self.seals = seals
        self.access = access
        self.sign_ins = sign_ins
        self._control_token = control_token
        self._secure = secure

    @property
    def has_operator(self) -> bool:
        """Return whether there is an operator's token."""
        return bool(self._control_token)

    def is_control_token(self, given: str) -> bool:
        """Return whether `given` is the operator's token."""
        return self.has_operator and hmac.compare_digest(given.encode(), self._control_token.encode())

    def bears_token(self, request: Request) -> bool:
        """Return whether a request bears the operator's token in its header."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_control_token(given)

    def viewer(self, request: Request) -> Viewer | None:
        """Return who asks: the bearer of the operator's token, or who is signed in."""
        return OPERATOR if self.bears_token(request) else viewer_of(self.seals, request)

    def is_secure(self, request: Request) -> bool:
        """Return whether browsers reach this app over HTTPS, so that cookies may be kept to it."""
        return self._secure or request.url.scheme == "https"

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Return a page, with what its frame needs."""
        frame = {
            "viewer": self.viewer(request),
            "path": request.url.path,
            "here": quote(_with_query(request), safe=""),
        }
        return HTMLResponse(self.render.page(template, **frame, **values), status)

    def message(self, request: Request, status: int, title: str, text: str, code: str = "") -> Response:
        """Return a page that says one thing."""
        return self.page(request, "message.html.j2", status, title=title, text=text, code=code)

    def missing(self, request: Request) -> Response:
        """Return the answer for a run that does not exist, and for one that this person may not see."""
        text = "The address is wrong, the run was removed, or you may not see its repository."
        return self.message(request, 404, "There is no such run", text)

    def denied(self, request: Request) -> Response:
        """Return the answer to somebody who may not see a page: to sign in, or that there is nothing."""
        if self.viewer(request) is not None:
            return self.missing(request)
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/sign-in?next={quote(_with_query(request), safe='')}", 303)
        return self.message(
            request, 401, "Please sign in", "This page is for those who can see the repository."
        )


def _with_query(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
