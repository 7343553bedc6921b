"""Signing in with a forge: OAuth 2.0 with PKCE (RFC 6749, RFC 7636), spoken by Authlib."""

import hmac
import logging
from collections.abc import Mapping

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.forges.sign_in import Application
from bot.web.http.requests import own_path
from bot.web.identity.session import Viewer, set_cookie, sign_in
from bot.web.pages.site import Site
from gherkin.errors import ScenaristError, described
from gherkin.values import Frozen

log = logging.getLogger(__name__)

_COOKIE = "scenarist_sign_in"
_STATE_S = 600


class _PendingSignIn(Frozen):
    """What is remembered while somebody is at the forge."""

    forge: str
    state: str
    verifier: str
    after: str


class OAuth:
    """The pages `/sign-in/FORGE` and `/sign-in/FORGE/callback`.

    `public_url` is where people reach the app; if it is empty, the request's own address is used.
    """

    def __init__(self, site: Site, applications: Mapping[str, Application], public_url: str) -> None:
        self._site = site
        self._applications = applications
        self._public_url = public_url.rstrip("/")

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/sign-in/{forge}", self._begin),
            Route("/sign-in/{forge}/callback", self._callback),
        ]

    def _client(self, request: Request, application: Application, forge: str) -> AsyncOAuth2Client:
        base = self._public_url or str(request.base_url).rstrip("/")
        return AsyncOAuth2Client(
            application.client_id,
            application.client_secret,
            scope=application.scope or None,
            redirect_uri=f"{base}/sign-in/{forge}/callback",
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            timeout=10.0,
        )

    async def _begin(self, request: Request) -> Response:
        forge = request.path_params["forge"]
        application = self._applications.get(forge)
        if application is None:
            return self._site.message(
                request, 404, "There is no such sign-in", "Choose one on the page before."
            )
        verifier = generate_token(48)
        async with self._client(request, application, forge) as client:
            url, state = client.create_authorization_url(application.authorize_url, code_verifier=verifier)
        answer = RedirectResponse(url, 303)
        after = own_path(request.query_params.get("next", "/"))
        asked = _PendingSignIn(forge=forge, state=state, verifier=verifier, after=after)
        secure = self._site.is_secure(request)
        set_cookie(answer, _COOKIE, self._site.seals.seal(asked), _STATE_S, secure=secure)
        return answer

    async def _callback(self, request: Request) -> Response:
        forge = request.path_params["forge"]
        application = self._applications.get(forge)
        asked = self._site.seals.open(_PendingSignIn, request.cookies.get(_COOKIE, ""), _STATE_S)
        given = request.query_params.get("state", "")
        code = request.query_params.get("code", "")
        known = asked is not None and asked.forge == forge and hmac.compare_digest(given, asked.state)
        if application is None or asked is None or not known or not code:
            return self._failed(
                request, "The forge's answer does not belong to this browser, or came too late."
            )
        try:
            async with self._client(request, application, forge) as client:
                token = await client.fetch_token(
                    application.token_url, code=code, code_verifier=asked.verifier
                )
            access = str(token["access_token"])
            name = await application.people.login(access)
        except (AuthlibBaseError, httpx.HTTPError, ScenaristError, KeyError, ValueError) as error:
            log.warning("a sign-in with %s failed: %s", forge, described(error))
            return self._failed(request, f"{application.name} did not confirm who you are.")
        answer = RedirectResponse(asked.after, 303)
        viewer = Viewer(name=name, forge=forge, token=access)
        sign_in(self._site.seals, answer, viewer, secure=self._site.is_secure(request))
        answer.delete_cookie(_COOKIE, path="/")
        return answer

    def _failed(self, request: Request, text: str) -> Response:
        return self._site.message(request, 400, "You are not signed in", f"{text} Please try again.")
