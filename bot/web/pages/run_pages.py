"""The page of one run: whole, live, and entry by entry."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.forges.forge import ForgeUnavailable
from bot.log.events import Entry
from bot.log.state import fold
from bot.report.page.page import RunPage, run_page
from bot.report.page.turns import item
from bot.storage.listing import place
from bot.storage.store import Store
from bot.telemetry.trace_id import trace_id, tracing_is_on
from bot.web.identity.session import Viewer
from bot.web.pages.live import Feed, TooManyListeners, View
from bot.web.pages.render import partial
from bot.web.pages.site import Site
from runners.contract.job import DIFF, FEATURE, log_name

_OPEN = ("active", "paused")
# So many of the newest entries of the conversation are shown at once.
MOST_ITEMS = 120


@dataclass(frozen=True)
class Shown:
    """A run's page as data, and its sections as HTML."""

    page: RunPage
    sections: dict[str, Markup]


class RunPages:
    """Answers requests below `/runs/ID`. `label` is the label that starts a run."""

    def __init__(self, store: Store, site: Site, *, label: str, seconds: float = 1.0) -> None:
        self._store = store
        self._site = site
        self._render = site.render
        self._label = label
        self.feed: Feed[Shown] = Feed(store, self._shown, seconds=seconds)

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/runs/{run_id}", self._run),
            Route("/runs/{run_id}/live", self._live),
            Route("/runs/{run_id}/entries/{seq:int}", self._entry),
            Route("/runs/{run_id}/logs/{sha256}", self._log),
        ]

    async def _run(self, request: Request) -> Response:
        run_id = request.path_params["run_id"]
        denied = await self._denied(request, run_id)
        if denied is not None:
            return denied
        entries = await run_in_threadpool(self._store.entries, run_id)
        if request.query_params.get("format") == "json":
            return JSONResponse(fold(entries).model_dump(mode="json"))
        shown = await run_in_threadpool(self._shown, run_id, entries)
        controls = await self._controls(self._site.viewer(request), shown.page)
        items = shown.page.items
        hidden = 0 if "all" in request.query_params else max(0, len(items) - MOST_ITEMS)
        return self._site.page(
            request,
            "run.html.j2",
            page=shown.page,
            sections=shown.sections,
            live=shown.page.state.status in _OPEN,
            controls=controls,
            items=items[hidden:],
            hidden=hidden,
            trace=trace_id(run_id) if tracing_is_on() else "",
        )

    async def _denied(self, request: Request, run_id: str) -> Response | None:
        """Return the answer to somebody who may not see the run; None for all others."""
        where = await run_in_threadpool(place, self._store.engine, run_id)
        viewer = self._site.viewer(request)
        try:
            if where is not None and await self._site.access.may_read(viewer, *where, by_link=True):
                return None
        except ForgeUnavailable as error:
            return self._site.message(request, 503, "Please try again", error.message, error.code)
        # A run that does not exist looks like one that may not be seen.
        return (
            self._site.denied(request) if self._site.access.mode == "members" else self._site.missing(request)
        )

    async def _controls(self, viewer: Viewer | None, page: RunPage) -> Markup:
        """Return the buttons for somebody; none for those who may not control the run."""
        requested = page.state.requested
        may = requested is not None and await self._site.access.may_control(
            viewer, requested.forge, requested.repo
        )
        return (
            self._render.controls(page, viewer) if may and viewer is not None else self._render.no_controls()
        )

    def _shown(self, run_id: str, entries: Sequence[Entry]) -> Shown:
        page = run_page(
            run_id,
            entries,
            feature=self._text(run_id, FEATURE),
            diff=self._text(run_id, DIFF),
            label=self._label,
        )
        return Shown(page, self._render.sections(page))

    def _text(self, run_id: str, name: str) -> str:
        return (self._store.artifact(run_id, name) or b"").decode(errors="replace")

    async def _live(self, request: Request) -> Response:
        """Send what changed since the entry that the client has seen last, as server-sent events.

        https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        run_id = request.path_params["run_id"]
        denied = await self._denied(request, run_id)
        if denied is not None:
            return denied
        after = _number(request.headers.get("last-event-id", "") or request.query_params.get("after", ""))
        if self.feed.is_full:
            return Response("Too many pages are open.\n", 503, headers={"retry-after": "30"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._messages(run_id, after, self._site.viewer(request)),
            media_type="text/event-stream",
            headers=headers,
        )

    async def _messages(self, run_id: str, after: int, viewer: Viewer | None) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        try:
            async with self.feed.follow(run_id, after) as views:
                sent: dict[str, Markup] = {}
                async for view in views:
                    if view is None:
                        yield ": still here\n\n"
                        continue
                    sections = {
                        **view.shown.sections,
                        "controls": await self._controls(viewer, view.shown.page),
                    }
                    text, sent = self._news(run_id, view, after, sections, sent), sections
                    after = len(view.entries)
                    yield _message(text, after)
                    if view.shown.page.state.status not in _OPEN:
                        yield f"event: end\nid: {after}\ndata: end\n\n"
                        return
        except TooManyListeners:
            yield "retry: 30000\n\n"

    def _news(
        self,
        run_id: str,
        view: View[Shown],
        after: int,
        sections: Mapping[str, Markup],
        sent: Mapping[str, Markup],
    ) -> str:
        """Return the sections that changed since they were `sent`, and the new entries of the
        conversation.
        """
        parts = [
            partial(f"#{name}", "outerMorph", html)
            for name, html in sections.items()
            if html != sent.get(name)
        ]
        fresh = [each for each in view.shown.page.items if each.seq > after]
        if fresh:
            parts.append(partial("#turns", "beforeend", self._render.items(fresh, run_id)))
        return "".join(parts)

    async def _entry(self, request: Request) -> Response:
        """Return one entry with all of its output: a page, or for htmx the output alone."""
        run_id, seq = request.path_params["run_id"], request.path_params["seq"]
        denied = await self._denied(request, run_id)
        if denied is not None:
            return denied
        entries = await run_in_threadpool(self._store.entries, run_id, seq - 1, 1)
        found = item(entries[0], full=True) if entries and entries[0].seq == seq else None
        if found is None:
            return self._site.missing(request)
        if request.headers.get("hx-request"):
            return HTMLResponse(self._render.output(found))
        return self._site.page(request, "entry.html.j2", each=found, run_id=run_id)

    async def _log(self, request: Request) -> Response:
        """Return the log of one of the verifier's commands: a page, or for htmx the log alone."""
        run_id, digest = request.path_params["run_id"], request.path_params["sha256"]
        denied = await self._denied(request, run_id)
        if denied is not None:
            return denied
        kept = await run_in_threadpool(self._store.artifact, run_id, log_name(digest[:64]))
        if kept is None:
            text = "The log was removed with the other output of old runs, or there was no room to keep it."
            return self._site.message(request, 404, "There is no such log", text)
        if request.headers.get("hx-request"):
            return HTMLResponse(self._render.log(kept.decode(errors="replace")))
        return self._site.page(
            request, "log.html.j2", run_id=run_id, sha256=digest, text=kept.decode(errors="replace")
        )


def _number(text: str) -> int:
    """Return the number of an entry in `text`; 0 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _message(text: str, seq: int) -> str:
    """Return a server-sent event without a name."""
    data = "\n".join(f"data: {line}" for line in text.split("\n"))
    return f"id: {seq}\n{data}\n\n"
