"""The pages with lists: runs, what waits for whom, repositories."""

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.storage.listing import RunFilter, find_runs, open_runs, places
from bot.storage.outcomes import models_of, pulls_of, repositories
from bot.storage.store import Store
from bot.web.pages.site import Site

STATES = ("open", "active", "paused", "done", "needs_info", "gave_up", "failed", "cancelled")
KINDS = ("implement", "revise")
_PAGE = 50


class Listings:
    """Answers `/`, `/runs`, `/queue`, `/repositories` and the page of each repository below it."""

    def __init__(self, store: Store, site: Site, *, has_forge: bool, label: str) -> None:
        self._store = store
        self._site = site
        self._has_forge = has_forge
        self._label = label

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/", self._index),
            Route("/runs", self._runs),
            Route("/queue", self._queue),
            Route("/repositories", self._repositories),
            Route("/repositories/{forge}/{repo:path}", self._repository),
        ]

    async def _index(self, _request: Request) -> Response:
        return RedirectResponse("/runs", 303)

    async def _seen(self, request: Request) -> list[tuple[str, str]] | None:
        """Return the repositories that the person who asks may see; None: all."""
        known = await run_in_threadpool(places, self._store.engine)
        return await self._site.access.visible(self._site.viewer(request), known)

    def _is_closed(self, request: Request) -> bool:
        """Return whether the person who asks must sign in first."""
        return self._site.access.mode != "public" and self._site.viewer(request) is None

    async def _runs(self, request: Request) -> Response:
        if self._is_closed(request):
            return self._site.denied(request)
        given = {name: request.query_params.get(name, "").strip()[:200] for name in RunFilter.model_fields}
        chosen = RunFilter.model_validate(given)
        seen = await self._seen(request)
        engine, now = self._store.engine, self._store.clock()
        found = await run_in_threadpool(find_runs, engine, chosen, seen, now, _PAGE + 1)
        older = ""
        if len(found) > _PAGE:
            found = found[:_PAGE]
            kept = {name: value for name, value in given.items() if value}
            older = f"/runs?{urlencode({**kept, 'before': found[-1].id})}"
        known = seen if seen is not None else await run_in_threadpool(places, engine)
        return self._site.page(
            request,
            "runs.html.j2",
            runs=found,
            chosen=chosen,
            repos=sorted({repo for _, repo in known}),
            states=STATES,
            kinds=KINDS,
            older=older,
            now=now,
            is_new=not found and not any(given.values()),
            has_forge=self._has_forge,
            label=self._label,
        )

    async def _queue(self, request: Request) -> Response:
        if self._is_closed(request):
            return self._site.denied(request)
        now = self._store.clock()
        found = await run_in_threadpool(open_runs, self._store.engine, await self._seen(request), now)
        groups = [
            (title, [each for each in found if each.standing in standings])
            for title, standings in (
                ("Workers", ("worked on",)),
                ("Queue", ("queued", "held up")),
                ("Waiting for people", ("approval", "paused")),
            )
        ]
        return self._site.page(request, "queue.html.j2", groups=groups, now=now)

    async def _repositories(self, request: Request) -> Response:
        if self._is_closed(request):
            return self._site.denied(request)
        found = await run_in_threadpool(repositories, self._store.engine, await self._seen(request))
        return self._site.page(request, "repositories.html.j2", repositories=found)

    async def _repository(self, request: Request) -> Response:
        if self._is_closed(request):
            return self._site.denied(request)
        where = (request.path_params["forge"], request.path_params["repo"])
        engine, mine = self._store.engine, await self._seen(request)
        found = [] if mine is not None and where not in mine else [where]
        lines = await run_in_threadpool(repositories, engine, found)
        if not lines:
            return self._site.missing(request)
        return self._site.page(
            request,
            "repository.html.j2",
            line=lines[0],
            pulls=await run_in_threadpool(pulls_of, engine, *where),
            models=await run_in_threadpool(models_of, engine, *where),
        )
