"""The dispatcher launches the runs that wait for it, stops launches that nobody needs, and records failures.

It stores nothing: what it has to do follows from the database and from what the launcher lists. So it may be
killed at any time, and several can run side by side. The names of launches and the fence of each run prevent
that anything is done twice.
"""

import logging
import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import InterfaceError, OperationalError

from bot.launchers.launcher import Launched, Launcher, LauncherUnavailable, LaunchFailure, LaunchRefused
from bot.runs.driver import Driver
from bot.storage.launches import Launch
from bot.storage.store import Store
from gherkin.errors import described

log = logging.getLogger(__name__)

_REFUSALS = 12


class Dispatcher:
    """Does the work for one launcher. `driver` records failures, and has no handlers.

    `holder` is the name of this process in the log, `lease_seconds` how long it may take to record a failure.
    A launch that is no longer needed ends by itself; after `leave_seconds` it is stopped.
    """

    def __init__(
        self,
        store: Store,
        launcher: Launcher,
        driver: Driver,
        *,
        holder: str,
        lease_seconds: float,
        leave_seconds: float = 30.0,
    ) -> None:
        self._leave_seconds = leave_seconds
        self._store = store
        self._launcher = launcher
        self._driver = driver
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._unneeded: dict[Launch, float] = {}
        self._foreign: set[Launch] = set()
        self._silent = False

    def run(self, stopping: threading.Event, poll_seconds: float) -> None:
        """Work until `stopping` is set: after each change, and every `poll_seconds` in any case."""
        changed = threading.Event()
        with self._launcher.watching(changed.set):
            while not stopping.is_set():
                changed.clear()
                try:
                    self.once()
                except (OperationalError, InterfaceError) as error:
                    log.warning("the database cannot be reached: %s", described(error))
                except Exception:  # runs of other repositories must not wait for a defect
                    log.exception("the dispatcher for %s failed and tries again", self._launcher.runner)
                changed.wait(poll_seconds)

    def once(self) -> None:
        """Compare the database with the launches once, and do what follows from it.

        When the launcher does not answer, nothing is done and one warning is logged. Raises the errors of the
        database.
        """
        try:
            known = self._launcher.launched()
            self._look_after(known)
            self._launch(known)
        except LauncherUnavailable as error:
            if not self._silent:
                log.warning("%s: %s %s", error.code, error.message, error.next_step)
            self._silent = True
        else:
            if self._silent:
                log.warning("the launcher for %s answers again", self._launcher.runner)
            self._silent = False

    def _look_after(self, known: Sequence[Launched]) -> None:
        standing = self._store.standing(each.launch for each in known)
        now = time.monotonic()
        unneeded = {
            each.launch
            for each in known
            if not each.ended and standing.get(each.launch, "silent") == "silent"
        }
        self._unneeded = {each: self._unneeded.get(each, now) for each in unneeded}
        for each in known:
            if each.failure is not None and each.launch in standing:
                self._record(each.launch, each.failure)
                if not each.ended:
                    self._launcher.stop(each.launch)
            elif each.ended and standing.get(each.launch) == "waiting":
                log.warning("%s ended before it began; its run is launched again", each.launch.name)
                self._launcher.stop(each.launch)
            elif each.launch in unneeded and now - self._unneeded[each.launch] >= self._leave_seconds:
                self._end(each.launch)

    def _launch(self, known: Sequence[Launched]) -> None:
        """Launch what waits, but no run that an existing launch can go on with."""
        alive = [each.launch for each in known if not each.ended and each.failure is None]
        standing = self._store.standing(alive)
        busy = {each.run_id for each, where in standing.items() if where != "silent"}
        room = self._launcher.most - len(alive)
        if room <= 0:
            return
        waiting = self._store.runs_to_launch(self._launcher.runner, room + len(busy))
        for run in [each for each in waiting if each.launch.run_id not in busy][:room]:
            try:
                self._launcher.launch(run)
            except LaunchRefused as error:
                self._record(run.launch, LaunchFailure(error, _REFUSALS))
            else:
                log.info("%s launched for %s (%s)", run.launch.name, run.repo, run.phase)

    def _end(self, launch: Launch) -> None:
        if self._store.has_run(launch.run_id):
            log.info("%s is not needed any more and is stopped", launch.name)
            self._launcher.stop(launch)
        elif launch not in self._foreign:
            log.warning("%s belongs to no run of this database and is left alone", launch.name)
            self._foreign.add(launch)

    def _record(self, launch: Launch, failure: LaunchFailure) -> None:
        claim = self._store.take_from(launch, self._lease_seconds, self._holder)
        if claim is not None:
            said = f"\n{failure.words}" if failure.words else ""
            log.warning("%s: %s: %s%s", launch.name, failure.error.code, failure.error.message, said)
            self._driver.record(claim, failure.error, failure.repeats)
