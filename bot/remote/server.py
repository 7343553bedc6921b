"""Answer launches that reach only the web app. They may work on their own run, as far as a runner may.

A launch can write what a runner finds and how its phase ended. It cannot write what people or the trusted
phases say, and the next phase must be the one that the workflow names.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, get_args

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
from bot.remote.bodies import (
    Bodies,
    BodyUnreadable,
    TooManyBodies,
    artifacts_of,
    message_line,
)
from bot.remote.messages import RemoteMessage
from bot.remote.tokens import RunToken, Signer, TokenRefused
from bot.runs.workflow import EDGES, FAILED, next_phase
from bot.storage.leases import LeaseLost, RunClaim
from bot.storage.run_log import ArtifactTooLarge
from bot.storage.store import Store
from bot.storage.usage import used_by
from gherkin.errors import ScenaristError, described
from runners.contract.events import Instructed, RunnerEvent

log = logging.getLogger(__name__)

_CLAIM_S = 7 * 24 * 3600.0
_LONGEST_LEASE_S = 3600.0
_OWN = (PhaseStarted, PhaseFinished, PhaseDelayed)
_OF_RUNNERS = tuple(each for each in get_args(RunnerEvent) if each is not Instructed)


# A request's kind of message, and what is done about it with the rest of its body.
Call = tuple[type[RemoteMessage], Callable[[RunToken, Any, BinaryIO], RemoteMessage | Response]]


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
        self._bodies = Bodies()
        self._calls: Mapping[str, Call] = {
            "claim": (messages.ClaimRequest, self._claim),
            "extend": (messages.ExtendRequest, self._extend),
            "give-back": (messages.ReleaseRequest, self._give_back),
            "is-current": (messages.EmptyMessage, self._is_current),
            "log": (messages.LogRequest, self._append),
            "finish": (messages.FinishRequest, self._finish),
            "entries": (messages.EntriesRequest, self._entries),
            "instructions": (messages.EmptyMessage, self._instructions),
            "model-results": (messages.EmptyMessage, self._model_results),
            "artifact": (messages.ArtifactRequest, self._artifact),
        }

    def routes(self) -> list[Route]:
        """Return the route of all requests."""
        return [Route("/runner/{call}", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        found = self._calls.get(request.path_params["call"])
        if found is None:
            return _refused(404, RemoteWriteRefused("There is no such request."))
        try:
            token = self._token(request)
            async with self._bodies.received(request) as body:
                return await run_in_threadpool(self._do, found, token, body)
        except TokenRefused as error:
            return _refused(401, error)
        except LeaseLost as error:
            return _refused(409, error)
        except (ArtifactTooLarge, RemoteWriteRefused, BodyUnreadable) as error:
            return _refused(422, error)
        except ValidationError:
            return _refused(422, RemoteWriteRefused("The request cannot be read."))
        except TooManyBodies:
            return Response(status_code=503)
        except SQLAlchemyError as error:
            log.warning("a launch could not be answered: %s", described(error))
            return Response(status_code=503)

    def _do(self, call: Call, token: RunToken, body: BinaryIO) -> Response:
        kind, work = call
        message = kind.model_validate_json(message_line(body))
        answer = work(token, message, body)
        if isinstance(answer, Response):
            return answer
        return Response(answer.model_dump_json(), media_type="application/json")

    def _token(self, request: Request) -> RunToken:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise TokenRefused("The request has no token.")
        token = self._signer.read(given, self._store.clock())
        if token.kind == "launch" and request.path_params["call"] != "claim":
            raise TokenRefused("This token is for claiming the run alone.")
        return token

    def _claim(self, token: RunToken, asked: messages.ClaimRequest, _body: BinaryIO) -> RemoteMessage:
        phases = RUNNER_PHASES.intersection(asked.phases)
        seconds = min(asked.seconds, _LONGEST_LEASE_S)
        launch = token.launch
        place = self._store.runner(launch.run_id)
        claim = None
        if place is not None and place != "celery":
            claim = self._store.claim(
                launch.run_id, phases, seconds, launch.name, runner=place, fence=token.fence
            )
        if claim is None:
            return messages.ClaimAnswer(claim=None)
        until = self._store.clock() + _CLAIM_S
        text = self._signer.sign(RunToken(kind="claim", launch=launch, fence=claim.fence, until=until))
        return messages.ClaimAnswer(claim=claim, token=text, seq=self._store.seq(launch.run_id))

    def _extend(self, token: RunToken, asked: messages.ExtendRequest, _body: BinaryIO) -> RemoteMessage:
        self._store.extend(_held(token), min(asked.seconds, _LONGEST_LEASE_S))
        return messages.EmptyMessage()

    def _give_back(self, token: RunToken, asked: messages.ReleaseRequest, _body: BinaryIO) -> RemoteMessage:
        claim = _held(token)
        if asked.seconds is None:
            done = self._store.release(claim)
        else:
            done = self._store.put_off(claim, asked.seconds)
        self._changed(claim.run_id)
        return messages.ValidAnswer(ok=done)

    def _is_current(self, token: RunToken, _asked: messages.EmptyMessage, _body: BinaryIO) -> RemoteMessage:
        return messages.ValidAnswer(ok=self._store.is_current(_held(token)))

    def _append(self, token: RunToken, asked: messages.LogRequest, body: BinaryIO) -> RemoteMessage:
        _check_events(asked.events)
        self._store.log(_held(token), asked.events, artifacts_of(body, asked.sizes))
        return messages.StoredAnswer(seq=self._store.seq(token.launch.run_id))

    def _finish(self, token: RunToken, asked: messages.FinishRequest, body: BinaryIO) -> RemoteMessage:
        claim = _held(token)
        found = self._store.status(claim.run_id)
        if found is None or not _may_follow(found[1], asked):
            raise RemoteWriteRefused("A phase does not end like this.")
        self._store.finish_phase(
            claim,
            asked.events,
            artifacts_of(body, asked.sizes),
            phase=asked.phase,
            status=asked.status,
            delay=asked.delay,
        )
        self._changed(claim.run_id)
        return messages.StoredAnswer(seq=self._store.seq(claim.run_id))

    def _entries(self, token: RunToken, asked: messages.EntriesRequest, _body: BinaryIO) -> RemoteMessage:
        self._check_reader(token)
        return messages.EntriesAnswer(entries=tuple(self._store.entries(token.launch.run_id, asked.after)))

    def _instructions(self, token: RunToken, _asked: messages.EmptyMessage, _body: BinaryIO) -> RemoteMessage:
        self._check_reader(token)
        return messages.InstructionsAnswer(instructions=tuple(self._store.instructions(token.launch.run_id)))

    def _model_results(
        self, token: RunToken, _asked: messages.EmptyMessage, _body: BinaryIO
    ) -> RemoteMessage:
        self._check_reader(token)
        return messages.ResultsAnswer(results=tuple(self._store.model_results(token.launch.run_id)))

    def _artifact(self, token: RunToken, asked: messages.ArtifactRequest, _body: BinaryIO) -> Response:
        self._check_reader(token)
        run_id = token.launch.run_id
        data = None
        if asked.run_id in ("", run_id):
            data = self._store.artifact(run_id, asked.name)
        elif (request := self._store.requested(run_id)) is not None:
            data = self._store.artifact_of(request.forge, request.repo, asked.run_id, asked.name)
        if data is None:
            return Response(status_code=204)
        return Response(data, media_type="application/octet-stream")

    def _check_reader(self, token: RunToken) -> None:
        """Raise `LeaseLost` if somebody else has claimed or controlled the run since the token was made."""
        if not self._store.is_current(_held(token)):
            raise LeaseLost(f"Run {token.launch.run_id} was taken over by another worker.")


def _held(token: RunToken) -> RunClaim:
    """Return the claim that a token stands for; the store checks only the run and its fence."""
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
    """Return whether the phase `claimed` may end with these events and be followed by the requested phase.

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
