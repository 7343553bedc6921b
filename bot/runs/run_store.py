"""What a driver needs to know and write about runs. Both the store and the remote store offer it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.log.events import Entry, Event, Phase, Status
from bot.storage.leases import RunClaim
from runners.contract.events import Instructed
from runners.contract.operator_limits import Runner
from runners.contract.routing import RunResult


class RunStore(Protocol):
    """The methods of `bot.storage.store.Store` with these names."""

    def claim(
        self,
        run_id: str,
        phases: Iterable[Phase],
        seconds: float,
        holder: str = "",
        *,
        runner: Runner | None = None,
        fence: int | None = None,
    ) -> RunClaim | None: ...

    def extend(self, claim: RunClaim, seconds: float) -> None: ...

    def release(self, claim: RunClaim) -> bool: ...

    def put_off(self, claim: RunClaim, seconds: float) -> bool: ...

    def is_current(self, claim: RunClaim) -> bool: ...

    def log(
        self, claim: RunClaim, new: Sequence[Event], blobs: Mapping[str, bytes] | None = None
    ) -> None: ...

    def finish_phase(
        self,
        claim: RunClaim,
        new: Sequence[Event],
        blobs: Mapping[str, bytes],
        *,
        phase: Phase,
        status: Status = "active",
        delay: float = 0.0,
    ) -> None: ...

    def entries(self, run_id: str, after: int = 0) -> list[Entry]: ...

    def instructions(self, run_id: str) -> list[Instructed]: ...

    def model_results(self, but: str = "") -> list[RunResult]: ...

    def artifact(self, run_id: str, name: str) -> bytes | None: ...

    def artifact_of(self, forge: str, repo: str, run_id: str, name: str) -> bytes | None: ...
