"""The critique round: another model scores a proven change, its author revises it once, and the gate decides
whether the revision is taken."""

from collections.abc import Sequence

from runners.contract.events import ModelReplied, PromptSent, RunnerEvent
from runners.contract.job import CHECKPOINT, DIFF, FIRST_DIFF, FIRST_WORK, WORK, Job, PhaseResult
from runners.contract.team_events import Critiqued, RevisionJudged
from runners.git.workspaces import Mirror
from runners.loop.services import Services
from runners.loop.single_requests.critique import as_feedback, critique, low
from runners.phases.given.checkout import background_of
from runners.phases.team.candidates import of_candidate, standing_verdict
from runners.verify.verdict import Verdict

_RANK = {"green": 0, "warning": 1, "red": 2}


def is_due(job: Job) -> bool:
    """Return whether the proven change of the present candidate still has to be scored."""
    wanted = job.settings.critique and not job.conflicts and not job.order.rebase
    scored = any(isinstance(event, Critiqued) for event in of_candidate(job.events))
    return wanted and not scored and job.spent.over(job.settings.budget) is None


def scored(
    job: Job, services: Services, mirror: Mirror, head: str, events: Sequence[RunnerEvent]
) -> PhaseResult[RunnerEvent]:
    """Have another model score the proven change at `head`; `events` precede its scores in the log.

    The outcome is ``critique`` if the author has to revise the change, which is kept meanwhile, otherwise
    ``done``.
    """
    replies = [event for event in of_candidate(job.events) if isinstance(event, ModelReplied)]
    authors = {reply.runtime for reply in replies if reply.phase == "implement"}
    said = critique(job, services, mirror, background_of(job, mirror), head=head, authors=authors)
    if not low(said.scores):
        return PhaseResult("done", events=[*events, said])
    sent = PromptSent(reason="critique", text=as_feedback(said.scores))
    kept = {FIRST_WORK: services.artifact(WORK) or b"", FIRST_DIFF: services.artifact(DIFF) or b""}
    return PhaseResult("critique", events=[*events, said, sent], artifacts=kept)


def revised(events: Sequence[RunnerEvent]) -> Verdict | None:
    """Return the verdict on the change before the revision that has to be judged; None if there is none."""
    own = of_candidate(events)
    sent = [
        at for at, event in enumerate(own) if isinstance(event, PromptSent) and event.reason == "critique"
    ]
    if not sent or any(isinstance(event, RevisionJudged) for event in own[sent[-1] :]):
        return None
    return standing_verdict(own[: sent[-1]])


def judge(first: Verdict, revision: Verdict) -> RevisionJudged:
    """Return which of a proven change and its revision is kept: the revision, unless the gate finds it worse.

    It is worse if its verdict is, if more held-out examples fail, or if a smaller share of the faults in its
    lines is noticed.
    """
    pairs = zip(_measures(first), _measures(revision), strict=True)
    worse = next((why for (before, _), (now, why) in pairs if now > before), "")
    if worse:
        return RevisionJudged(taken="first", reason=worse, revision=revision.head_sha)
    reason = "the gate finds it no worse than the change before it"
    return RevisionJudged(taken="revision", reason=reason, revision=revision.head_sha)


def _measures(verdict: Verdict) -> list[tuple[float, str]]:
    """Return what the gate measured, each with the reason why a higher value is refused; lower is better."""
    bite = verdict.bite
    return [
        (_RANK[verdict.status], f"the verdict on the revision is {verdict.status}"),
        (
            sum(each.outcome == "failed" for each in verdict.held_out),
            "the revision fails more held-out examples",
        ),
        (
            1 - bite.killed / bite.tried if bite is not None and bite.tried else 0.0,
            "the tests notice fewer faults in the lines of the revision",
        ),
    ]


def put_back(services: Services) -> dict[str, bytes]:
    """Return the artifacts that replace the revision by the change before it."""
    first = services.artifact(FIRST_WORK) or b""
    # The checkpoint too: a driver that goes on must not begin from the files of the revision.
    return {WORK: first, DIFF: services.artifact(FIRST_DIFF) or b"", CHECKPOINT: first}
