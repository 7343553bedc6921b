"""Tokens that let a process elsewhere work on one run.

A launch gets a launch token. When it claims its run, it exchanges this token, once, for a claim token. No
token is stored: each contains the fence that the run must have for the token to be valid, and the claim
changes the fence. A token is signed with HMAC-SHA256 (RFC 2104).
"""

import base64
import hashlib
import hmac
from typing import Literal

from pydantic import ValidationError

from bot.storage.launches import Launch
from gherkin.errors import ScenaristError
from gherkin.values import Frozen

# A job may wait a day for a machine; GitHub gives up then.
LAUNCH_S = 24 * 3600.0
_SHORTEST_SECRET = 32


class TokenRefused(ScenaristError):
    """A token of a run is not genuine, too old, or was used already."""

    code = "SCN-1212"
    next_step = "Nothing to do: the run is launched again with another token if it is not done yet."


class SecretTooShort(ScenaristError):
    """The secret that signs the tokens of launches is missing or too short."""

    code = "SCN-7088"
    next_step = (
        "Set SCENARIST_RUNNER_SECRET to the same 32 characters or more on the web app and the dispatcher: "
        "`openssl rand -hex 32`."
    )


class RunToken(Frozen):
    """The content of a token: whose it is, and which `fence` the run must have.

    It is valid `until` then, in seconds since the epoch.
    """

    kind: Literal["launch", "claim"]
    launch: Launch
    fence: int
    until: float


class Signer:
    """Makes and reads tokens. Raises `SecretTooShort`."""

    def __init__(self, secret: str) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise SecretTooShort("SCENARIST_RUNNER_SECRET has fewer than 32 characters.")
        self._secret = secret.encode()

    def launch_token(self, launch: Launch, now: float) -> str:
        """Return the token of a launch that begins at `now`, in seconds since the epoch."""
        return self.sign(RunToken(kind="launch", launch=launch, fence=launch.fence, until=now + LAUNCH_S))

    def sign(self, token: RunToken) -> str:
        """Return the token as text without spaces."""
        said = base64.urlsafe_b64encode(token.model_dump_json().encode()).decode()
        return f"{said}.{self._mac(said)}"

    def read(self, text: str, now: float) -> RunToken:
        """Return what a genuine token says that is good at `now`. Raises `TokenRefused`."""
        said, _, mac = text.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(said).encode()):
            raise TokenRefused("This is no token of a run.")
        try:
            token = RunToken.model_validate_json(base64.urlsafe_b64decode(said))
        except (ValidationError, ValueError) as error:
            raise TokenRefused("This token of a run cannot be read.") from error
        if token.until < now:
            raise TokenRefused(f"The token for run {token.launch.run_id} is too old.")
        return token

    def _mac(self, said: str) -> str:
        digest = hmac.new(self._secret, said.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
