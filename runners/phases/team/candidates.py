"""Candidates: the same scenarios are implemented more than once, and what was run decides which one is taken.

A candidate starts from the locked scenarios with its own driver and knows nothing of the others. Candidates
work one after the other, or side by side (`runners/phases/side_by_side.py`). The gate decides first; then the
steps and new tests of each proven candidate are run on the code of the others.
"""

from collections.abc import Sequence
from dataclasses import replace

from runners.contract.events import ModelReplied, RunnerEvent, SpecWritten, VerdictReached
from runners.contract.job import (
    CANDIDATE_DIFF,
    CANDIDATE_WORK,
    CHECKPOINT,
    DIFF,
    WORK,
    CandidateSettings,
    Job,
    PhaseResult,
    RunSettings,
)
from runners.contract.operator_limits import OperatorLimits
from runners.contract.team_events import (
    CandidateBegun,
    CandidateChosen,
    CandidateEnded,
    Critiqued,
    RevisionJudged,
)
from runners.git.command import git
from runners.git.workspaces import Mirror, work_ref
from runners.loop.services import Services
from runners.phases.given.checkout import environment_of, sandboxes_of, suites_of, unbundled
from runners.phases.team.pairing import disagreed, is_paired, roles_of
from runners.verify.findings import Crossed
from runners.verify.gate.crossing import CandidateCommits, Crossing, changed_lines
from runners.verify.verdict import Verdict

_RANK = {"green": 0, "warning": 1, "red": 2, "none": 3}
_PROVEN = ("green", "warning")


def since_spec(events: Sequence[RunnerEvent]) -> Sequence[RunnerEvent]:
    """Return the events since the scenarios were last written."""
    last = max((at for at, event in enumerate(events) if isinstance(event, SpecWritten)), default=-1)
    return events[last + 1 :]


def of_candidate(events: Sequence[RunnerEvent]) -> Sequence[RunnerEvent]:
    """Return the events of the present candidate."""
    own = since_spec(events)
    last = max((at for at, event in enumerate(own) if isinstance(event, CandidateBegun)), default=-1)
    return own[last + 1 :]


def number_of(events: Sequence[RunnerEvent]) -> int:
    """Return the number of the present candidate, from 1."""
    return 1 + sum(isinstance(event, CandidateBegun) for event in since_spec(events))


def standing_verdict(events: Sequence[RunnerEvent]) -> Verdict | None:
    """Return the verdict on the work of the present candidate, None before the first one.

    It is the newest verdict, or the one before a revision that was not taken.
    """
    standing: Verdict | None = None
    first: Verdict | None = None
    for event in of_candidate(events):
        if isinstance(event, VerdictReached):
            standing = event.verdict
        elif isinstance(event, Critiqued):
            first = standing
        elif isinstance(event, RevisionJudged) and event.taken == "first":
            standing = first
    return standing


def verdicts_of(events: Sequence[RunnerEvent]) -> list[Verdict]:
    """Return the verdicts of the present candidate."""
    return [event.verdict for event in of_candidate(events) if isinstance(event, VerdictReached)]


def has_proven(events: Sequence[RunnerEvent]) -> bool:
    """Return whether an earlier candidate for these scenarios was proven."""
    return any(isinstance(event, CandidateEnded) and event.status in _PROVEN for event in since_spec(events))


def concluded(
    job: Job, services: Services, mirror: Mirror, result: PhaseResult[RunnerEvent]
) -> PhaseResult[RunnerEvent]:
    """Return how the phase ends after the candidate of `result` is finished.

    If the run has only one candidate, that is `result`. Otherwise the next candidate begins, or one of them
    is chosen. Raises `EnvironmentBroken` and `WorkLost`.
    """
    events = [*job.events, *result.events]
    disagreement = (
        is_paired(job, services.operator) and number_of(events) == 1 and disagreed(of_candidate(events))
    )
    settings = wanted(job.settings, services.operator, disagreement=disagreement or number_of(events) > 1)
    if settings.count == 1 or job.conflicts or job.order.rebase:
        return result
    ended = ended_candidate(job, services, mirror, events, result)
    before = [event for event in since_spec(job.events) if isinstance(event, CandidateEnded)]
    number = ended.number
    result = replace(
        result,
        events=[*result.events, ended],
        artifacts={
            **result.artifacts,
            CANDIDATE_WORK.format(number): _artifact(services, result, WORK),
            CANDIDATE_DIFF.format(number): _artifact(services, result, DIFF),
        },
    )
    enough = settings.when == "red" and ended.status in _PROVEN and not disagreement
    if not enough and number < settings.count and not job.spent.over(job.settings.budget):
        return _next(job, services, mirror, result, number + 1, ended)
    if not before:
        return result
    return chosen(job, services, mirror, result, [*before, ended])


def wanted(settings: RunSettings, operator: OperatorLimits, *, disagreement: bool) -> CandidateSettings:
    """Return how many candidates a run may have, and when, within the operator's limits.

    A council has at least two and makes all of them. A run whose pair disagreed also has at least two.
    """
    given = settings.candidates
    council = settings.mode == "council" and "council" in operator.modes
    count = max(given.count, 2) if council or disagreement else given.count
    return CandidateSettings(count=min(count, operator.candidates), when="always" if council else given.when)


def _next(
    job: Job,
    services: Services,
    mirror: Mirror,
    result: PhaseResult[RunnerEvent],
    number: int,
    ended: CandidateEnded,
) -> PhaseResult[RunnerEvent]:
    """Return the end of a phase after which candidate `number` starts from the locked scenarios."""
    proven = ended.status in _PROVEN
    reason = "another proven one is wanted" if proven else "the one before could not be proven"
    runtime = services.models.candidate(number)[0]
    if is_paired(job, services.operator):
        roles = roles_of(services.models, number, [])
        runtime = roles.driver if roles is not None else runtime
        if disagreed(of_candidate([*job.events, *result.events])):
            reason = "the pair disagreed"
    begun = CandidateBegun(number=number, runtime=runtime, reason=reason)
    start = mirror.bundle_commit(job.spec.commit, work_ref(job.run_id), base=job.base)
    return replace(
        result,
        outcome="candidate",
        reason="",
        events=[*result.events, begun],
        # The checkpoint too: a run that is resumed must not go on from the other candidate's files.
        artifacts={**result.artifacts, WORK: start, CHECKPOINT: start},
    )


def chosen(
    job: Job,
    services: Services,
    mirror: Mirror,
    result: PhaseResult[RunnerEvent],
    ended: Sequence[CandidateEnded],
) -> PhaseResult[RunnerEvent]:
    """Return the end of a phase in which the best of all candidates is taken."""
    rivals = [each for each in ended if each.status in _PROVEN]
    crossed = _crossed(job, services, mirror, rivals) if len(rivals) > 1 else ()
    ranked = rank(rivals or ended, crossed)
    best = ranked[0]
    taken = CandidateChosen(
        number=best.number, reason=reason_for(ranked, len(ended), crossed), crossed=crossed
    )
    artifacts = dict(result.artifacts)
    if best.number != ended[-1].number:
        artifacts[WORK] = services.artifact(CANDIDATE_WORK.format(best.number)) or b""
        artifacts[DIFF] = services.artifact(CANDIDATE_DIFF.format(best.number)) or b""
    events = [*result.events, taken]
    if not rivals:
        reason = f"None of {len(ended)} candidates could be proven. {result.reason}".strip()
        return replace(result, reason=reason, events=events, artifacts=artifacts)
    return replace(result, outcome="chosen", reason="", events=events, artifacts=artifacts)


def rank(candidates: Sequence[CandidateEnded], crossed: Sequence[Crossed]) -> list[CandidateEnded]:
    """Return the candidates, best first.

    The criteria, in this order: the gate's verdict, the number of its problems, failures in the others'
    tests, noticed faults in the candidate's lines, its size, and its number.
    """
    return sorted(candidates, key=lambda each: [value for value, _ in _measures(each, crossed)])


def reason_for(ranked: Sequence[CandidateEnded], count: int, crossed: Sequence[Crossed]) -> str:
    """Return why the first of `ranked` is taken of `count` candidates, as the end of "because …"."""
    best, *others = ranked
    if best.status not in _PROVEN:
        return "it has the fewest problems"
    if not others:
        return f"it is the only one of {count} that was proven"
    pairs = zip(_measures(best, crossed), _measures(others[0], crossed), strict=True)
    return next(why for (value, why), (other, _) in pairs if value != other)


def _measures(each: CandidateEnded, crossed: Sequence[Crossed]) -> list[tuple[float, str]]:
    """Return what decides between candidates, lowest value first, each with the reason that it gives."""
    failed = sum(len(pair.failed) for pair in crossed if pair.number == each.number)
    missed = 1 - each.noticed / each.tried if each.tried else 0.0
    return [
        (_RANK[each.status], "its verdict is better"),
        (each.problems, "it has the fewest problems"),
        (failed, "it fails the fewest tests of the others"),
        (missed, "its tests notice more faults in its lines"),
        (each.lines, "it changes the fewest lines"),
        (each.number, "it was the first of equals"),
    ]


def _crossed(
    job: Job, services: Services, mirror: Mirror, rivals: Sequence[CandidateEnded]
) -> tuple[Crossed, ...]:
    """Run each candidate's code with the steps and new tests of each other candidate."""
    for each in rivals:
        # The newest one need not be stored yet; then it is in the mirror.
        if services.artifact(CANDIDATE_WORK.format(each.number)) is not None:
            unbundled(job, services, mirror, CANDIDATE_WORK.format(each.number))
    suites = suites_of(job, services, sandboxes_of(job, services, environment_of(job, services)))
    crossing = Crossing(services.workspaces, mirror, suites, job.run_id, base=job.base, feature=job.spec.path)
    known = [CandidateCommits(each.number, each.head, each.proof) for each in rivals]
    return tuple(crossing.run(own, other) for own in known for other in known if own != other)


def ended_candidate(
    job: Job,
    services: Services,
    mirror: Mirror,
    events: Sequence[RunnerEvent],
    result: PhaseResult[RunnerEvent],
) -> CandidateEnded:
    """Return the summary of the finished candidate; `events` and `result` are all that it left."""
    own = of_candidate(events)
    made = ("implement", "pair")
    replies = [event for event in own if isinstance(event, ModelReplied) and event.phase in made]
    verdict = standing_verdict(events)
    work = mirror.unbundle(_artifact(services, result, WORK), work_ref(job.work_id))
    beside = job.spec.shadow or not job.spec.path
    head = git("rev-parse", f"{work}^1", git_dir=mirror.path) if beside else work
    bite = verdict.bite if verdict is not None else None
    return CandidateEnded(
        number=number_of(events),
        runtimes=tuple(dict.fromkeys(reply.runtime for reply in replies)),
        status=verdict.status if verdict is not None else "none",
        head=head,
        proof=work,
        problems=len(verdict.problems) if verdict is not None else 0,
        noticed=bite.killed if bite is not None else 0,
        tried=bite.tried if bite is not None else 0,
        lines=changed_lines(mirror, job.base, head),
        turns=len(replies),
        tokens=sum(each.reply.usage.prompt_tokens + each.reply.usage.completion_tokens for each in replies),
        cost=sum(each.cost for each in replies),
    )


def _artifact(services: Services, result: PhaseResult[RunnerEvent], name: str) -> bytes:
    return result.artifacts.get(name) or services.artifact(name) or b""
