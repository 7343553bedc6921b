"""The phase that takes the verdict on the committed work."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from gherkin.feature.model import parse
from runners.contract.events import PromptSent, Reviewed, RunnerEvent, VerdictReached
from runners.contract.job import EXAMPLES, FEATURE, FIRST_WORK, WORK, Job, PhaseResult, log_name
from runners.contract.team_events import RevisionJudged
from runners.git.command import PLAIN, git, tree_of
from runners.git.workspaces import Mirror
from runners.loop.services import Services
from runners.loop.single_requests.review import as_feedback, review
from runners.phases.baseline import baseline_of
from runners.phases.examples import failed_examples, replaced
from runners.phases.given.checkout import (
    background_of,
    environment_of,
    known_of,
    mirror_of,
    sandboxes_of,
    suites_of,
    surroundings_of,
    unbundled,
)
from runners.phases.given.claims import claim_on
from runners.phases.given.lookups import lending, looked_up
from runners.phases.team.candidates import concluded, number_of, of_candidate, verdicts_of
from runners.phases.team.critique import is_due, judge, put_back, revised, scored
from runners.verify.claim import Claim
from runners.verify.gate.feedback import about_survivors, feedback
from runners.verify.gate.gate import Gate
from runners.verify.verdict import Verdict

_NOTHING_NEW = "Every one of these scenarios passes on the code as it is, so none of them says what is new."
# With one of these, scenarios that hold without the change may be the fault of their steps.
_FAULTS = frozenset({"step-asserts-nothing", "scenario-blind", "scenario-unrelated", "feature-changed"})


def verify(job: Job, services: Services) -> PhaseResult[RunnerEvent]:
    """Take the verdict on the committed work; a red one goes back to the model.

    When this candidate is finished, the next one may begin, or the best one is taken.
    """
    mirror = mirror_of(job, services)
    result = _verified(job, services, mirror)
    if result.outcome in ("done", "gave_up"):
        return concluded(job, services, mirror, result)
    return result


def _verified(job: Job, services: Services, mirror: Mirror) -> PhaseResult[RunnerEvent]:
    work = unbundled(job, services, mirror, WORK)
    beside = job.spec.shadow or not job.spec.path
    head = git("rev-parse", f"{work}^1", git_dir=mirror.path) if beside else work
    environment = environment_of(job, services)
    suites = suites_of(job, services, sandboxes_of(job, services, environment))
    known = known_of(job, services, environment)
    before = baseline_of(job, services)
    if before is not None and before.surroundings == surroundings_of(job, services, environment):
        tree = tree_of(mirror.path, job.base)
        known.learn(tree, before.runs)
    claim = claim_on(
        job,
        services,
        head=head,
        proof=work,
        examples=(services.artifact(EXAMPLES) or b"").decode(),
        failed_examples=frozenset(each.text for each in failed_examples(job.events)),
    )
    earlier = verdicts_of(job.events)
    number = number_of(job.events)
    rounds = 1 + (job.spent.rounds if number == 1 else len(earlier))
    # The model gets one try at conflicts; then people decide.
    last = rounds >= job.settings.budget.rounds or bool(job.conflicts)
    first = revised(job.events)
    if earlier and earlier[-1].green and earlier[-1].head_sha == head:
        # The model was asked for more tests, or for a revision, and changed nothing.
        unchanged = [RevisionJudged(taken="first", reason="its author changed nothing")] if first else []
        return _passed(job, services, mirror, head, unchanged, last=True)
    gate = Gate(services.workspaces, mirror, suites, job.work_id, known, services.redactor)
    verdict = gate.verify(claim)
    reached = VerdictReached(verdict=verdict)
    artifacts = {log_name(sha256): text.encode(errors="replace") for sha256, text in gate.logs.items()}
    if first is not None:
        judged = judge(first, verdict)
        if judged.taken == "first":
            artifacts |= put_back(services)
            unbundled(job, services, mirror, FIRST_WORK)
            head = first.head_sha
        passed = _passed(job, services, mirror, head, [reached, judged], last=last)
        return replace(passed, artifacts={**artifacts, **passed.artifacts})
    if _nothing_new(verdict) and not _respecified(job) and not job.order.rebase:
        sent = PromptSent(reason="respecify", text=_NOTHING_NEW)
        return PhaseResult("respecify", events=[reached, sent], artifacts=artifacts)
    artifacts |= _fresh_examples(job, services, verdict, claim)
    if not verdict.green and last:
        reason = f"The verification failed {f'{rounds} times' if rounds > 1 else 'once'}."
        return PhaseResult("gave_up", reason, events=[reached], artifacts=artifacts)
    if not verdict.green:
        text = feedback(verdict, earlier=earlier, diff=lambda *commits: _diff(mirror, *commits))
        sent = PromptSent(reason="verdict", text=text)
        return PhaseResult("red", events=[reached, sent], artifacts=artifacts)
    if verdict.bite and verdict.bite.survivors and not last and not _told(job, "survivors"):
        sent = PromptSent(reason="survivors", text=about_survivors(verdict))
        return PhaseResult("red", events=[reached, sent], artifacts=artifacts)
    passed = _passed(job, services, mirror, head, [reached], last=last)
    return replace(passed, artifacts={**passed.artifacts, **artifacts})


def _passed(
    job: Job,
    services: Services,
    mirror: Mirror,
    head: str,
    events: Sequence[RunnerEvent],
    *,
    last: bool,
) -> PhaseResult[RunnerEvent]:
    """Return the end of a green verdict on `head`: another model may score the change, and the reviewer
    reads it.
    """
    if is_due(job):
        result = scored(job, services, mirror, head, events)
        if result.outcome == "critique":
            return result
        events = result.events
    if not services.models.has("reviewer"):
        return PhaseResult("done", events=events)
    return _reviewed(job, services, mirror, head, events, last=last)


def _fresh_examples(job: Job, services: Services, verdict: Verdict, claim: Claim) -> dict[str, bytes]:
    """Return the held-out examples with others in the place of those that the model is shown, if there are
    any.
    """
    shown = [
        each.text
        for each in verdict.held_out
        if each.outcome == "failed" and each.text in claim.failed_examples
    ]
    if not shown:
        return {}
    feature = parse((services.artifact(FEATURE) or b"").decode(errors="replace"), job.spec.path)
    return {EXAMPLES: replaced(job, services, feature, claim.examples, shown)}


def _nothing_new(verdict: Verdict) -> bool:
    """Return whether the scenarios pass without the change, which nobody is to blame for.

    In a revision whose review asked for further scenarios, only these count.
    """
    revised = [proof for proof in verdict.scenarios if proof.revised]
    return (
        bool(verdict.scenarios)
        and all(proof.unchanged for proof in revised or verdict.scenarios)
        and not ({problem.code for problem in verdict.problems} & _FAULTS)
    )


def _respecified(job: Job) -> bool:
    return any(isinstance(event, PromptSent) and event.reason == "respecify" for event in job.events)


def _told(job: Job, reason: str) -> bool:
    """Return whether the present candidate was sent a prompt for this `reason`."""
    return any(isinstance(event, PromptSent) and event.reason == reason for event in of_candidate(job.events))


def _diff(mirror: Mirror, before: str, now: str) -> str:
    """Return what changed between two heads of the work; nothing on a machine that lacks one of them."""
    if not mirror.has(before):
        return ""
    return git("diff", *PLAIN, before, now, git_dir=mirror.path)


def _reviewed(
    job: Job,
    services: Services,
    mirror: Mirror,
    head: str,
    events: Sequence[RunnerEvent],
    *,
    last: bool,
) -> PhaseResult[RunnerEvent]:
    """Return a green verdict's end with the reviewer's remarks; serious ones go back once."""
    look_up = partial(
        looked_up, job, services, "reviewer", lend=lending(job, services, mirror, head), log=services.log
    )
    said = review(job, services, mirror, background_of(job, mirror), head, look_up)
    serious = [each for each in said.remarks if each.serious]
    before = any(
        isinstance(event, Reviewed) and any(r.serious for r in event.remarks)
        for event in of_candidate(job.events)
    )
    if not serious or before or last:
        return PhaseResult("done", events=[*events, said])
    sent = PromptSent(reason="review", text=as_feedback(serious))
    return PhaseResult("red", events=[*events, said, sent])
