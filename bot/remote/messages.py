"""The messages between a process elsewhere and the web app, as JSON.

Each is the body of a POST to `/runner/NAME` with the token as bearer. The bytes of artifacts follow the line
of JSON, in the order of `sizes`; an artifact that was asked for is the whole answer.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from bot.log.events import Entry, Event, Phase, Status
from bot.storage.leases import RunClaim
from gherkin.values import Frozen
from runners.contract.events import Instructed
from runners.contract.routing import RunResult

# More would keep a run from ever being due again, and a database sorts NaN after every number.
Seconds = Annotated[float, Field(ge=0, le=7 * 24 * 3600, allow_inf_nan=False)]


class RemoteMessage(Frozen):
    """A message."""


class ClaimRequest(RemoteMessage):
    """Ask for the next of `phases` of the run, for `seconds`."""

    phases: tuple[Phase, ...]
    seconds: Seconds


class ClaimAnswer(RemoteMessage):
    """The claim, if there is one, the token for all work under it, and the number of the log's last entry."""

    claim: RunClaim | None
    token: str = ""
    seq: int = 0


class ExtendRequest(RemoteMessage):
    """Keep the lease for `seconds` from now."""

    seconds: Seconds


class ReleaseRequest(RemoteMessage):
    """Release the claim; with `seconds` because the phase failed, to be done again after these."""

    seconds: Seconds | None = None


class WriteRequest(RemoteMessage):
    """Store events, and the artifacts that follow the message: `sizes` are theirs in bytes, by name."""

    events: tuple[Event, ...]
    sizes: Mapping[str, Annotated[int, Field(ge=0)]] = {}


class LogRequest(WriteRequest):
    """Store events and artifacts."""


class FinishRequest(WriteRequest):
    """Store the end of the claimed phase; `phase` is next, after `delay` seconds."""

    phase: Phase
    status: Status
    delay: Seconds


class EntriesRequest(RemoteMessage):
    """Ask for the log after the entry number `after`."""

    after: int = 0


class ArtifactRequest(RemoteMessage):
    """Ask for an artifact of this run, or of another run of the same repository."""

    name: str
    run_id: str = ""


class EntriesAnswer(RemoteMessage):
    """The entries of a log."""

    entries: tuple[Entry, ...]


class InstructionsAnswer(RemoteMessage):
    """What people wrote for the run after it started."""

    instructions: tuple[Instructed, ...]


class ResultsAnswer(RemoteMessage):
    """What the newest runs came to with which models."""

    results: tuple[RunResult, ...]


class StoredAnswer(RemoteMessage):
    """What was sent is stored; `seq` is the number of the log's last entry."""

    seq: int


class EmptyMessage(RemoteMessage):
    """A message without contents."""


class ValidAnswer(RemoteMessage):
    """Whether the claim is still valid."""

    ok: bool


class RemoteError(RemoteMessage):
    """Why a request is refused."""

    code: str
    message: str


class RemoteErrorBody(RemoteMessage):
    """The body of an answer that refuses."""

    error: RemoteError
