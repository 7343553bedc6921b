"""The page of one run: whole, live, and entry by entry."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.log.events import Entry
from bot.log.state import fold
from bot.report.page.page import RunPage, run_page
from bot.report.page.turns import item
from bot.storage.store import Store
from bot.web.live import Feed, TooManyListeners, View
from bot.web.render import Renderer, partial
from runners.contract.job import DIFF, FEATURE

_OPEN = ("active", "paused")


@dataclass(frozen=True)
class Shown:
    """A run's page as data, and its sections as HTML."""

    page: RunPage
    sections: dict[str, Markup]


class RunPages:
    """Answers everything below `/runs/ID`. `label` is what starts a run."""

    def __init__(self, store: Store, render: Renderer, *, label: str, seconds: float = 1.0) -> None:
        self._store = store
        self._render = render
        self._label = label
        self.feed: Feed[Shown] = Feed(store, self._shown, seconds=seconds)

    def routes(self) -> list[Route]:
        """The routes of these pages."""
        return [
            Route("/runs/{run_id}", self._run),
            Route("/runs/{run_id}/live", self._live),
            Route("/runs/{run_id}/entries/{seq:int}", self._entry),
        ]

    async def _run(self, request: Request) -> Response:
        run_id = request.path_params["run_id"]
        entries = await run_in_threadpool(self._store.entries, run_id)
        if not entries:
            return self._missing()
        if request.query_params.get("format") == "json":
            return JSONResponse(fold(entries).model_dump(mode="json"))
        return HTMLResponse(await run_in_threadpool(self._html, run_id, entries))

    def _html(self, run_id: str, entries: Sequence[Entry]) -> str:
        shown = self._shown(run_id, entries)
        return self._render.page(
            "run.html.j2",
            page=shown.page,
            sections=shown.sections,
            live=shown.page.state.status in _OPEN,
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
        """Server-sent events: what changed since the entry that the client has seen last.

        https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        run_id = request.path_params["run_id"]
        if not await run_in_threadpool(self._store.has_run, run_id):
            return self._missing()
        after = _number(request.headers.get("last-event-id", "") or request.query_params.get("after", ""))
        if self.feed.is_full:
            return Response("Too many pages are open.\n", 503, headers={"retry-after": "30"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._messages(run_id, after), media_type="text/event-stream", headers=headers
        )

    async def _messages(self, run_id: str, after: int) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        try:
            async with self.feed.follow(run_id, after) as views:
                sent: dict[str, Markup] = {}
                async for view in views:
                    if view is None:
                        yield ": still here\n\n"
                        continue
                    text, sent = self._news(run_id, view, after, sent), view.shown.sections
                    after = len(view.entries)
                    yield _message(text, after)
                    if view.shown.page.state.status not in _OPEN:
                        yield f"event: end\nid: {after}\ndata: end\n\n"
                        return
        except TooManyListeners:
            yield "retry: 30000\n\n"

    def _news(self, run_id: str, view: View[Shown], after: int, sent: dict[str, Markup]) -> str:
        """The sections that changed, and the entries of the conversation that are new."""
        sections = view.shown.sections
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
        """One entry with all of its output: a page, or for htmx the output alone."""
        run_id, seq = request.path_params["run_id"], request.path_params["seq"]
        entries = await run_in_threadpool(self._store.entries, run_id, seq - 1, 1)
        found = item(entries[0], full=True) if entries and entries[0].seq == seq else None
        if found is None:
            return self._missing()
        if request.headers.get("hx-request"):
            return HTMLResponse(self._render.output(found))
        return HTMLResponse(self._render.page("entry.html.j2", each=found, run_id=run_id))

    def _missing(self) -> Response:
        text = "The address is wrong, or its run was removed."
        return HTMLResponse(
            self._render.page("message.html.j2", title="There is no such run", text=text, code=""), 404
        )


def _number(text: str) -> int:
    """The number of an entry in `text`; 0 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _message(text: str, seq: int) -> str:
    """A server-sent event without a name."""
    data = "\n".join(f"data: {line}" for line in text.split("\n"))
    return f"id: {seq}\n{data}\n\n"
