"""A phase that is done while another one is: on a thread of its own, under the same claim.

There is one lease and one fence for both, so whoever loses the claim loses both, and a worker that is killed
leaves nothing to take care of: the phase is begun again, and its companion too unless the log says that it
has ended.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from bot.log.events import Event, Phase, PhaseFinished, PhaseStarted
from bot.runs.claimed_run import Companion
from runners.contract.job import PhaseResult

log = logging.getLogger(__name__)

_LEAVE_S = 5.0


class Beside:
    """Does `work` on a thread while the block runs; `phase` is what the log calls it.

    `changed` is called when the log says something new about it. `join` waits for its end; leaving the block
    without that ends it.
    """

    def __init__(
        self,
        phase: Phase,
        work: Callable[[Companion], PhaseResult[Event]],
        companion: Companion,
        *,
        worker: str,
        sandboxed: bool,
        changed: Callable[[], None],
    ) -> None:
        self.phase = phase
        self.error: Exception | None = None
        self._work = work
        self._companion = companion
        self._started = PhaseStarted(phase=phase, worker=worker, sandboxed=sandboxed)
        self._changed = changed
        self._thread = threading.Thread(target=self._run, name=f"beside-{phase}", daemon=True)

    def _run(self) -> None:
        try:
            self._companion.log([self._started])
            self._changed()
            result = self._work(self._companion)
            ended = PhaseFinished(phase=self.phase, outcome=result.outcome, reason=result.reason)
            self._companion.log([*result.events, ended], result.artifacts)
            self._changed()
        except Exception as error:  # whoever joins raises it again
            self.error = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def join(self) -> None:
        """Wait for its end. Raises what it raised."""
        self._thread.join()
        if self.error is not None:
            raise self.error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._companion.end()
        # Commands and requests under way end at once; what cannot be stopped is left to end by itself.
        self._thread.join(_LEAVE_S)
        if self._thread.is_alive():
            log.warning("the %s phase is not needed any more and still at work", self.phase)


def ended(finished: Sequence[PhaseFinished], phase: Phase) -> bool:
    """Whether `phase` ended well after the run was last prepared."""
    for step in reversed(finished):
        if step.phase == phase:
            return step.outcome == "done"
        if step.phase == "prepare":
            return False
    return False
