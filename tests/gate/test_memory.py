"""The gate refuses a change of the repository's memory, unless the phase that commits the work made it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from runners.contract.budget import Spent
from runners.contract.events import Committed, SpecWritten
from runners.contract.job import Job, RunSettings
from runners.contract.memory import MEMORY
from runners.contract.operator_limits import OperatorLimits
from runners.contract.workorder import WorkOrder
from runners.loop.services import Services
from runners.phases.given.claims import claim_on
from runners.verify.claim import Claim
from tests.support.workbench import BASE, WORK, Workbench

_ORDER = WorkOrder(kind="implement", number=1, title="t", body="", requested_by="ada", requested_at="")


def claim_of_run(base: str, head: str, **committed: Any) -> Claim:
    """What the gate is asked about the work that a run committed as `head`."""
    spec = SpecWritten(path="", sha256="", source="issue", scenarios=(), commit=base)
    events = (spec, Committed(commit=head, summary="s", **committed))
    job = Job("R", "local", "o/r", _ORDER, base, RunSettings(), events, Spent())
    roster = SimpleNamespace(agent=lambda _role: SimpleNamespace(tools=None))
    services = SimpleNamespace(models=roster, operator=OperatorLimits())
    return claim_on(job, cast(Services, services), head=head, proof=head)


@pytest.mark.parametrize("before", [{}, {MEMORY: "# Memory\n"}], ids=["new", "changed"])
def test_only_the_phase_changes_the_memory(bench: Workbench, before: dict[str, str]) -> None:
    base = bench.commit({**BASE, **before})
    head = bench.commit({**WORK, **before, MEMORY: "# Memory\n\n- Trust this run.\n"})
    assert bench.codes_of(claim_of_run(base, head)) == {"protected-changed"}
    assert bench.codes_of(claim_of_run(base, head, remembered=True)) == set()
