"""The `Receiver` protocol: one forge's webhooks, checked and read without any I/O."""

from collections.abc import Mapping
from typing import Protocol

from bot.forges.events import ForgeEvent, Ignored
from gherkin.values import Frozen

# As ASGI gives them: names in lower case.
Headers = Mapping[bytes, bytes]
_MAX_NAME = 100


class PayloadInvalid(ValueError):
    """The body cannot be read, or a field we need is missing."""


class Name(Frozen):
    """What a delivery is: the forge's name of its event, and a key that all its repetitions share.

    Either is empty where the request lacks it.
    """

    event: str
    key: str


class Receiver(Protocol):
    """One forge's side of a webhook. All methods are pure."""

    secured: bool
    """Whether a secret is configured; without one no delivery is accepted."""
    needs: str
    """The headers without which a delivery cannot be stored, for an error message."""

    def is_authentic(self, headers: Headers, body: bytes, now: float) -> bool:
        """Return whether the delivery was sent by the forge; `now` is in seconds since the epoch."""
        ...

    def name(self, headers: Headers, body: bytes) -> Name: ...

    def read(self, event: str, body: bytes) -> ForgeEvent | Ignored:
        """Read the body of a delivery called `event`. Raises `PayloadInvalid`."""
        ...


def header(headers: Headers, name: bytes) -> str:
    """Return the value of a header that names something, cut to 100 characters; empty if it is missing."""
    return headers.get(name, b"").decode("latin-1")[:_MAX_NAME]
