"""A claim with its run: a phase stores everything through it."""

import threading
from collections.abc import Mapping, Sequence

from bot.log.events import Entry, Event
from bot.runs.draining import Draining
from bot.runs.run_store import RunStore
from bot.storage.leases import LeaseLost, RunClaim


class ClaimedRun:
    """A claim with its run.

    `entries` is the run's log as it was when the phase started, including that start. `cancel` is set when
    the claim is lost, which ends what the phase started.
    """

    def __init__(self, store: RunStore, claim: RunClaim, draining: Draining | None = None) -> None:
        self._store = store
        self._claim = claim
        self._draining = draining
        self._companions: list[Companion] = []
        self.entries: tuple[Entry, ...] = ()
        self.cancel = threading.Event()

    def log(self, events: Sequence[Event], artifacts: Mapping[str, bytes] | None = None) -> None:
        """Append events and artifacts durably.

        Raises `LeaseLost` when the claim is lost, and after appending when the worker is to stop.
        """
        self._store.log(self._claim, events, artifacts)
        if self._draining is not None and self._draining.begun:
            raise LeaseLost(f"This worker stops; another one continues run {self._claim.run_id}.")

    def artifact(self, name: str) -> bytes | None:
        """Return the bytes of an artifact, or None."""
        return self._store.artifact(self._claim.run_id, name)

    def companion(self) -> "Companion":
        """Return the same claim for the companion, a phase that is done at the same time."""
        companion = Companion(self._store, self._claim, self._draining)
        companion.entries = self.entries
        self._companions.append(companion)
        return companion

    def lost(self) -> None:
        """End everything that was started under this claim, because the claim is lost."""
        self.cancel.set()
        for companion in self._companions:
            companion.cancel.set()


class Companion(ClaimedRun):
    """The claim of a companion, a phase that is done beside another one. It stores nothing after `end`."""

    def __init__(self, store: RunStore, claim: RunClaim, draining: Draining | None = None) -> None:
        super().__init__(store, claim, draining)
        self._lock = threading.Lock()

    def log(self, events: Sequence[Event], artifacts: Mapping[str, bytes] | None = None) -> None:
        """Append as `ClaimedRun.log` does. Raises `LeaseLost` also after `end`."""
        with self._lock:
            if self.cancel.is_set():
                raise LeaseLost("This phase is not needed any more.")
            super().log(events, artifacts)

    def end(self) -> None:
        """Refuse to store anything from now on."""
        with self._lock:
            self.cancel.set()
