"""The phase that runs the suites before anything is changed, so that later phases know what failed before."""

from pydantic import BaseModel, TypeAdapter, ValidationError

from runners.contract.events import BaselineReached, BaseSuite, RunnerEvent
from runners.contract.job import Job, PhaseResult
from runners.loop.services import Services
from runners.phases.given.checkout import surroundings_of
from runners.phases.given.readying import made_ready
from runners.verify.suites.run import SuiteRun

BASELINE = "baseline"
_NAMED = 50


class StoredBaseline(BaseModel):
    """The artifact `BASELINE`: the runs of the suites on the base commit, and the surroundings of these
    runs.
    """

    base: str
    surroundings: str
    runs: dict[str, SuiteRun]


_KEPT: TypeAdapter[StoredBaseline] = TypeAdapter(StoredBaseline)


def baseline(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Prepare the environment, and run the suites on the base commit.

    If suites lack modules, the model is asked for commands. Raises `NotReady` (an `EnvironmentBroken`) when
    the suites cannot be run, `EnvironmentBroken` and `NoFittingPython`.
    """
    found = made_ready(job, services)
    found.demand()
    reached = BaselineReached(
        base=job.base,
        environment_s=round(found.environment_s, 1),
        suites=tuple(told(name, run) for name, run in found.runs.items() if run.outcomes or run.broken),
        setup=found.setup,
        notes=found.environment.notes,
    )
    surroundings = surroundings_of(job, services, found.environment)
    kept = StoredBaseline(base=job.base, surroundings=surroundings, runs=found.runs)
    return PhaseResult("done", events=[*found.replies, reached], artifacts={BASELINE: _KEPT.dump_json(kept)})


def baseline_of(job: Job, services: Services) -> StoredBaseline | None:
    """Return what the baseline phase of this run found; None if there was none for this base commit."""
    artifact = services.artifact(BASELINE)
    if artifact is None:
        return None
    try:
        kept = _KEPT.validate_json(artifact)
    except ValidationError:
        return None
    return kept if kept.base == job.base else None


def told(name: str, run: SuiteRun) -> BaseSuite:
    """Return what the log keeps of a suite's run on the base."""
    failing = tuple(failure.test for failure in run.failures[:_NAMED])
    return BaseSuite(
        name=name,
        counts=run.counts,
        seconds=round(run.seconds, 1),
        failing=failing,
        problem=run.broken or "",
    )
