"""A claim in use: everything that a phase stores on its way goes through it."""

import threading
from collections.abc import Mapping, Sequence

from bot.log.events import Event
from bot.runs.draining import Draining
from bot.storage.store import LeaseLost, RunClaim, Store


class ClaimedRun:
    """A claim in use. `cancel` is set as soon as it is known to be lost: what the phase started ends then."""

    def __init__(self, store: Store, claim: RunClaim, draining: Draining | None = None) -> None:
        self._store = store
        self._claim = claim
        self._draining = draining
        self._companions: list[Companion] = []
        self.cancel = threading.Event()

    def log(self, events: Sequence[Event], artifacts: Mapping[str, bytes] | None = None) -> None:
        """Append events and artifacts durably.

        Raises `LeaseLost` when the claim is lost, and after appending when the worker is to stop.
        """
        self._store.log(self._claim, events, artifacts)
        if self._draining is not None and self._draining.begun:
            raise LeaseLost(f"This worker stops; run {self._claim.run_id} goes on elsewhere.")

    def artifact(self, name: str) -> bytes | None:
        """The stored bytes, or None."""
        return self._store.artifact(self._claim.run_id, name)

    def companion(self) -> "Companion":
        """The same claim for a phase that is done at the same time."""
        companion = Companion(self._store, self._claim, self._draining)
        self._companions.append(companion)
        return companion

    def lost(self) -> None:
        """The claim is lost: end what was started under it."""
        self.cancel.set()
        for companion in self._companions:
            companion.cancel.set()


class Companion(ClaimedRun):
    """The claim as a phase has it that is done beside another one: after `end` nothing of it is stored."""

    def __init__(self, store: Store, claim: RunClaim, draining: Draining | None = None) -> None:
        super().__init__(store, claim, draining)
        self._lock = threading.Lock()

    def log(self, events: Sequence[Event], artifacts: Mapping[str, bytes] | None = None) -> None:
        """As `ClaimedRun.log` does. Raises `LeaseLost` also after `end`."""
        with self._lock:
            if self.cancel.is_set():
                raise LeaseLost("This phase is not needed any more.")
            super().log(events, artifacts)

    def end(self) -> None:
        """Store nothing from now on."""
        with self._lock:
            self.cancel.set()
