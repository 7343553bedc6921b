"""Signing in with the operator's token, and signing out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.web.http.requests import form_of, own_path
from bot.web.identity.attempts import Attempts
from bot.web.identity.session import COOKIE, is_own_form, is_same_origin, sign_in
from bot.web.pages.site import OPERATOR, Site


class SignIn:
    """The pages below `/sign-in`, and `/sign-out`."""

    def __init__(self, site: Site, attempts: Attempts | None = None) -> None:
        self._site = site
        self._attempts = attempts or Attempts()

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/sign-in", self._form),
            Route("/sign-in", self._token, methods=["POST"]),
            Route("/sign-out", self._out, methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        return self._page(request, own_path(request.query_params.get("next", "/")))

    def _page(self, request: Request, after: str, status: int = 200, problem: str = "") -> Response:
        values = {"after": after, "problem": problem, "sign_ins": self._site.sign_ins}
        return self._site.page(
            request, "sign_in.html.j2", status, **values, has_operator=self._site.has_operator
        )

    async def _token(self, request: Request) -> Response:
        form = await form_of(request)
        after = own_path(form.get("next", "/"))
        if not is_same_origin(request):
            return self._page(request, after, 403, "The form came from another site. Please try again here.")
        address = request.client.host if request.client else ""
        if self._attempts.are_used_up(address):
            text = "Too many attempts. Wait a minute, then try again."
            response = self._page(request, after, 429, text)
            response.headers["retry-after"] = "60"
            return response
        if not self._site.is_control_token(form.get("token", "")):
            self._attempts.failed(address)
            return self._page(request, after, 401, "This is not the operator's token.")
        answer = RedirectResponse(after, 303)
        sign_in(self._site.seals, answer, OPERATOR, secure=self._site.is_secure(request))
        return answer

    async def _out(self, request: Request) -> Response:
        viewer = self._site.viewer(request)
        form = await form_of(request)
        if viewer is not None and not is_own_form(viewer, request, form.get("csrf", "")):
            return self._site.message(
                request, 403, "You are still signed in", "Please try again on a page here."
            )
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer
