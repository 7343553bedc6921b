"""What every phase needs first: the mirror, the work so far, and facts about the base commit."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from gherkin.domain.drawing import draw
from gherkin.domain.language import Domain, DomainInvalid, speaks_of
from gherkin.domain.language import describe as describe_domain
from gherkin.domain.language import load as load_domain
from gherkin.feature.steps import StepDefinition, catalogue
from gherkin.feature.steps import describe as describe_steps
from runners.contract.events import BaselineReached, Instructed, PromptSent
from runners.contract.job import BASE, OUTSIDE, Job
from runners.contract.memory import MEMORY, relevant
from runners.environment.prepare import Environment
from runners.git.command import list_files, read_blob
from runners.git.outside import lacks_outside, unpack_outside
from runners.git.workspaces import Mirror, WorkLost, work_ref
from runners.loop.prompting import RepositoryFacts
from runners.loop.services import Services
from runners.phases.given.toolkit import MakeSandbox
from runners.repository import house_rules
from runners.repository.file_map import file_map
from runners.repository.names import definitions, documents, files_named, is_own_code, names_in
from runners.repository.snapshot import Snapshot
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.process import CommandResult
from runners.verify.rules.purposes import purpose_of
from runners.verify.suites.known import KnownRuns
from runners.verify.suites.suites import Suites

DOMAIN_FILE = ".scenarist/domain.yml"
_MAX_DOMAIN = 4000
# Of a draft that nobody has read yet.
_MAX_DRAWN = 1500
# For a first draft of the language: one git process a file.
_MAX_SOURCES = 60


def mirror_of(job: Job, services: Services) -> Mirror:
    """Return the mirror with the base commit in it.

    On a machine that lacks the commit, it is taken from the artifact store.
    """
    mirror = services.workspaces.mirror(job.forge, job.repo)
    if not mirror.has(job.base):
        unbundled(job, services, mirror, BASE)
    return mirror


def unbundled(job: Job, services: Services, mirror: Mirror, name: str) -> str:
    bundle = services.artifact(name)
    if bundle is None:
        raise WorkLost(f"The artifact {name} of this run is missing.")
    # The base is the forge's history; everything else was made by a runner.
    return mirror.unbundle(bundle, work_ref(job.work_id), fsck=name != BASE)


def background_of(job: Job, mirror: Mirror) -> RepositoryFacts:
    """Return facts about the repository and about the names in the task, read from the base commit."""
    snapshot = Snapshot(mirror.path, job.base)
    asked = asked_of(job)
    names = names_in(asked)
    places = definitions(snapshot, names)
    own = [hit.path for hit in places if is_own_code(hit.path)]
    changelog = house_rules.changelog_path(snapshot)
    mentions = documents(snapshot, names, [changelog, *house_rules.INSTRUCTIONS])
    return RepositoryFacts(
        files=file_map(snapshot.files, list(dict.fromkeys([*files_named(asked, snapshot.files), *own]))),
        steps=describe_steps(definitions_of(job, mirror), 100),
        domain=_described(job, mirror, own, asked),
        instructions=house_rules.instructions(snapshot),
        failing=_failing(job),
        places="\n".join(map(str, places)),
        contributing=house_rules.contributing(snapshot),
        changelog="\n\n".join(
            filter(None, (house_rules.changelog(snapshot), house_rules.version_marks(snapshot)))
        ),
        documents="\n".join(map(str, mentions)),
        template=house_rules.headings_of(house_rules.pull_template(snapshot)),
        library=bool(own) and house_rules.is_package(snapshot),
        memory=relevant(snapshot.text(MEMORY), asked),
    )


def _described(job: Job, mirror: Mirror, near: Sequence[str], asked: str) -> str:
    """Return the domain language as a prompt shows it; of a draft, only the terms that occur in the task."""
    try:
        domain = domain_of(job, mirror, near)
    except DomainInvalid as error:
        return f"(the repository's domain file cannot be used: {error.message})"
    if read_blob(mirror.path, job.base, DOMAIN_FILE) is not None:
        return describe_domain(domain, _MAX_DOMAIN, asked)
    terms = tuple(term for term in domain.terms if speaks_of(asked, term))
    return describe_domain(domain.model_copy(update={"terms": terms}), _MAX_DRAWN, asked)


def _failing(job: Job) -> str:
    """Return what fails on the base commit, with a line for each suite and each test."""
    reached = next((e for e in reversed(job.events) if isinstance(e, BaselineReached)), None)
    lines: list[str] = []
    for suite in reached.suites if reached is not None and reached.base == job.base else ():
        if suite.problem:
            lines.append(f"{suite.name} as a whole: {suite.problem}")
        elif suite.counts.failed:
            lines.append(f"{suite.name}: {suite.counts.failed} of {suite.counts.total} tests")
            lines += [f"  {test}" for test in suite.failing]
    return "\n".join(lines)


def domain_of(job: Job, mirror: Mirror, near: Sequence[str] = ()) -> Domain:
    """Return the repository's domain language, or a first draft from its code and features.

    Of a very large repository only a part is read: the files in `near` and features first, no tests or
    examples. Raises `DomainInvalid`.
    """
    text = read_blob(mirror.path, job.base, DOMAIN_FILE)
    if text is not None:
        return load_domain(text.decode(errors="replace"))
    files = list_files(mirror.path, job.base)
    features = [path for path in files if path.endswith(".feature")]
    # Step definitions show which nouns the scenarios and the code both use.
    steps = [path for path in files if path.endswith(".py") and purpose_of(path) == "step"]
    code = [path for path in (*near, *files) if path.endswith(".py") and is_own_code(path)]
    shown = [*dict.fromkeys([*code, *steps])][:_MAX_SOURCES] + features[:_MAX_SOURCES]
    return draw(
        {path: (read_blob(mirror.path, job.base, path) or b"").decode(errors="replace") for path in shown}
    )


def definitions_of(job: Job, mirror: Mirror) -> list[StepDefinition]:
    """Return the step definitions of the base commit."""
    steps = f"{job.settings.features_folder}/steps/"
    paths = [
        path for path in list_files(mirror.path, job.base) if path.startswith(steps) and path.endswith(".py")
    ]
    return catalogue(
        {path: (read_blob(mirror.path, job.base, path) or b"").decode(errors="replace") for path in paths}
    )


def fact_of(job: Job) -> str:
    """Return what the verifier found out about the scenarios that were drafted before.

    Empty if it has not sent them back.
    """
    facts = [
        event.text for event in job.events if isinstance(event, PromptSent) and event.reason == "respecify"
    ]
    return facts[-1] if facts else ""


def environment_of(job: Job, services: Services, setup: Sequence[str] = ()) -> Environment:
    """Return the environment of the base commit.

    It is made with the repository's own commands, else with `setup`, else with those that the baseline phase
    of this run found. Raises `EnvironmentBroken` and `NoFittingPython`.
    """
    mirror = mirror_of(job, services)
    if lacks_outside(mirror, job.base) and (packed := services.artifact(OUTSIDE)) is not None:
        unpack_outside(mirror, job.base, packed)
    settings = job.settings
    found = [
        event.setup for event in job.events if isinstance(event, BaselineReached) and event.base == job.base
    ]
    commands = settings.setup or setup or (found[-1] if found else ())
    return services.environments.prepare(
        mirror,
        job.base,
        commands,
        env=settings.env,
        services=settings.services,
        touched=re.findall(r"[\w.-]+(?:/[\w.-]+)+", f"{job.order.title}\n{job.order.body}"),
    )


def sandboxes_of(job: Job, services: Services, environment: Environment) -> MakeSandbox:
    """Return a function that makes sandboxes with the repository's environment in them, read-only."""

    def make(
        root: Path,
        read_only: Mapping[str, Path],
        writable: Mapping[str, Path],
        ended: Callable[[CommandResult], None] | None = None,
    ) -> Sandbox:
        return environment.sandbox(
            root,
            read_only,
            writable,
            limits=services.limits,
            unsafe=services.unsafe_no_sandbox,
            ended=ended,
        )

    return make


def suites_of(job: Job, services: Services, make: MakeSandbox) -> Suites:
    """Return the repository's suites, which run in the sandboxes that `make` makes."""
    return Suites(
        make,
        features=job.settings.features_folder,
        tests=job.settings.tests,
        behave=job.settings.behave,
        cancel=services.cancel,
    )


def surroundings_of(job: Job, services: Services, environment: Environment) -> str:
    """Return, as one text, all that a suite's results depend on besides the files of the commit."""
    surroundings = [
        sys.version,
        *(version(name) for name in ("behave", "pytest")),
        str(environment.folder),
        environment.variables,
        job.settings.features_folder,
        [str(each) for each in job.settings.tests],
        job.settings.behave,
        environment.services,
        environment.notes,
        services.limits.model_dump(),
    ]
    return json.dumps(surroundings, sort_keys=True, default=str)


def known_of(job: Job, services: Services, environment: Environment) -> KnownRuns:
    """Return the results of suites that this machine has kept."""
    folder = services.workspaces.state_dir / "known"
    return KnownRuns(folder, surroundings_of(job, services, environment))


def asked_of(job: Job) -> str:
    """Return all that people wrote about the task, as one text."""
    order = job.order.seen
    told = [event.text for event in job.events if isinstance(event, Instructed)]
    comments = [comment.body for comment in order.comments]
    threads = [comment.body for thread in order.threads for comment in thread.comments]
    return "\n".join([order.title, order.body, order.review_body, *comments, *threads, *told])
