"""The three phases a runner does: specify, implement, verify. Each goes from bundle to bundle."""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from gherkin.coach import Advice, coach
from gherkin.domain import DomainInvalid
from gherkin.domain import describe as describe_domain
from gherkin.domain import load as load_domain
from gherkin.lint import Finding, lint
from gherkin.spec import FEATURE_SCHEMA, Feature, FeatureInvalid, from_draft, parse, render, scenario_names
from gherkin.steps import StepDefinition, catalogue
from gherkin.steps import describe as describe_steps
from gherkin.story import StoryInvalid, is_empty, story_from_issue
from runners.agent import Agent, Ended
from runners.calls import Caller
from runners.context import Background, checklist, implement_prompt, instruction, specify_prompt
from runners.conversation import as_message, conversation_from_log
from runners.environment import Environment
from runners.escalation import TAKEN_OVER, level_of, too_many_reds
from runners.events import (
    Committed,
    Instructed,
    ModelReplied,
    ModelSwitched,
    PromptSent,
    RunnerEvent,
    SpecWritten,
    ToolCalled,
    VerdictReached,
)
from runners.gitio import TreeEntry, commit_on, git, list_files, read_blob, store_blob
from runners.job import BASE, CHECKPOINT, FEATURE, PROTECTED, WORK, Job, PhaseResult, Services
from runners.models.chat import Message
from runners.plaintext import defuse, one_line
from runners.process import CommandResult
from runners.sandbox import Sandbox
from runners.toolkit import MakeSandbox, opened_paths, tools_of
from runners.verify.gate import Claim, Gate, feedback
from runners.verify.known import KnownRuns
from runners.verify.suites import Suites
from runners.workspace import Mirror, WorkLost, Worktree, branch_slug, work_ref

_DRAFTS = 3
_APPROVE = (
    "The scenarios below wait for somebody with write access. Comment `/agent approve`; or `/agent revise`, and what should be "
    "different; or `/agent approve` with scenarios of your own below it, in a ```gherkin block."
)
_QUESTIONS = 5
_INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
_FEATURE_TRAILER = "Scenarist-Feature"
ORDER_TRAILER = "Work-Order"


def specify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Write, check and commit the feature file; a revision takes over the one its branch has."""
    mirror = _mirror(job, services)
    if job.order.kind == "revise":
        return _adopt(job, services, mirror)
    told = [event for event in job.events if isinstance(event, Instructed)]
    texts = [each.text for each in told]
    try:
        comments = [comment.body for comment in job.order.comments]
        story = story_from_issue(job.order.number, job.order.title, job.order.body, [*comments, *texts])
        # Scenarios that came after the run was asked for come from somebody who may approve them.
        approved = (
            bool(texts)
            and story_from_issue(job.order.number, job.order.title, "", texts).scenarios is not None
        )
    except (StoryInvalid, FeatureInvalid) as error:
        return PhaseResult("needs_info", str(error))
    if is_empty(story):
        return PhaseResult(
            "needs_info",
            "The issue does not say what should be different. Describe in a few sentences what somebody does and what "
            "they should see then, or write the scenarios yourself in a ```gherkin block: in a comment, or in the issue, whose "
            "label is then to be taken off and set again.",
        )
    advice = coach(story.model_copy(update={"text": "\n\n".join([job.order.body, *comments, *texts])}))
    if story.scenarios is None and advice.score < job.settings.min_story_score:
        return PhaseResult("needs_info", _asking(advice))
    check = partial(_lint, definitions=_definitions(job, mirror), criteria=story.acceptance_criteria, job=job)
    if story.scenarios is not None:
        # What people wrote is taken as it is; the linter's word stands beside it.
        drafted = _Draft(story.scenarios, findings=tuple(each.message for each in check(story.scenarios)))
    else:
        drafted = _draft(job, services, _background(job, mirror), check)
    if drafted.feature is None:
        return PhaseResult("gave_up", f"No usable scenarios came of {_DRAFTS} attempts. {drafted.problem}")
    done = _commit_spec(job, services, mirror, drafted, "model" if story.scenarios is None else "issue")
    if done.outcome == "done" and job.settings.approval == "required" and not approved:
        return replace(done, outcome="approval", reason=_APPROVE)
    return done


def _asking(advice: Advice) -> str:
    """What the author of an issue is asked before anything is begun."""
    reasons = " ".join(part.why for part in advice.parts if part.points < part.most)
    questions = "\n".join(f"- {question}" for question in advice.questions)
    return (
        f"The issue leaves too much open to write scenarios from ({advice.score} of 100 points). {reasons}\n\n{questions}\n\n"
        f"A form that leaves little open:\n\n{advice.wording}\n\n"
        "Answer in a comment, or edit the issue and set the label again."
    )


@dataclass(frozen=True)
class _Draft:
    """What came of asking for scenarios: a feature, or the problem of the last attempt."""

    feature: Feature | None
    problem: str = ""
    findings: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def _lint(
    feature: Feature, *, definitions: Sequence[StepDefinition], criteria: Sequence[str], job: Job
) -> list[Finding]:
    return lint(
        render(feature), definitions=definitions, criteria=criteria, max_scenarios=job.settings.max_scenarios
    )


def _draft(
    job: Job, services: Services, background: Background, check: Callable[[Feature], list[Finding]]
) -> _Draft:
    """Ask the model for scenarios until they parse and the linter finds no error, at most `_DRAFTS` times.

    The last attempt is taken with its errors, which its readers are told.
    """
    told = [event for event in job.events if isinstance(event, Instructed)]
    drafted = any(isinstance(event, SpecWritten) for event in job.events)
    messages = specify_prompt(
        job.run_id,
        job.order,
        background,
        max_scenarios=job.settings.max_scenarios,
        drafted=(services.artifact(FEATURE) or b"").decode() if drafted else "",
        told=[(each.by, each.text) for each in told],
    )
    # A run that was interrupted here uses the replies it has paid for, since it was last told something.
    latest = max(
        (at for at, event in enumerate(job.events) if isinstance(event, (SpecWritten, Instructed))),
        default=-1,
    )
    known = [
        event
        for event in job.events[latest + 1 :]
        if isinstance(event, ModelReplied) and event.phase == "specify"
    ]
    problem = ""
    for attempt in range(_DRAFTS):
        if attempt < len(known):
            reply = known[attempt].reply
        else:
            engine = services.models.engine("analyst")
            started = time.monotonic()
            reply = engine.model.reply(
                messages, schema=FEATURE_SCHEMA, max_tokens=engine.max_tokens, cancel=services.cancel
            )
            services.log(
                [
                    ModelReplied(
                        phase="specify",
                        reply=reply,
                        seconds=round(time.monotonic() - started, 3),
                        runtime=engine.runtime,
                        cost=engine.prices.cost(reply.usage),
                    )
                ]
            )
        try:
            # Constrained decoding lets raw line ends into strings.
            draft = json.loads(reply.text, strict=False)
            feature = from_draft(draft, issue=job.order.number)
            if len(scenario_names(feature)) > job.settings.max_scenarios:
                raise FeatureInvalid(f"There are more than {job.settings.max_scenarios} scenarios.")
            found = check(feature)
            wrong = [each.message for each in found if each.level == "error"]
            if wrong and attempt + 1 < _DRAFTS:
                raise FeatureInvalid(" ".join(wrong))
            questions = tuple(one_line(str(each)) for each in draft.get("questions", ())[:_QUESTIONS])
            return _Draft(feature, "", tuple(each.message for each in found), questions)
        except (ValueError, FeatureInvalid) as error:
            problem = error.message if isinstance(error, FeatureInvalid) else "The answer is not JSON."
            messages = [*messages, as_message(reply), Message(role="user", text=f"{problem} Answer again.")]
    return _Draft(None, problem)


def _commit_spec(
    job: Job, services: Services, mirror: Mirror, drafted: _Draft, source: str
) -> PhaseResult[RunnerEvent]:
    feature = drafted.feature
    if feature is None:
        raise ValueError("there is no feature to commit")
    path = f"{job.settings.features}/issue_{job.order.number}_{branch_slug(job.order.title).replace('-', '_')}.feature"
    content = render(feature).encode()
    if read_blob(mirror.path, job.base, path) == content:
        return PhaseResult("gave_up", f"{path} is already in the repository, word for word.")
    message = (
        f"Specify #{job.order.number}: {one_line(job.order.title)}\n\n"
        f"{_FEATURE_TRAILER}: {path}\n{ORDER_TRAILER}: {job.order.digest}\n"
    )
    entry = TreeEntry("100644", store_blob(mirror.path, content), path)
    commit = commit_on(mirror.path, job.base, message, added=[entry])
    bundle = mirror.bundle_commit(commit, work_ref(job.run_id), base=job.base)
    written = SpecWritten.model_validate(
        {
            "path": path,
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": source,
            "scenarios": scenario_names(feature),
            "commit": commit,
            "findings": drafted.findings,
            "questions": drafted.questions,
            "told": sum(isinstance(event, Instructed) for event in job.events),
        }
    )
    return PhaseResult("done", events=[written], artifacts={WORK: bundle, FEATURE: content})


def _adopt(job: Job, services: Services, mirror: Mirror) -> PhaseResult[RunnerEvent]:
    head = _unbundle(job, services, mirror, WORK)
    log = git(
        "log",
        "--format=%(trailers:key=" + _FEATURE_TRAILER + ",valueonly)",
        f"{job.base}..{head}",
        git_dir=mirror.path,
    )
    paths = [line.strip() for line in log.splitlines() if line.strip()]
    content = read_blob(mirror.path, head, paths[-1]) if paths else None
    if content is None:
        return PhaseResult("gave_up", "The branch has no feature file written by Scenarist.")
    try:
        feature = parse(content.decode(), paths[-1])
    except (FeatureInvalid, UnicodeDecodeError) as error:
        return PhaseResult("gave_up", f"The feature file on the branch cannot be read: {error}")
    written = SpecWritten(
        path=paths[-1],
        sha256=hashlib.sha256(content).hexdigest(),
        source="issue",
        scenarios=tuple(scenario_names(feature)),
        commit=head,
    )
    return PhaseResult("done", events=[written], artifacts={FEATURE: content})


def implement(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Let the model work until it says that it is done; commit what it made on top of the specification."""
    mirror = _mirror(job, services)
    tip = _unbundle(job, services, mirror, WORK)
    if services.artifact(CHECKPOINT) is not None:
        tip = _unbundle(job, services, mirror, CHECKPOINT)
    with services.workspaces.worktree(mirror, tip, job.run_id, "implement") as tree:
        tree.git("reset", "--quiet", "--soft", job.spec.commit)
        feature = (services.artifact(FEATURE) or b"").decode()
        head = implement_prompt(
            job.run_id,
            job.order,
            _background(job, mirror),
            feature_path=job.spec.path,
            feature=feature,
            steps_folder=f"{job.settings.features}/steps",
        )
        with tools_of(job, services, tree, _sandboxes(job, services, _environment(job, services))) as tools:
            ended = _work(job, services, tree, tools, head)
        tree.git("reset", "--quiet", "--soft", job.spec.commit)
        if ended.reason != "finish":
            outcome: Literal["needs_info", "gave_up"] = "needs_info" if ended.reason == "ask" else "gave_up"
            return PhaseResult(outcome, ended.text, artifacts={WORK: _bundle_of(job, tree, ended.text)})
        bundle = _bundle_of(job, tree, ended.text)
        done = Committed(commit=tree.head, summary=ended.text, audit=tools.audit_head, answers=ended.answers)
    return PhaseResult("done", events=[done], artifacts={WORK: bundle})


def _work(job: Job, services: Services, tree: Worktree, tools: Caller, head: Sequence[Message]) -> Ended:
    """The loop, with one model after the other as far as the driver's escalation goes."""
    log = _checkpointing(job, services, tree, tools.toolbox.writing)
    events: list[RunnerEvent] = list(job.events)

    def logged(new: Sequence[RunnerEvent]) -> None:
        log(new)
        events.extend(new)

    def inbox() -> list[str]:
        told = sum(isinstance(event, PromptSent) and event.reason == "comment" for event in events)
        fresh = services.instructions()[job.spec.told + told :]
        return [instruction(job.run_id, each.by, each.text) for each in fresh]

    spent = job.spent
    reason = too_many_reds(events, services.models.agent("driver").after_red)
    while True:
        level = level_of(events)
        levels = services.models.levels("driver")
        if reason and level + 1 < len(levels):
            level += 1
            logged([ModelSwitched(role="driver", to=levels[level], reason=reason)])
        agent = Agent(
            services.models.engine("driver", level),
            tools,
            logged,
            job.settings.budget,
            services.cancel,
            services.redactor,
            lambda: checklist(tree.diff(job.spec.commit)),
            inbox,
        )
        ended = agent.run(conversation_from_log(head, events), spent)
        if ended.reason != "stuck" or level + 1 >= len(levels):
            return ended
        reason, spent = ended.text, agent.spent
        logged([PromptSent(reason="switch", text=TAKEN_OVER)])


def verify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Take the verdict on the committed work; a red one goes back to the model."""
    mirror = _mirror(job, services)
    head = _unbundle(job, services, mirror, WORK)
    environment = _environment(job, services)
    make = _sandboxes(job, services, environment)
    suites = Suites(make, features=job.settings.features, cancel=services.cancel)
    surroundings = [
        sys.version,
        *(version(name) for name in ("behave", "pytest")),
        str(environment.folder),
        environment.variables,
        job.settings.features,
        services.limits.model_dump(),
    ]
    known = KnownRuns(
        services.workspaces.state_dir / "known", json.dumps(surroundings, sort_keys=True, default=str)
    )
    gate = Gate(services.workspaces, mirror, suites, job.run_id, known)
    verdict = gate.verify(
        Claim(
            base=job.base,
            head=head,
            feature=job.spec.path,
            feature_sha256=job.spec.sha256,
            commands=job.settings.commands,
            protected=(*PROTECTED, *job.settings.protected),
            granted=opened_paths(job, services),
            changed_tests=job.settings.changed_tests,
            diff=job.settings.diff,
        )
    )
    reached = VerdictReached(verdict=verdict)
    if verdict.green:
        return PhaseResult("done", events=[reached])
    rounds = 1 + sum(isinstance(event, VerdictReached) for event in job.events)
    if rounds >= job.settings.budget.rounds:
        return PhaseResult("gave_up", f"The verification failed {rounds} times.", events=[reached])
    return PhaseResult("red", events=[reached, PromptSent(reason="verdict", text=feedback(verdict))])


def _checkpointing(
    job: Job, services: Services, tree: Worktree, writing: frozenset[str]
) -> Callable[[Sequence[RunnerEvent]], None]:
    """Logs a turn's events; when tools that write were called, the tree goes with them as a checkpoint."""

    def log(events: Sequence[RunnerEvent]) -> None:
        artifacts: dict[str, bytes] = {}
        if any(isinstance(event, ToolCalled) and event.call.name in writing for event in events):
            tree.snapshot(job.spec.commit)
            artifacts[CHECKPOINT] = tree.mirror.bundle(tree.ref, base=job.base)
        services.log(events, artifacts)

    return log


def _bundle_of(job: Job, tree: Worktree, summary: str) -> bytes:
    verb = "Revise" if job.order.kind == "revise" else "Implement"
    number = job.order.pull if job.order.kind == "revise" else job.order.number
    tree.commit(
        f"{verb} #{number}: {one_line(job.order.title)}\n\n{defuse(summary)}\n\n{ORDER_TRAILER}: {job.order.digest}\n"
    )
    return tree.bundle(job.base)


def _mirror(job: Job, services: Services) -> Mirror:
    """The mirror with the base commit in it, taken from the artifact store on a machine that lacks it."""
    mirror = services.workspaces.mirror(job.forge, job.repo)
    if not mirror.has(job.base):
        _unbundle(job, services, mirror, BASE)
    return mirror


def _unbundle(job: Job, services: Services, mirror: Mirror, name: str) -> str:
    bundle = services.artifact(name)
    if bundle is None:
        raise WorkLost(f"The artifact {name} of this run is missing.")
    return mirror.unbundle(bundle, work_ref(job.run_id))


def _background(job: Job, mirror: Mirror) -> Background:
    """What the base commit says about the repository."""
    files = list_files(mirror.path, job.base)

    def text(path: str) -> str:
        return (read_blob(mirror.path, job.base, path) or b"").decode(errors="replace")

    instructions = next((text(name) for name in _INSTRUCTIONS if name in files), "")
    domain = ""
    if ".scenarist/domain.yml" in files:
        try:
            domain = describe_domain(load_domain(text(".scenarist/domain.yml")), 4000)
        except DomainInvalid as error:
            domain = f"(the repository's domain file cannot be used: {error.message})"
    return Background(
        files=tuple(files),
        steps=describe_steps(_definitions(job, mirror), 100),
        domain=domain,
        instructions=instructions,
    )


def _definitions(job: Job, mirror: Mirror) -> list[StepDefinition]:
    """The step definitions of the base commit."""
    steps = f"{job.settings.features}/steps/"
    paths = [
        path for path in list_files(mirror.path, job.base) if path.startswith(steps) and path.endswith(".py")
    ]
    return catalogue(
        {path: (read_blob(mirror.path, job.base, path) or b"").decode(errors="replace") for path in paths}
    )


def _environment(job: Job, services: Services) -> Environment:
    mirror = services.workspaces.mirror(job.forge, job.repo)
    return services.environments.prepare(mirror, job.base, job.settings.setup)


def _sandboxes(job: Job, services: Services, environment: Environment) -> MakeSandbox:
    """Makes sandboxes with the repository's own environment in them, read-only."""

    def make(
        root: Path,
        read_only: Mapping[str, Path],
        writable: Mapping[str, Path],
        ended: Callable[[CommandResult], None] | None = None,
    ) -> Sandbox:
        return Sandbox(
            root,
            read_only={**environment.mounts, **read_only},
            writable=writable,
            env=environment.variables,
            limits=services.limits,
            unsafe=services.unsafe_no_sandbox,
            ended=ended,
        )

    return make
