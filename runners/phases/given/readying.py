"""Make the environment of the base commit until its suites can be run.

First the repository's files decide; if that is not enough, a model is asked for commands.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from runners.contract.events import ModelReplied
from runners.contract.job import Job
from runners.environment.finding.sources import Sources
from runners.environment.install import EnvironmentBroken
from runners.environment.made import Environment
from runners.environment.readiness import Readiness, judge
from runners.git.command import tree_of
from runners.loop.services import Services
from runners.loop.single_requests.set_up import ask_for_setup
from runners.models.chat import ModelRefusedRequest, ModelUnavailable
from runners.models.roster import RuntimeIncomplete
from runners.phases.given.checkout import environment_of, known_of, mirror_of, sandboxes_of, suites_of
from runners.verify.suites.run import SuiteRun


@dataclass(frozen=True)
class Found:
    """The result of making an environment and running the base's suites in it.

    `environment_s` is how many seconds the first environment took. `setup` are the commands of a model that
    made the tests run, `replies` its answers. `asked` says in a sentence how a model answered that did not
    help. `error` says why there is no environment at all.
    """

    environment: Environment = field(default_factory=Environment)
    environment_s: float = 0.0
    runs: dict[str, SuiteRun] = field(default_factory=dict)
    readiness: Readiness = field(default_factory=Readiness)
    setup: tuple[str, ...] = ()
    replies: Sequence[ModelReplied] = ()
    asked: str = ""
    error: EnvironmentBroken | None = None

    def demand(self) -> None:
        """Raise `NotReady` or another `EnvironmentBroken` unless the suites can be run."""
        if self.error is not None:
            raise self.error
        self.readiness.demand()


def made_ready(job: Job, services: Services, *, may_ask: bool = True) -> Found:
    """Make the environment of the base commit, and run its suites in it.

    If the tests cannot be run then, and the repository sets no `setup:` itself, the model of the role
    `driver` is asked for commands (if `may_ask`). Raises `NoFittingPython`.
    """
    sources = Sources.of_commit(mirror_of(job, services).path, job.base)
    found = _tried(job, services, sources)
    if found.readiness.ready or job.settings.setup or not may_ask:
        return found
    latest = found

    def attempt(commands: tuple[str, ...]) -> Readiness:
        nonlocal latest
        latest = _tried(job, services, sources, commands)
        if latest.error is not None:
            raise latest.error
        return latest.readiness

    try:
        setup, replies = ask_for_setup(job.run_id, services, sources, found.readiness, attempt)
    except (ModelUnavailable, ModelRefusedRequest, RuntimeIncomplete) as error:
        return replace(found, asked=f"No model could be asked for set-up commands: {error.message}")
    if not setup:
        asked = f"A model was asked {len(replies)} times for set-up commands, and none of them worked."
        return replace(found, replies=replies, asked=asked)
    return replace(latest, setup=setup, replies=replies, environment_s=found.environment_s)


def _tried(job: Job, services: Services, sources: Sources, commands: tuple[str, ...] = ()) -> Found:
    """Make one environment, and run the suites in it. Raises `NoFittingPython`."""
    began = time.monotonic()
    try:
        environment = environment_of(job, services, commands)
    except EnvironmentBroken as error:
        return Found(readiness=Readiness(ready=False, cause=error.message.rstrip(".")), error=error)
    seconds = time.monotonic() - began
    runs = base_runs(job, services, environment)
    return Found(environment, seconds, runs, judge(runs, sources, environment.notes))


def base_runs(job: Job, services: Services, environment: Environment) -> dict[str, SuiteRun]:
    """Run the suites on the base commit, or take their known results.

    They run in parallel on the machine's cores, each in a checkout of its own.
    """
    mirror = mirror_of(job, services)
    suites = suites_of(job, services, sandboxes_of(job, services, environment)).all()
    known = known_of(job, services, environment)
    tree = tree_of(mirror.path, job.base)
    at_once = min(len(os.sched_getaffinity(0)), len(suites))

    def of_suite(number: int) -> SuiteRun:
        name, run = suites[number]
        # The run's own reference is in use by the phase that this one is beside.
        checkout = services.workspaces.worktree(mirror, job.base, f"{job.run_id}b{number}", "baseline")

        def fresh() -> SuiteRun:
            with checkout as made:
                return run(made.root)

        return known.once(name, tree, fresh)

    with ThreadPoolExecutor(at_once) as pool:
        runs = list(pool.map(of_suite, range(len(suites))))
    return {name: run for (name, _), run in zip(suites, runs, strict=True)}
