"""Decide who may see and control which runs, by the person's present rights on the forge."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from bot.forges.forge import PERMISSIONS, Permission
from bot.forges.sign_in import ForgePeople
from bot.web.identity.session import Viewer

# `members`: those who can see the repository on the forge. `link`: besides, a run's page for whoever has its
# address. `public`: everybody.
PagesMode = Literal["members", "link", "public"]
_KEPT_S = 60.0
_MOST_KEPT = 5000


class Access:
    """Decides by the forge's answers, which are kept for a minute. `people` are the forges by name."""

    def __init__(
        self, mode: PagesMode, people: Mapping[str, ForgePeople], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.mode = mode
        self._people = people
        self._clock = clock
        self._kept: dict[tuple[str, str, str], tuple[float, Permission]] = {}

    async def may_read(self, viewer: Viewer | None, forge: str, repo: str, *, by_link: bool = False) -> bool:
        """Return whether somebody may see the runs of a repository; with `by_link` one run whose id they
        have.
        """
        if self.mode == "public" or (self.mode == "link" and by_link):
            return True
        return viewer is not None and await self._has(viewer, forge, repo, "read")

    async def may_control(self, viewer: Viewer | None, forge: str, repo: str) -> bool:
        """Return whether somebody may control the runs of a repository: people with write access, and
        operators.
        """
        return viewer is not None and await self._has(viewer, forge, repo, "write")

    async def visible(
        self, viewer: Viewer | None, places: Iterable[tuple[str, str]]
    ) -> list[tuple[str, str]] | None:
        """Return those of `places` (forge, repository) that somebody may see; None: all."""
        if self.mode == "public" or (viewer is not None and viewer.is_operator):
            return None
        return [each for each in places if await self.may_read(viewer, *each)]

    async def _has(self, viewer: Viewer, forge: str, repo: str, needed: Permission) -> bool:
        if viewer.is_operator:
            return True
        people = self._people.get(forge)
        if viewer.forge != forge or people is None:
            return False
        key = (forge, viewer.token, repo)
        kept = self._kept.get(key)
        if kept is None or kept[0] < self._clock() - _KEPT_S:
            kept = (self._clock(), await people.permission(viewer.token, repo))
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = kept
        return PERMISSIONS.index(kept[1]) >= PERMISSIONS.index(needed)
