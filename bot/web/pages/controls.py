"""The buttons of a run's page: pause, resume, cancel, retry, approve, answer."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.forges.sign_in import ForgePeople
from bot.log.events import Controlled
from bot.log.state import RunState, fold
from bot.runs.control import CONTROLS, ControlRefused, RunUnknown, control_run
from bot.storage.listing import place
from bot.storage.store import Store
from bot.web.http.refusals import error_body
from bot.web.http.requests import form_of
from bot.web.identity.session import Viewer, is_own_form
from bot.web.pages.site import OPERATOR, Site
from gherkin.errors import ScenaristError
from runners.contract.events import Instructed

_MOST_TEXT = 20_000


class Controls:
    """Answers `POST /runs/ID/CONTROL`: forms of people who are signed in, and requests with the bearer token.

    `people` are the forges by name; an answer is posted there in the name of its author. `controlled(run_id)`
    wakes the workers after a run was changed.
    """

    def __init__(
        self, store: Store, site: Site, people: Mapping[str, ForgePeople], controlled: Callable[[str], None]
    ) -> None:
        self._store = store
        self._site = site
        self._people = people
        self._controlled = controlled

    def routes(self) -> list[Route]:
        """Return the routes of the controls."""
        return [Route("/runs/{run_id}/{control}", self._control, methods=["POST"])]

    async def _control(self, request: Request) -> Response:
        if self._site.bears_token(request):
            return await self._for_program(request)
        viewer = self._site.viewer(request)
        if viewer is None:
            body = error_body("SCN-1207", "This needs the bearer token of SCENARIST_CONTROL_TOKEN.")
            return Response(body, 401, media_type="application/json")
        form = await form_of(request)
        if not is_own_form(viewer, request, form.get("csrf", "")):
            text = "Reload the page of the run, then press the button there."
            return self._site.message(request, 403, "Nothing was done", text, "SCN-1209")
        run_id = request.path_params["run_id"]
        try:
            where = await run_in_threadpool(place, self._store.engine, run_id)
            if where is None or not await self._site.access.may_read(viewer, *where, by_link=True):
                return self._site.missing(request)
            if not await self._site.access.may_control(viewer, *where):
                text = "Only those who may write to the repository can do this."
                return self._site.message(request, 403, "Nothing was done", text, "SCN-1210")
            await self._do(viewer, where, run_id, request.path_params["control"], form)
        except ScenaristError as error:
            return self._site.message(request, 409, "Nothing was done", error.message, error.code)
        return RedirectResponse(f"/runs/{run_id}", 303)

    async def _for_program(self, request: Request) -> Response:
        """Answer `POST /runs/ID/pause`, and resume, cancel, `retry?phase=implement`, with JSON."""
        run_id, control = request.path_params["run_id"], request.path_params["control"]
        phase = request.query_params.get("phase")
        do = partial(self._steer, run_id, control, by=OPERATOR.name, where="over HTTP", phase=phase)
        try:
            await run_in_threadpool(do)
        except ScenaristError as error:
            status = 404 if isinstance(error, RunUnknown) else 409
            return Response(error_body(error.code, error.message), status, media_type="application/json")
        return JSONResponse({"status": "ok"})

    async def _do(
        self, viewer: Viewer, where: tuple[str, str], run_id: str, control: str, form: Mapping[str, str]
    ) -> None:
        """Carry out a control. Raises `ControlRefused`, and the forge's errors."""
        text = form.get("text", "").strip()[:_MOST_TEXT]
        if control in CONTROLS:
            phase = form.get("phase")
            do = partial(self._steer, run_id, control, by=viewer.name, where="on its page", phase=phase)
            await run_in_threadpool(do)
        elif control == "approve":
            await run_in_threadpool(self._approve, viewer, run_id, text)
        elif control == "answer" and text:
            state = await run_in_threadpool(self._state, run_id)
            if state.status in ("active", "paused"):
                await run_in_threadpool(self._tell, viewer, run_id, text)
            else:
                await self._comment(viewer, where, state, text)
        else:
            raise ControlRefused("There is nothing to do: the text is empty, or the button is none of ours.")

    def _steer(self, run_id: str, control: str, *, by: str, where: str, phase: str | None) -> None:
        """Do a control and wake the workers. Raises what `control_run` raises."""
        control_run(self._store, run_id, control, by=by, where=where, phase=phase)
        self._controlled(run_id)

    def _state(self, run_id: str) -> RunState:
        return fold(self._store.entries(run_id))

    def _approve(self, viewer: Viewer, run_id: str, text: str) -> None:
        """Approve the scenarios that wait; with `text`, have them written again as it says."""
        state = self._state(run_id)
        if not state.waits_for_approval:
            raise ControlRefused("No scenarios wait for an approval.")
        if text and state.waits_at_node:
            raise ControlRefused("This run waits for an approval alone: leave the text empty, or cancel it.")
        if text:
            self._tell(viewer, run_id, text)
        control = "respecify" if text else "resume"
        reason = f"By {viewer.name} on its page."
        event = Controlled.model_validate({"control": control, "by": viewer.name, "reason": reason})
        if not self._store.control(run_id, event):
            raise ControlRefused("No scenarios wait for an approval.")
        self._controlled(run_id)

    def _tell(self, viewer: Viewer, run_id: str, text: str) -> None:
        # No comment of the forge has a negative number; the same text is told once.
        number = -int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
        if not self._store.instruct(run_id, Instructed(comment=number, by=viewer.name, text=text)):
            raise ControlRefused("The run has ended, so nobody would read it.")

    async def _comment(self, viewer: Viewer, where: tuple[str, str], state: RunState, text: str) -> None:
        """Answer on the forge in the viewer's name: the bot hears it there and begins a new run."""
        forge, repo = where
        requested = state.requested
        people = self._people.get(forge)
        if people is None or viewer.is_operator or requested is None or not requested.order.number:
            raise ControlRefused(
                "The run has ended. Answer in a comment on the issue: a new run begins then."
            )
        await people.comment(viewer.token, repo, requested.order.number, text)
