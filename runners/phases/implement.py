"""The phase in which a model works until it says that it is done."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Literal

from runners.contract.budget import Budget
from runners.contract.events import (
    Advised,
    Committed,
    ModelReplied,
    ModelSwitched,
    PromptSent,
    RunnerEvent,
    ToolCalled,
    VerdictReached,
)
from runners.contract.job import CHECKPOINT, DIFF, FEATURE, WORK, Job, PhaseResult, scenarios_folder
from runners.contract.workorder import KIND_TRAILER, RUN_TRAILER
from runners.git.command import PLAIN, commit_on, git, newest_subjects, tree_entries
from runners.git.messages import commit_subject, message
from runners.git.workspaces import SHADOW, Worktree, work_ref
from runners.loop.agent import Agent, Ended
from runners.loop.calls import Caller
from runners.loop.conversation import conversation_from_log
from runners.loop.escalation import TAKEN_OVER, level_of, too_many_reds
from runners.loop.prompting import RepositoryFacts, checklist, implement_prompt, instruction
from runners.loop.services import Services
from runners.loop.single_requests.navigator import advise
from runners.loop.written_files import without_written
from runners.models.chat import Message
from runners.phases.baseline import baseline_of
from runners.phases.given.checkout import background_of, environment_of, mirror_of, sandboxes_of, unbundled
from runners.phases.given.lookups import looked_up
from runners.phases.given.rules_ahead import RulesAhead
from runners.phases.given.toolkit import tools_of
from runners.phases.rebase import carried_over, resolved, unresolved
from runners.phases.remembering import Lessons
from runners.phases.team.candidates import concluded, has_proven, number_of, of_candidate
from runners.phases.team.pairing import Pairing, disagreed, is_paired, roles_of
from runners.phases.threads import incomplete
from runners.repository.house_rules import answered

_MAX_ASKED = 10
_MAX_DIFF = 500_000  # characters
# Why work comes back from the verifier.
_BACK = ("verdict", "review", "survivors", "critique", "node")


def implement(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Let the model work until it says that it is done, and commit its work on top of the specification."""
    mirror = mirror_of(job, services)
    work = tip = unbundled(job, services, mirror, WORK)
    if carried := carried_over(job, mirror, work):
        return carried
    events = of_candidate(job.events)
    if services.artifact(CHECKPOINT) is not None and any(isinstance(each, ToolCalled) for each in events):
        tip = unbundled(job, services, mirror, CHECKPOINT)
    with services.workspaces.worktree(mirror, tip, job.work_id, "implement") as tree:
        tree.git("reset", "--quiet", "--soft", job.spec.commit)
        feature = (services.artifact(FEATURE) or b"").decode()
        background = background_of(job, mirror)
        head = implement_prompt(
            job.run_id,
            job.order,
            background,
            feature_path=job.spec.path,
            feature=feature,
            steps_folder=f"{scenarios_folder(job)}/steps",
            kind=job.spec.kind,
            shadow=job.spec.shadow,
            applied=job.spec.applied,
            conflicts=job.conflicts,
            demands=job.spec.demands,
        )
        kept = baseline_of(job, services)
        make = sandboxes_of(job, services, environment_of(job, services))
        rules = RulesAhead(job, services, tree)
        before = kept.runs if kept is not None else None
        with tools_of(job, services, tree, make, before, rules.said_of) as tools:
            ended, logged = _work(job, services, tree, tools, head, background, work, rules)
            job = replace(job, events=(*job.events, *logged))
        tree.git("reset", "--quiet", "--soft", job.spec.commit)
        asked = [event.reason for event in events if isinstance(event, PromptSent) and event.reason in _BACK]
        wanted_more = asked[-1:] in (["survivors"], ["critique"], ["node"])
        if wanted_more and (ended.reason != "finish" or not tree.diff(work)):
            # What is proven stays as it is, where nothing came of a request to improve it.
            return PhaseResult("done")
        if ended.reason != "finish":
            outcome: Literal["needs_info", "gave_up"] = "needs_info" if ended.reason == "ask" else "gave_up"
            left_behind = _kept(job, tree, *_committed(job, tree, ended.text))
            result = PhaseResult[RunnerEvent](outcome, ended.text, artifacts=left_behind)
            # A model that asks or declines ends the run, unless there is another candidate, or will be one.
            other = has_proven(job.events) or disagreed(of_candidate(job.events))
            if ended.reason in ("ask", "give_up") and not other:
                return result
            return concluded(job, services, mirror, result)
        if left := unresolved(tree, job.conflicts):
            return PhaseResult("gave_up", f"{left} The branch is unchanged.")
        if job.order.failed_jobs and not tree.diff(job.spec.commit):
            return PhaseResult("gave_up", f"The model found nothing to correct. {ended.text}")
        summary, form = answered(ended.text, background.template)
        commit_work = resolved if job.conflicts else _committed
        commit, bundle = commit_work(job, tree, summary)
        lessons = Lessons(job, mirror, ended)
        commit, bundle = lessons.commit_on_top(commit, bundle)
        kept_work = _kept(job, tree, commit, bundle)
        done = Committed(
            commit=commit,
            summary=summary,
            form=form,
            audit=tools.audit_head,
            answers=ended.answers,
            declined=ended.declined,
            learned=tuple(line for _, line in lessons.added),
            outdated=tuple(each.text for each in lessons.removed),
            remembered=lessons.committed,
        )
    return PhaseResult("done", events=[done], artifacts=kept_work)


def _work(
    job: Job,
    services: Services,
    tree: Worktree,
    tools: Caller,
    head: Sequence[Message],
    background: RepositoryFacts,
    work: str,
    rules: RulesAhead,
) -> tuple[Ended, Sequence[RunnerEvent]]:
    """Run the loop, with one model after the other as far as the driver's escalation goes, or with a pair.

    `work` is the last commit of it. Returns its end, and the events that it logged.
    """
    log = _checkpointing(job, services, tree, tools.toolbox.writing)
    events: list[RunnerEvent] = list(of_candidate(job.events))
    known = len(events)

    def logged(new: Sequence[RunnerEvent]) -> None:
        log(new)
        events.extend(new)

    def inbox() -> list[str]:
        told = sum(isinstance(event, PromptSent) and event.reason == "comment" for event in events)
        fresh = services.instructions()[job.spec.told + told :]
        return [instruction(job.run_id, each.by, each.text) for each in fresh]

    def navigated(why: Literal["stuck", "red"], messages: Sequence[Message]) -> list[RunnerEvent]:
        found: list[RunnerEvent] = []
        look_up = partial(
            looked_up, job, services, "navigator", lend=lambda: nullcontext(tools), log=found.extend
        )
        diff = tree.diff(job.spec.commit)
        said = advise(job, services, background, why, messages, diff, events, look_up)
        return [*found, *said]

    def agent_of(runtime: str, unmet: Callable[[], str] = str) -> Agent:
        return Agent(
            services.models.of(runtime),
            tools,
            logged,
            _budget(job, services),
            services.cancel,
            services.redactor,
            lambda: checklist(
                without_written(tree.diff(job.spec.commit), events),
                rules.broken(),
                kind=job.spec.kind,
                changelog=bool(background.changelog) and job.spec.kind != "refactoring",
                threads=bool(job.order.seen.threads),
            ),
            inbox,
            partial(navigated, "stuck"),
            lambda ended: (
                tools.put_back()
                or unmet()
                or _still_red(events, changed=bool(tree.diff(work)))
                or incomplete(job.order, ended, events)
                or unresolved(tree, job.conflicts)
            ),
        )

    number = number_of(job.events)
    roles = roles_of(services.models, number, events) if is_paired(job, services.operator) else None
    if roles is not None and not any(isinstance(event, Committed) for event in events):
        pairing = Pairing(
            job,
            services,
            tree,
            tools,
            background,
            number=number,
            head=head,
            events=events,
            log=logged,
            make_agent=agent_of,
        )
        return pairing.work(job.spent), events[known:]
    spent = job.spent
    reason = too_many_reds(events, services.models.agent("driver").after_red)
    levels = (roles.driver,) if roles is not None else services.models.candidate(number)
    while True:
        level = level_of(events)
        if reason and level + 1 < len(levels):
            level += 1
            logged([ModelSwitched(role="driver", to=levels[level], reason=reason)])
        agent = agent_of(levels[min(level, len(levels) - 1)])
        conversation = conversation_from_log(head, events)
        agent.spent = spent
        if _sent_back(events):
            agent.advised(navigated("red", conversation), conversation)
        ended = agent.run(conversation, agent.spent)
        if ended.reason != "stuck" or level + 1 >= len(levels):
            return ended, events[known:]
        reason, spent = ended.text, agent.spent
        logged([PromptSent(reason="switch", text=TAKEN_OVER)])


def _still_red(events: Sequence[RunnerEvent], *, changed: bool) -> str:
    """Return why work that has not `changed` since a red verdict is not verified again; empty if it may
    be.
    """
    verdicts = [event.verdict for event in events if isinstance(event, VerdictReached)]
    if changed or not verdicts or verdicts[-1].green:
        return ""
    asked = "\n".join(f"- {problem.message}" for problem in verdicts[-1].problems[:_MAX_ASKED])
    return (
        "Nothing was changed since the verification failed, so it would fail again. It asks for "
        f"this:\n{asked}"
    )


def _sent_back(events: Sequence[RunnerEvent]) -> bool:
    """Return whether a verdict or a review was the last message to the driver, and nobody has commented on
    it.
    """
    for event in reversed(events):
        if isinstance(event, PromptSent):
            return event.reason in ("verdict", "review")
        if isinstance(event, (ModelReplied, Advised)):
            return False
    return False


def _budget(job: Job, services: Services) -> Budget:
    """Return the repository's budget, within the operator's turns for the driver."""
    turns = services.models.agent("driver").turns
    budget = job.settings.budget
    return budget.model_copy(update={"turns": min(turns, budget.turns)}) if turns else budget


def _checkpointing(
    job: Job, services: Services, tree: Worktree, writing: frozenset[str]
) -> Callable[[Sequence[RunnerEvent]], None]:
    """Log a turn's events, with a checkpoint of the tree if tools that write were called."""

    def log(events: Sequence[RunnerEvent]) -> None:
        artifacts: dict[str, bytes] = {}
        if any(isinstance(event, ToolCalled) and event.call.name in writing for event in events):
            tree.snapshot(job.spec.commit)
            artifacts[CHECKPOINT] = tree.mirror.bundle(tree.ref, base=job.base)
        services.log(events, artifacts)

    return log


def _kept(job: Job, tree: Worktree, commit: str, bundle: bytes) -> dict[str, bytes]:
    """Return the artifacts of committed work: the bundle, and its diff for people who look at the run."""
    diff = git("diff", *PLAIN, "--no-color", job.base, commit, git_dir=tree.mirror.path)
    return {WORK: bundle, DIFF: diff[:_MAX_DIFF].encode()}


def _committed(job: Job, tree: Worktree, summary: str) -> tuple[str, bytes]:
    """Commit the work; returns the commit that is the change, and a bundle of it.

    If the scenarios are not part of the change, the bundle has them in a second commit on top, which is never
    pushed.
    """
    verb = "Revise" if job.order.kind == "revise" else "Implement"
    if job.order.failed_jobs:
        verb = "Repair"
    git_dir = tree.mirror.path
    log = newest_subjects(git_dir, job.base)
    subject = commit_subject(verb, job.order.title, job.spec.kind, job.order.cited, log)
    trailers = {**job.order.trailers, RUN_TRAILER: job.run_id}
    if job.spec.path and not job.spec.shadow:
        tree.commit(message(subject, summary, trailers))
        return tree.head, tree.bundle(job.base)
    trailers[KIND_TRAILER] = job.spec.kind
    everything = tree.snapshot(job.spec.commit)
    beside = [entry.path for entry in tree_entries(git_dir, everything, SHADOW)]
    parent = git("rev-parse", f"{job.spec.commit}^1", git_dir=git_dir)
    text = message(subject, summary, trailers)
    change = commit_on(git_dir, parent, text, tree=everything, removed=beside)
    proof = commit_on(
        git_dir, change, "The scenarios beside the change", tree=everything, also=[job.spec.commit]
    )
    return change, tree.mirror.bundle_commit(proof, work_ref(job.work_id), base=job.base)
