"""Wakes the workers when a run was started or its course was changed."""

import logging
from collections.abc import Callable

from bot.log.events import RUNNER_PHASES, Phase
from bot.storage.store import Store
from bot.worker.celery_app import WakeUps
from gherkin.errors import described

log = logging.getLogger(__name__)

_SOON_S = 60.0


class Waking:
    """Sends the wake-ups that follow from a run's state in `store`.

    Errors of the broker are only logged, because the reaper sends the wake-ups again.
    """

    def __init__(self, store: Store, wake_ups: WakeUps) -> None:
        self._store = store
        self._wake_ups = wake_ups

    def started(self, run_id: str) -> None:
        """Wake the workers for a new run."""
        self._quietly(lambda: self._wake_ups.report(run_id))
        self._quietly(lambda: self._wake_ups.run(run_id, "prepare"))

    def controlled(self, run_id: str) -> None:
        """Wake the workers for a run that somebody paused, resumed, cancelled, retried or approved."""
        found = self._store.status(run_id)
        self.changed(run_id, found[1] if found and found[0] == "active" else None)

    def changed(self, run_id: str, following: Phase | None) -> None:
        """Wake the workers for the phase that follows; for None, for the next run on the same target."""
        if following is not None:
            seconds = self._store.due_in(run_id)
            # The reaper wakes later runs, since a message would have to be kept until then.
            if seconds < _SOON_S:
                self._wake(run_id, following, seconds)
        else:
            for waiting, phase in self._store.waiting_runs(run_id)[:1]:
                if waiting != run_id:
                    self._wake(waiting, phase)
        self._quietly(lambda: self._wake_ups.report(run_id))

    def _wake(self, run_id: str, phase: Phase, seconds: float = 0.0) -> None:
        # Dispatchers look into the database; they get no messages.
        if phase not in RUNNER_PHASES or self._store.runner(run_id) == "celery":
            self._quietly(lambda: self._wake_ups.run(run_id, phase, seconds))

    @staticmethod
    def _quietly(send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:
            log.warning("the broker could not be reached: %s", described(error))
