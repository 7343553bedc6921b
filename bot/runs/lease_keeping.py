"""Keep the lease of a run while one of its phases works, and notice within about a second that it is lost."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from bot.runs.draining import Draining
from bot.runs.heartbeat import beating
from bot.runs.run_store import RunStore
from bot.storage.leases import LeaseLost, RunClaim

log = logging.getLogger(__name__)

_LOOK_S = 1.0
# A phase that lost its lease has this time to stop its commands and requests, and to remove its files.
_LEAVE_S = 120.0


def kept_lease(
    store: RunStore,
    claim: RunClaim,
    lease_seconds: float,
    *,
    lost: Callable[[], None],
    draining: Draining | None = None,
    abandon: Callable[[], None] | None = None,
) -> AbstractContextManager[None]:
    """Extend the lease while the block runs; call `lost` within about a second after it is lost.

    A lease counts as lost, too, when `draining` is urgent. `abandon` is called if the block still runs two
    minutes after that.
    """
    extended = time.monotonic()
    lost_at: float | None = None

    def beat() -> bool:
        nonlocal extended, lost_at
        if lost_at is not None:
            if abandon is not None and time.monotonic() - lost_at > _LEAVE_S:
                log.error("run %s: the %s phase cannot be stopped", claim.run_id, claim.phase)
                abandon()
                return False
            return True
        try:
            if not store.is_current(claim) or (draining is not None and draining.urgent):
                raise LeaseLost(claim.run_id)
            if time.monotonic() - extended > lease_seconds / 3:
                store.extend(claim, lease_seconds)
                extended = time.monotonic()
        except LeaseLost:
            lost_at = time.monotonic()
            lost()
        except Exception:
            log.exception("run %s: the heartbeat failed", claim.run_id)
        return True

    return beating(beat, _LOOK_S, f"heartbeat-{claim.run_id}")
