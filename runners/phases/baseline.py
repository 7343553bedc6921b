"""The phase that runs the suites before anything is changed: everything after it knows what failed without
the change."""

import time

from pydantic import BaseModel, TypeAdapter, ValidationError

from runners.contract.events import BaselineReached, BaseSuite, ModelReplied, RunnerEvent
from runners.contract.job import Job, PhaseResult
from runners.environment.finding.sources import Sources
from runners.environment.made import Environment
from runners.environment.readiness import Readiness, judge
from runners.git.command import git
from runners.loop.services import Services
from runners.loop.single_requests.set_up import ask_for_setup
from runners.models.chat import ModelRefusedRequest, ModelUnavailable
from runners.phases.given.checkout import (
    environment_of,
    known_of,
    mirror_of,
    sandboxes_of,
    suites_of,
    surroundings_of,
)
from runners.verify.suites.run import SuiteRun

BASELINE = "baseline"
_NAMED = 50


class Kept(BaseModel):
    """The artifact `BASELINE`: the runs of the suites on the base commit, and what they were run in."""

    base: str
    surroundings: str
    runs: dict[str, SuiteRun]


_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


def baseline(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Prepare the environment and run the suites on the base commit.

    Where suites miss modules, the model is asked for commands. Raises `NotReady` (an `EnvironmentBroken`)
    when the suites cannot be run, `EnvironmentBroken` and `NoFittingPython`.
    """
    sources = Sources.of_commit(mirror_of(job, services).path, job.base)
    began = time.monotonic()
    environment = environment_of(job, services)
    environment_s = time.monotonic() - began
    runs = base_runs(job, services, environment)
    readiness = judge(runs, sources, environment.notes)
    replies: list[ModelReplied] = []
    setup: tuple[str, ...] = ()
    if not readiness.ready and not job.settings.setup:
        latest: list[tuple[Environment, dict[str, SuiteRun]]] = []

        def attempt(commands: tuple[str, ...]) -> Readiness:
            made = environment_of(job, services, commands)
            latest[:] = [(made, base_runs(job, services, made))]
            return judge(latest[0][1], sources, made.notes)

        try:
            setup, replies = ask_for_setup(job.run_id, services, sources, readiness, attempt)
        except (ModelUnavailable, ModelRefusedRequest):
            readiness.demand()  # that is what a maintainer can do something about
        if setup:
            environment, runs = latest[0]
    if not setup:
        readiness.demand()
    reached = BaselineReached(
        base=job.base,
        environment_s=round(environment_s, 1),
        suites=tuple(told(name, run) for name, run in runs.items() if run.outcomes or run.broken),
        setup=setup,
        notes=environment.notes,
    )
    kept = Kept(base=job.base, surroundings=surroundings_of(job, services, environment), runs=runs)
    return PhaseResult("done", events=[*replies, reached], artifacts={BASELINE: _KEPT.dump_json(kept)})


def base_runs(job: Job, services: Services, environment: Environment) -> dict[str, SuiteRun]:
    """Run the suites on the base commit, or take what is known of them."""
    mirror = mirror_of(job, services)
    suites = suites_of(job, services, sandboxes_of(job, services, environment))
    known = known_of(job, services, environment)
    tree = git("rev-parse", f"{job.base}^{{tree}}", git_dir=mirror.path)
    runs: dict[str, SuiteRun] = {}
    # The run's own reference is in use by the phase that this one is beside.
    with services.workspaces.worktree(mirror, job.base, f"{job.run_id}b", "baseline") as checkout:
        for name, run in suites.all():
            runs[name] = known.once(name, tree, lambda run=run: run(checkout.root))  # type: ignore[misc]
    return runs


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


def told(name: str, run: SuiteRun) -> BaseSuite:
    """What the log keeps of a suite's run on the base."""
    failing = tuple(failure.test for failure in run.failures[:_NAMED])
    return BaseSuite(
        name=name,
        counts=run.counts,
        seconds=round(run.seconds, 1),
        failing=failing,
        problem=run.broken or "",
    )
