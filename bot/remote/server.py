"""Answers launches that reach the web app alone. They may work on their own run, as far as a runner may.

A launch can write what a runner finds and how its phase ended. It cannot write what people or the trusted
phases say, and the phase that follows must be the one that the workflow names.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.log.events import (
    APPROVAL,
    BESIDE,
    RUNNER_PHASES,
    Controlled,
    Event,
    Phase,
    PhaseDelayed,
    PhaseFinished,
    PhaseStarted,
    event_adapter,
)
from bot.remote import messages
from bot.remote.messages import RemoteMessage
from bot.remote.tokens import RunToken, Signer, TokenRefused
from bot.runs.workflow import EDGES, FAILED, next_phase
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.run_log import MAX_ARTIFACT_BYTES, ArtifactTooLarge
from bot.storage.store import Store
from bot.storage.usage import used_by
from gherkin.errors import ScenaristError, described
from runners.contract.events import Instructed, RunnerEvent

log = logging.getLogger(__name__)

_CLAIM_S = 7 * 24 * 3600.0
_LONGEST_LEASE_S = 3600.0
# Artifacts in base64, and the events beside them.
_MAX_BODY = 2 * MAX_ARTIFACT_BYTES
_OWN = (PhaseStarted, PhaseFinished, PhaseDelayed)
_OF_RUNNERS = tuple(each for each in get_args(RunnerEvent) if each is not Instructed)


class RemoteWriteRefused(ScenaristError):
    """A launch tried to write what a runner may not write."""

    code = "SCN-1213"
    next_step = "Look at the job that sent it: the same version of Scenarist never does this."


class RemoteServer:
    """The requests of launches. `changed(run_id)` is called after a run's next phase has changed."""

    def __init__(self, store: Store, signer: Signer, changed: Callable[[str], None]) -> None:
        self._store = store
        self._signer = signer
        self._changed = changed
        self._calls: Mapping[str, tuple[type[RemoteMessage], Callable[[RunToken, Any], RemoteMessage]]] = {
            "claim": (messages.ClaimRequest, self._claim),
            "extend": (messages.ExtendRequest, self._extend),
            "give-back": (messages.ReleaseRequest, self._give_back),
            "is-current": (messages.EmptyMessage, self._is_current),
            "log": (messages.LogRequest, self._append),
            "finish": (messages.FinishRequest, self._finish),
            "entries": (messages.EntriesRequest, self._entries),
            "instructions": (messages.EmptyMessage, self._instructions),
            "artifact": (messages.ArtifactRequest, self._artifact),
        }

    def routes(self) -> list[Route]:
        """Return the route of all requests."""
        return [Route("/runner/{call}", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        found = self._calls.get(request.path_params["call"])
        if found is None:
            return _refused(404, RemoteWriteRefused("There is no such request."))
        parts, size = [], 0
        try:
            token = self._token(request)
            async for part in request.stream():
                size += len(part)
                if size > _MAX_BODY:
                    raise ArtifactTooLarge(f"The request has more than {_MAX_BODY:,} bytes.")
                parts.append(part)
            message = found[0].model_validate_json(b"".join(parts))
            answer = await run_in_threadpool(found[1], token, message)
        except TokenRefused as error:
            return _refused(401, error)
        except LeaseLost as error:
            return _refused(409, error)
        except (ArtifactTooLarge, RemoteWriteRefused) as error:
            return _refused(422, error)
        except ValidationError:
            return _refused(422, RemoteWriteRefused("The request cannot be read."))
        except SQLAlchemyError as error:
            log.warning("a launch could not be answered: %s", described(error))
            return Response(status_code=503)
        return Response(answer.model_dump_json(), media_type="application/json")

    def _token(self, request: Request) -> RunToken:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise TokenRefused("The request has no token.")
        token = self._signer.read(given, self._store.clock())
        if token.kind == "launch" and request.path_params["call"] != "claim":
            raise TokenRefused("This token is for claiming the run alone.")
        return token

    def _claim(self, token: RunToken, asked: messages.ClaimRequest) -> RemoteMessage:
        phases = RUNNER_PHASES.intersection(asked.phases)
        seconds = min(asked.seconds, _LONGEST_LEASE_S)
        launch = token.launch
        claim = self._store.claim(
            launch.run_id, phases, seconds, launch.name, runner="actions", fence=token.fence
        )
        if claim is None:
            return messages.ClaimAnswer(claim=None)
        until = self._store.clock() + _CLAIM_S
        text = self._signer.sign(RunToken(kind="claim", launch=launch, fence=claim.fence, until=until))
        return messages.ClaimAnswer(claim=claim, token=text, seq=self._store.seq(launch.run_id))

    def _extend(self, token: RunToken, asked: messages.ExtendRequest) -> RemoteMessage:
        self._store.extend(_held(token), min(asked.seconds, _LONGEST_LEASE_S))
        return messages.EmptyMessage()

    def _give_back(self, token: RunToken, asked: messages.ReleaseRequest) -> RemoteMessage:
        claim = _held(token)
        if asked.seconds is None:
            done = self._store.release(claim)
        else:
            done = self._store.put_off(claim, asked.seconds)
        self._changed(claim.run_id)
        return messages.ValidAnswer(ok=done)

    def _is_current(self, token: RunToken, _asked: messages.EmptyMessage) -> RemoteMessage:
        return messages.ValidAnswer(ok=self._store.is_current(_held(token)))

    def _append(self, token: RunToken, asked: messages.LogRequest) -> RemoteMessage:
        _check_events(asked.events)
        self._store.log(_held(token), asked.events, asked.artifacts)
        return messages.StoredAnswer(seq=self._store.seq(token.launch.run_id))

    def _finish(self, token: RunToken, asked: messages.FinishRequest) -> RemoteMessage:
        claim = _held(token)
        found = self._store.status(claim.run_id)
        if found is None or not _may_follow(found[1], asked):
            raise RemoteWriteRefused("A phase does not end like this.")
        self._store.finish_phase(
            claim, asked.events, asked.artifacts, phase=asked.phase, status=asked.status, delay=asked.delay
        )
        self._changed(claim.run_id)
        return messages.StoredAnswer(seq=self._store.seq(claim.run_id))

    def _entries(self, token: RunToken, asked: messages.EntriesRequest) -> RemoteMessage:
        self._check_reader(token)
        return messages.EntriesAnswer(entries=tuple(self._store.entries(token.launch.run_id, asked.after)))

    def _instructions(self, token: RunToken, _asked: messages.EmptyMessage) -> RemoteMessage:
        self._check_reader(token)
        return messages.InstructionsAnswer(instructions=tuple(self._store.instructions(token.launch.run_id)))

    def _artifact(self, token: RunToken, asked: messages.ArtifactRequest) -> RemoteMessage:
        self._check_reader(token)
        run_id = token.launch.run_id
        if asked.run_id in ("", run_id):
            return messages.ArtifactAnswer(data=self._store.artifact(run_id, asked.name))
        request = self._store.requested(run_id)
        if request is None:
            return messages.ArtifactAnswer(data=None)
        found = self._store.artifact_of(request.forge, request.repo, asked.run_id, asked.name)
        return messages.ArtifactAnswer(data=found)

    def _check_reader(self, token: RunToken) -> None:
        """Raise `LeaseLost` if somebody else has claimed or controlled the run since the token was made."""
        if not self._store.is_current(_held(token)):
            raise LeaseLost(f"Run {token.launch.run_id} was taken over by another worker.")


def _held(token: RunToken) -> RunClaim:
    """The claim that a token stands for; the store looks at the run and its fence alone."""
    return RunClaim(run_id=token.launch.run_id, phase="implement", fence=token.fence, attempts=1)


def _check_events(new: Sequence[Event]) -> None:
    for each in new:
        if not isinstance(each, (*_OF_RUNNERS, *_OWN)):
            raise RemoteWriteRefused(f"A runner does not write {each.type}.")
        if isinstance(each, _OWN) and each.phase not in RUNNER_PHASES:
            raise RemoteWriteRefused(f"A runner does not do the phase {each.phase}.")
        if min(used_by([each])) < 0:
            raise RemoteWriteRefused(f"What {each.type} says was used is less than nothing.")
        try:
            event_adapter.validate_json(each.model_dump_json())
        except ValidationError:
            # A number that JSON does not have: nobody could read the run's log any more.
            raise RemoteWriteRefused(f"{each.type} cannot be stored.") from None


def _may_follow(claimed: Phase, asked: messages.FinishRequest) -> bool:
    """Whether the phase `claimed` may end with these events, and be followed by what is asked.

    A companion that failed ends the claimed phase with it.
    """
    new = list(asked.events)
    if asked.status == "paused":
        if not new or new.pop() != Controlled(control="pause", by="", reason=_reason(asked)):
            return False
    elif asked.status != "active":
        return False
    _check_events(new)
    end = new[-1] if new else None
    if isinstance(end, PhaseDelayed):
        return asked.phase == end.phase == claimed
    if not isinstance(end, PhaseFinished) or (end.outcome == APPROVAL) != (asked.status == "paused"):
        return False
    if end.phase != claimed and not (end.outcome == FAILED and BESIDE.get(claimed) == end.phase):
        return False
    return (end.outcome == FAILED or (claimed, end.outcome) in EDGES) and asked.phase == next_phase(
        claimed, end.outcome
    )


def _reason(asked: messages.FinishRequest) -> str:
    return next((each.reason for each in reversed(asked.events) if isinstance(each, PhaseFinished)), "")


def _refused(status: int, error: ScenaristError) -> Response:
    body = messages.RemoteErrorBody(error=messages.RemoteError(code=error.code, message=error.message))
    return Response(body.model_dump_json(), status, media_type="application/json")
