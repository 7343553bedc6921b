"""Keeps the one status comment of a run true to its log."""

import logging
from collections.abc import Callable

from bot.forges.forge import Forge, ForgeDenied, ForgeMissing, ForgeUnavailable, Repo
from bot.report.reporter import Reporter
from bot.runs.events import StatusPosted
from bot.runs.state import RunState, fold
from bot.runs.store import Store
from runners.job import FEATURE

log = logging.getLogger(__name__)

_HOLD_S = 60.0


class StatusPoster:
    """Edits status comments; several processes may be asked for one run at the same time."""

    def __init__(self, store: Store, forge: Callable[[str], Forge], reporter: Reporter) -> None:
        self._store = store
        self._forge = forge
        self._reporter = reporter

    def post(self, run_id: str) -> None:
        """Bring the comment up to the log's present end; what is added meanwhile is posted too."""
        while self._store.begin_report(run_id, _HOLD_S):
            try:
                state = fold(self._store.entries(run_id))
                posted = self._post(run_id, state)
            except ForgeUnavailable as error:
                log.warning("run %s: the status could not be posted: %s", run_id, error)
                return  # the right to post runs out, and then the reaper asks again
            except (ForgeDenied, ForgeMissing) as error:
                log.warning("run %s: the status cannot be posted: %s", run_id, error)
                posted = state.seq
            self._store.end_report(run_id, posted)
            if self._store.seq(run_id) == posted:
                return

    def _post(self, run_id: str, state: RunState) -> int:
        """Create or edit the comment; returns the log's position that it shows."""
        requested = state.requested
        if requested is None:
            return state.seq
        feature = (self._store.artifact(run_id, FEATURE) or b"").decode(errors="replace")
        comment = self._forge(requested.forge).upsert_comment(
            Repo(full_name=requested.repo, installation=requested.installation),
            requested.order.pull or requested.order.number,
            self._reporter.status_marker(run_id),
            self._reporter.status_text(run_id, state, feature),
            state.status_comment,
        )
        if comment != state.status_comment:
            self._store.note(run_id, StatusPosted(comment=comment))
        return state.seq
