"""The run of a launch, over HTTP: what a driver works with where there is no database.

An answer that does not come is asked for again for a while. A write whose answer was lost is looked for in
the log before it is sent again, so that nothing is stored twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import httpx
from sqlalchemy.exc import OperationalError

from bot.log.events import Entry, Event, Phase, Status
from bot.remote.messages import (
    ArtifactAnswer,
    ArtifactRequest,
    ClaimAnswer,
    ClaimRequest,
    EmptyMessage,
    EntriesAnswer,
    EntriesRequest,
    ExtendRequest,
    FinishRequest,
    InstructionsAnswer,
    LogRequest,
    ReleaseRequest,
    RemoteMessage,
    StoredAnswer,
    ValidAnswer,
)
from bot.remote.tokens import TokenRefused
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.run_log import ArtifactTooLarge
from bot.tls import trusted
from gherkin.errors import ScenaristError
from runners.contract.events import Instructed
from runners.contract.operator_limits import Runner

PREFIX = "/runner/"
_REQUEST_S = 60.0
_PATIENCE_S = 20.0
_PAUSE_S = 0.5
_GONE = (LeaseLost, TokenRefused, ArtifactTooLarge)

Answer = TypeVar("Answer", bound=RemoteMessage)


class RemoteRefused(ScenaristError):
    """The web app does not accept what a launch of its own sent."""

    code = "SCN-6231"
    next_step = "Install the same version of Scenarist on the runners and on the server."


class RemoteStore:
    """One run, as the web app at `url` shows it to the holder of `token`.

    Each method does what `Store`'s does. Where the web app does not answer, they raise `OperationalError`, as
    a database does that is away. All may raise `TokenRefused` and `RemoteRefused`.
    """

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=_REQUEST_S, verify=trusted())
        self._token = token
        # The log's last entry when the last write was answered.
        self._seen = 0

    def claim(
        self,
        run_id: str,
        phases: Iterable[Phase],
        seconds: float,
        holder: str = "",
        *,
        runner: Runner | None = None,
        fence: int | None = None,
    ) -> RunClaim | None:
        answer = self._ask("claim", ClaimRequest(phases=tuple(phases), seconds=seconds), ClaimAnswer)
        if answer.claim is not None:
            self._token, self._seen = answer.token, answer.seq
        return answer.claim

    def extend(self, claim: RunClaim, seconds: float) -> None:
        self._ask("extend", ExtendRequest(seconds=seconds), EmptyMessage)

    def release(self, claim: RunClaim) -> bool:
        return self._ask("give-back", ReleaseRequest(), ValidAnswer).ok

    def put_off(self, claim: RunClaim, seconds: float) -> bool:
        return self._ask("give-back", ReleaseRequest(seconds=seconds), ValidAnswer).ok

    def is_current(self, claim: RunClaim) -> bool:
        return self._ask("is-current", EmptyMessage(), ValidAnswer).ok

    def log(self, claim: RunClaim, new: Sequence[Event], blobs: Mapping[str, bytes] | None = None) -> None:
        self._write("log", LogRequest(events=tuple(new), artifacts=blobs or {}), new)

    def finish_phase(
        self,
        claim: RunClaim,
        new: Sequence[Event],
        blobs: Mapping[str, bytes],
        *,
        phase: Phase,
        status: Status = "active",
        delay: float = 0.0,
    ) -> None:
        message = FinishRequest(events=tuple(new), artifacts=blobs, phase=phase, status=status, delay=delay)
        self._write("finish", message, new)

    def entries(self, run_id: str, after: int = 0) -> list[Entry]:
        return list(self._ask("entries", EntriesRequest(after=after), EntriesAnswer).entries)

    def instructions(self, run_id: str) -> list[Instructed]:
        return list(self._ask("instructions", EmptyMessage(), InstructionsAnswer).instructions)

    def artifact(self, run_id: str, name: str) -> bytes | None:
        return self._ask("artifact", ArtifactRequest(name=name), ArtifactAnswer).data

    def artifact_of(self, forge: str, repo: str, run_id: str, name: str) -> bytes | None:
        return self._ask("artifact", ArtifactRequest(name=name, run_id=run_id), ArtifactAnswer).data

    def _write(self, name: str, message: RemoteMessage, new: Sequence[Event]) -> None:
        """Send a write; if its answer is lost, look whether it was stored before it is sent again."""

        def stored() -> StoredAnswer | None:
            return StoredAnswer(seq=self._seen) if new and self._is_stored(new) else None

        self._seen = self._ask(name, message, StoredAnswer, stored).seq

    def _is_stored(self, new: Sequence[Event]) -> bool:
        stored = [entry.event for entry in self.entries("", self._seen)]
        return any(stored[at : at + len(new)] == list(new) for at in range(len(stored) - len(new) + 1))

    def _ask(
        self,
        name: str,
        message: RemoteMessage,
        kind: type[Answer],
        found: Callable[[], Answer | None] = lambda: None,
    ) -> Answer:
        """Send until it is answered, or until an answer is `found` in another way."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._once(name, message, kind)
            except httpx.HTTPError as error:
                if time.monotonic() > until:
                    raise _away(name, error) from error
                time.sleep(_PAUSE_S)
                if (answer := found()) is not None:
                    return answer

    def _once(self, name: str, message: RemoteMessage, kind: type[Answer]) -> Answer:
        answer = self._client.post(
            f"{PREFIX}{name}",
            content=message.model_dump_json(),
            headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
        )
        if answer.status_code >= 500:
            answer.raise_for_status()
        if answer.status_code != 200:
            raise _refusal(answer)
        return kind.model_validate_json(answer.content)


def _refusal(answer: httpx.Response) -> ScenaristError:
    try:
        said = answer.json()["error"]
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", f"The web app answers {answer.status_code}."
    kinds = {each.code: each for each in _GONE}
    return kinds.get(code, RemoteRefused)(message)


def _away(name: str, error: Exception) -> OperationalError:
    """The error of a database that is away: the driver gives the run back, and another launch does it."""
    return OperationalError(f"POST {PREFIX}{name}", None, error)
