"""The phase that takes the verdict on the committed work."""

from runners.contract.events import (
    PromptSent,
    Reviewed,
    RunnerEvent,
    VerdictReached,
)
from runners.contract.job import WORK, Job, PhaseResult
from runners.git.command import PLAIN, git
from runners.git.workspaces import Mirror
from runners.loop.review import as_feedback, review
from runners.loop.services import Services
from runners.phases.baseline import baseline_of
from runners.phases.checkout import (
    asked_of,
    background_of,
    environment_of,
    known_of,
    mirror_of,
    sandboxes_of,
    suites_of,
    surroundings_of,
    unbundled,
)
from runners.phases.toolkit import opened_paths
from runners.policy.protected import PROTECTED
from runners.verify.claim import Claim
from runners.verify.feedback import feedback
from runners.verify.gate import Gate
from runners.verify.verdict import Verdict

_NOTHING_NEW = "Every one of these scenarios passes on the code as it is, so none of them says what is new."
# With one of these, scenarios that hold without the change may be the fault of their steps.
_FAULTS = frozenset({"step-asserts-nothing", "scenario-blind", "scenario-unrelated", "feature-changed"})


def verify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Take the verdict on the committed work; a red one goes back to the model."""
    mirror = mirror_of(job, services)
    work = unbundled(job, services, mirror, WORK)
    beside = job.spec.shadow or not job.spec.path
    head = git("rev-parse", f"{work}^1", git_dir=mirror.path) if beside else work
    environment = environment_of(job, services)
    suites = suites_of(job, services, sandboxes_of(job, services, environment))
    known = known_of(job, services, environment)
    before = baseline_of(job, services)
    if before is not None and before.surroundings == surroundings_of(job, services, environment):
        tree = git("rev-parse", f"{job.base}^{{tree}}", git_dir=mirror.path)
        known.learn(tree, before.runs)
    claim = Claim(
        base=job.base,
        head=head,
        feature=job.spec.path,
        feature_sha256=job.spec.sha256,
        kind=job.spec.kind,
        proof=work if job.spec.shadow else "",
        commands=job.settings.commands,
        protected=(*PROTECTED, *job.settings.protected),
        granted=opened_paths(job, services),
        changed_tests=job.settings.changed_tests,
        diff=job.settings.diff,
        mutation=job.settings.mutation,
        asked=asked_of(job),
    )
    verdict = Gate(services.workspaces, mirror, suites, job.run_id, known).verify(claim)
    reached = VerdictReached(verdict=verdict)
    rounds = 1 + sum(isinstance(event, VerdictReached) for event in job.events)
    if _nothing_new(verdict) and not _respecified(job):
        return PhaseResult("respecify", events=[reached, PromptSent(reason="respecify", text=_NOTHING_NEW)])
    if not verdict.green and rounds >= job.settings.budget.rounds:
        return PhaseResult("gave_up", f"The verification failed {rounds} times.", events=[reached])
    if not verdict.green:
        text = feedback(verdict, earlier=_earlier(job), diff=lambda *commits: _diff(mirror, *commits))
        return PhaseResult("red", events=[reached, PromptSent(reason="verdict", text=text)])
    if not services.models.has("reviewer"):
        return PhaseResult("done", events=[reached])
    return _reviewed(job, services, mirror, claim, reached, last=rounds >= job.settings.budget.rounds)


def _nothing_new(verdict: Verdict) -> bool:
    """Whether the scenarios hold without the change, which is no fault of whoever made it."""
    return (
        bool(verdict.scenarios)
        and all(proof.unchanged for proof in verdict.scenarios)
        and not ({problem.code for problem in verdict.problems} & _FAULTS)
    )


def _respecified(job: Job) -> bool:
    return any(isinstance(event, PromptSent) and event.reason == "respecify" for event in job.events)


def _earlier(job: Job) -> list[Verdict]:
    return [event.verdict for event in job.events if isinstance(event, VerdictReached)]


def _diff(mirror: Mirror, before: str, now: str) -> str:
    """What changed between two heads of the work; nothing on a machine that has not seen both."""
    if not mirror.has(before):
        return ""
    return git("diff", *PLAIN, before, now, git_dir=mirror.path)


def _reviewed(
    job: Job, services: Services, mirror: Mirror, claim: Claim, reached: VerdictReached, *, last: bool
) -> PhaseResult[RunnerEvent]:
    """A green verdict with what a second model says; what that finds serious goes back once."""
    said = review(job, services, mirror, claim, background_of(job, mirror))
    serious = [each for each in said.remarks if each.serious]
    before = any(
        isinstance(event, Reviewed) and any(r.serious for r in event.remarks) for event in job.events
    )
    if not serious or before or last:
        return PhaseResult("done", events=[reached, said])
    sent = PromptSent(reason="review", text=as_feedback(serious))
    return PhaseResult("red", events=[reached, said, sent])
