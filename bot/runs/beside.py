"""Do a phase, the companion, at the same time as another one: in its own thread, under the same claim.

Both have one lease and one fence, so a worker that loses the claim loses both phases. After a killed worker,
the next one repeats the phase, and also the companion unless the log says that it has ended.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from structlog.contextvars import bind_contextvars

from bot.log.events import Event, Phase, PhaseFinished, PhaseStarted
from bot.runs.claimed_run import Companion
from runners.contract.job import PhaseResult

log = logging.getLogger(__name__)

_LEAVE_S = 5.0


class Beside:
    """Does `work` in a thread while the block runs; `phase` is its name in the log.

    `started` is its first event.

    `changed` is called after each of its events. `join` waits for its end, and adds to `waited_s` how many
    seconds it waited. If the block ends before a `join`, the work is cancelled.
    """

    def __init__(
        self,
        phase: Phase,
        work: Callable[[Companion], PhaseResult[Event]],
        companion: Companion,
        *,
        started: PhaseStarted,
        changed: Callable[[], None],
    ) -> None:
        self.phase = phase
        self.error: Exception | None = None
        self.waited_s = 0.0
        self._work = work
        self._companion = companion
        self._started = started
        self._changed = changed
        # The thread logs about the same run.
        about = contextvars.copy_context()
        self._thread = threading.Thread(
            target=lambda: about.run(self._run), name=f"beside-{phase}", daemon=True
        )

    def _run(self) -> None:
        bind_contextvars(phase=self.phase)
        try:
            self._companion.log([self._started])
            self._changed()
            result = self._work(self._companion)
            ended = PhaseFinished(phase=self.phase, outcome=result.outcome, reason=result.reason)
            self._companion.log([*result.events, ended], result.artifacts)
            self._changed()
        except Exception as error:  # `join` raises it again
            self.error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def join(self) -> None:
        """Wait until the work ends. Raises the work's error."""
        began = time.monotonic()
        self._thread.join()
        self.waited_s += time.monotonic() - began
        if self.error is not None:
            raise self.error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._companion.end()
        # Running commands and requests end at once. Work that cannot be stopped may still end later.
        self._thread.join(_LEAVE_S)
        if self._thread.is_alive():
            log.warning("the %s phase is not needed any more, but it is still working", self.phase)


def ended(finished: Sequence[PhaseFinished], phase: Phase) -> bool:
    """Return whether `phase` ended well after the run was last prepared."""
    for step in reversed(finished):
        if step.phase == phase:
            return step.outcome == "done"
        if step.phase == "prepare":
            return False
    return False
