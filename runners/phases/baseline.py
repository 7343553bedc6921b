"""The phase that runs the suites before anything is changed: everything after it knows what failed without the change."""

import time

from pydantic import BaseModel, TypeAdapter, ValidationError

from runners.contract.events import BaselineReached, BaseSuite, RunnerEvent
from runners.contract.job import Job, PhaseResult
from runners.git.command import git
from runners.loop.services import Services
from runners.phases.checkout import (
    environment_of,
    known_of,
    mirror_of,
    sandboxes_of,
    suites_of,
    surroundings_of,
)
from runners.verify.suites import SuiteRun

BASELINE = "baseline"
_NAMED = 50


class Kept(BaseModel):
    """The artifact `BASELINE`: the runs of the suites on the base commit, and what they were run in."""

    base: str
    surroundings: str
    runs: dict[str, SuiteRun]


_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


def baseline(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Prepare the environment and run the suites on the base commit. Raises `EnvironmentBroken` when it is not ready."""
    mirror = mirror_of(job, services)
    began = time.monotonic()
    environment = environment_of(job, services)
    environment_s = time.monotonic() - began
    suites = suites_of(job, services, sandboxes_of(job, services, environment))
    known = known_of(job, services, environment)
    tree = git("rev-parse", f"{job.base}^{{tree}}", git_dir=mirror.path)
    runs: dict[str, SuiteRun] = {}
    # The run's own reference is in use by the phase that this one is beside.
    with services.workspaces.worktree(mirror, job.base, f"{job.run_id}b", "baseline") as checkout:
        for name, run in suites.all():
            runs[name] = known.once(name, tree, lambda run=run: run(checkout.root))  # type: ignore[misc]
    reached = BaselineReached(
        base=job.base,
        environment_s=round(environment_s, 1),
        suites=tuple(_told(name, run) for name, run in runs.items() if run.outcomes or run.broken),
    )
    kept = Kept(base=job.base, surroundings=surroundings_of(job, services, environment), runs=runs)
    return PhaseResult("done", events=[reached], artifacts={BASELINE: _KEPT.dump_json(kept)})


def baseline_of(job: Job, services: Services) -> Kept | None:
    """What the baseline phase of this run found; None where there was none for this base commit."""
    artifact = services.artifact(BASELINE)
    if artifact is None:
        return None
    try:
        kept = _KEPT.validate_json(artifact)
    except ValidationError:
        return None
    return kept if kept.base == job.base else None


def _told(name: str, run: SuiteRun) -> BaseSuite:
    failing = tuple(failure.test for failure in run.failures[:_NAMED])
    return BaseSuite(
        name=name,
        counts=run.counts,
        seconds=round(run.seconds, 1),
        failing=failing,
        problem=run.broken or "",
    )
