"""Who is signed in: a sealed cookie, so that no process has to remember it.

The cookie is encrypted and authenticated (Fernet: https://github.com/fernet/spec/blob/master/Spec.md).
"""

import base64
import hashlib
import hmac
import secrets
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from gherkin.values import Frozen

COOKIE = "scenarist"
SESSION_S = 8 * 3600
_MAX_BYTES = 3800  # browsers keep cookies of 4,096 bytes

T = TypeVar("T", bound=Frozen)


class Viewer(Frozen):
    """Somebody who is signed in: an operator (`forge` is empty), or a person of a forge.

    `token` is what the forge gave to act for this person. `csrf` is in each of their forms.
    """

    name: str
    forge: str = ""
    token: str = Field(default="", repr=False)
    csrf: str = Field(default="", repr=False)

    @property
    def is_operator(self) -> bool:
        return not self.forge


class Seals:
    """Makes cookies that only this bot can read and nobody can alter.

    An empty `secret` is replaced by a random one of this process. When `control_token` changes, all sessions
    end.
    """

    def __init__(self, secret: str, control_token: str = "") -> None:
        material = secret or secrets.token_hex(32)
        digest = hmac.digest(material.encode(), f"cookies {control_token}".encode(), hashlib.sha256)
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def seal(self, value: Frozen) -> str:
        """Return `value` as the text of a cookie."""
        return self._fernet.encrypt(value.model_dump_json().encode()).decode()

    def open(self, kind: type[T], text: str, seconds: int) -> T | None:
        """Return a value that was sealed at most `seconds` ago; None for anything else."""
        try:
            return kind.model_validate_json(self._fernet.decrypt(text.encode(), ttl=seconds))
        except (InvalidToken, ValidationError, ValueError):
            return None


def sign_in(seals: Seals, response: Response, viewer: Viewer, *, secure: bool) -> None:
    """Put a session of `viewer` into a response, with a CSRF token of its own."""
    own = viewer.model_copy(update={"csrf": secrets.token_urlsafe(24)})
    text = seals.seal(own)
    if len(text) > _MAX_BYTES:
        raise ValueError("the session is too large for a cookie")
    set_cookie(response, COOKIE, text, SESSION_S, secure=secure)


def set_cookie(response: Response, name: str, text: str, seconds: int, *, secure: bool) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    response.set_cookie(name, text, max_age=seconds, path="/", httponly=True, samesite="lax", secure=secure)


def viewer_of(seals: Seals, request: Request) -> Viewer | None:
    """Return who sent a request, by its cookie."""
    text = request.cookies.get(COOKIE, "")
    return seals.open(Viewer, text, SESSION_S) if text else None


def is_same_origin(request: Request) -> bool:
    """Return whether a browser says that a page of this app sent the request, or no browser sent it.

    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def is_own_form(viewer: Viewer, request: Request, given: str) -> bool:
    """Return whether this app made a form for this session: the form has the session's CSRF token."""
    return is_same_origin(request) and bool(viewer.csrf) and hmac.compare_digest(given, viewer.csrf)
