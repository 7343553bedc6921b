"""The run of a launch, over HTTP: what a driver uses if there is no database.

A request without an answer is repeated for a while. If the answer to a write was lost, the write is looked
for in the log before it is sent again, so that nothing is stored twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar, overload

import httpx
from sqlalchemy.exc import OperationalError

from bot.log.events import Entry, Event, Phase, Status
from bot.remote.bodies import body_of
from bot.remote.messages import (
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
    ResultsAnswer,
    StoredAnswer,
    ValidAnswer,
    WriteRequest,
)
from bot.remote.tokens import TokenRefused
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.run_log import ArtifactTooLarge
from bot.tls import trusted
from gherkin.errors import ScenaristError
from runners.contract.events import Instructed
from runners.contract.operator_limits import Runner
from runners.contract.routing import RunResult

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

    Each method does what `Store`'s does. If the web app does not answer, they raise `OperationalError`, like
    a database that is away. All may raise `TokenRefused` and `RemoteRefused`.
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
        blobs = blobs or {}
        self._write("log", LogRequest(events=tuple(new), sizes=_sizes(blobs)), blobs)

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
        message = FinishRequest(
            events=tuple(new), sizes=_sizes(blobs), phase=phase, status=status, delay=delay
        )
        self._write("finish", message, blobs)

    def entries(self, run_id: str, after: int = 0) -> list[Entry]:
        return list(self._ask("entries", EntriesRequest(after=after), EntriesAnswer).entries)

    def instructions(self, run_id: str) -> list[Instructed]:
        return list(self._ask("instructions", EmptyMessage(), InstructionsAnswer).instructions)

    def model_results(self, but: str = "") -> list[RunResult]:
        return list(self._ask("model-results", EmptyMessage(), ResultsAnswer).results)

    def artifact(self, run_id: str, name: str) -> bytes | None:
        return self._artifact(ArtifactRequest(name=name))

    def artifact_of(self, forge: str, repo: str, run_id: str, name: str) -> bytes | None:
        return self._artifact(ArtifactRequest(name=name, run_id=run_id))

    def _artifact(self, asked: ArtifactRequest) -> bytes | None:
        answer = self._send("artifact", asked.model_dump_json().encode())
        return None if answer.status_code == HTTPStatus.NO_CONTENT else answer.content

    def _write(self, name: str, message: WriteRequest, blobs: Mapping[str, bytes]) -> None:
        """Send a write; if its answer is lost, look whether it was stored before it is sent again."""
        new, body = message.events, body_of(message.model_dump_json(), blobs)
        answer = self._send(name, body, lambda: bool(new) and self._is_stored(new))
        self._seen = StoredAnswer.model_validate_json(answer.content).seq if answer else self._seen

    def _is_stored(self, new: Sequence[Event]) -> bool:
        stored = [entry.event for entry in self.entries("", self._seen)]
        return any(stored[at : at + len(new)] == list(new) for at in range(len(stored) - len(new) + 1))

    def _ask(self, name: str, message: RemoteMessage, kind: type[Answer]) -> Answer:
        return kind.model_validate_json(self._send(name, message.model_dump_json().encode()).content)

    @overload
    def _send(self, name: str, body: bytes) -> httpx.Response: ...

    @overload
    def _send(self, name: str, body: bytes, is_done: Callable[[], bool]) -> httpx.Response | None: ...

    def _send(
        self, name: str, body: bytes, is_done: Callable[[], bool] = lambda: False
    ) -> httpx.Response | None:
        """Send until it is answered. Returns None if the answer was lost, and the request `is_done`."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._once(name, body)
            except httpx.HTTPError as error:
                if time.monotonic() > until:
                    raise _away(name, error) from error
                time.sleep(_PAUSE_S)
                if is_done():
                    return None

    def _once(self, name: str, body: bytes) -> httpx.Response:
        answer = self._client.post(
            f"{PREFIX}{name}",
            content=body,
            headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
        )
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            answer.raise_for_status()
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            raise _refusal(answer)
        return answer


def _sizes(blobs: Mapping[str, bytes]) -> dict[str, int]:
    return {name: len(content) for name, content in blobs.items()}


def _refusal(answer: httpx.Response) -> ScenaristError:
    try:
        said = answer.json()["error"]
        code, message = str(said["code"]), str(said["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", f"The web app answers {answer.status_code}."
    kinds = {each.code: each for each in _GONE}
    return kinds.get(code, RemoteRefused)(message)


def _away(name: str, error: Exception) -> OperationalError:
    """Return the error of a database that is away: the driver gives the run back, and another launch does
    it.
    """
    return OperationalError(f"POST {PREFIX}{name}", None, error)
