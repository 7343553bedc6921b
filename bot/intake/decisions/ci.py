"""Decide what follows from the end of a CI job. Asks the forge and the store; writes nothing."""

from collections.abc import Sequence

from bot.behaviours.red_ci import comment, marker, result_of, split_by_log, stopped_text
from bot.behaviours.target import target_of
from bot.forges.ci import Ci
from bot.forges.events import CiFinished, Ignored
from bot.forges.forge import Forge, Pull, Repo
from bot.intake.decisions.work_orders import StartRun, request_of
from bot.log.state import RunState, fold
from bot.storage.store import Store
from gherkin.values import Frozen
from runners.contract.job import CiSettings
from runners.contract.workorder import FailedJob, WorkOrder

_MOST_RUNS = 50


class CiPassed(Frozen):
    """All jobs passed on the newest commit of the bot's pull request `pull`."""

    repo: Repo
    pull: Pull
    jobs: int


class LeaveAlone(Frozen):
    """Failed jobs are not repaired; `text` (with `marker`) tells the people of the pull request why."""

    repo: Repo
    pull: int
    marker: str
    text: str
    reason: str


def decide_ci(event: CiFinished, forge: Forge, store: Store) -> StartRun | CiPassed | LeaveAlone | Ignored:
    """Return what follows from the end of a CI job. Raises the forge's errors."""
    if not isinstance(forge, Ci):
        return Ignored(reason="this forge has no CI")
    pull = next(
        (each for each in forge.pulls_by_head(event.repo, event.branch) if each.state == "open"), None
    )
    if pull is None or not forge.is_ours(event.repo, pull.author):
        return Ignored(reason="not an open pull request of ours")
    if event.commit not in ("", pull.head_sha):
        return Ignored(reason="not the newest commit of the pull request")
    run_id = store.published_by(forge.kind, event.repo.full_name, pull.head_sha)
    if run_id is None:
        return Ignored(reason="the commit is somebody else's")
    state = fold(store.entries(run_id))
    settings = state.prepared.settings.ci if state.prepared else CiSettings()
    target = target_of(forge.kind, event.repo.full_name, "pull", pull.number)
    if store.open_runs(target):
        return Ignored(reason="a run is at work on the pull request")
    head = forge.ci_jobs(event.repo, pull.head_sha, pull=pull.number)
    result = result_of(head, [], settings.ignore)
    if result.running:
        return Ignored(reason="the CI is still running")
    if not result.passed and not result.failed and not result.left:
        return Ignored(reason="no job has a result")
    if not result.failed and not result.left:
        return CiPassed(repo=event.repo, pull=pull, jobs=result.passed)
    if not settings.repairs:
        return Ignored(reason="repairs are switched off")
    result = result_of(head, forge.ci_jobs(event.repo, pull.base), settings.ignore)
    failed, broken = split_by_log([(job, forge.ci_log(event.repo, job)) for job in result.failed])
    done = _repairs_in_a_row(store, target)
    if failed and done < settings.repairs:
        request = request_of(forge, event.repo, _order(state, pull, failed), f"{target}:ci:{pull.head_sha}")
        return StartRun(request=request, target=target, exclusive=False)
    names = [job.name for job in failed]
    left = [*result.left, *broken]
    return LeaveAlone(
        repo=event.repo,
        pull=pull.number,
        marker=marker(pull.number, pull.head_sha),
        text=comment(pull.number, pull.head_sha, left, stopped_text(names, done) if failed else ""),
        reason=f"left alone: {', '.join([*names, *(each.name for each in left)])}",
    )


def _order(state: RunState, pull: Pull, failed: Sequence[FailedJob]) -> WorkOrder:
    """Return the order of a repair: that of the run that published the commit, with the failed jobs."""
    if state.requested is None:
        raise ValueError("a run's log begins with RunRequested")
    order = state.requested.order
    return WorkOrder(
        kind="revise",
        number=order.number,
        title=pull.title,
        body=order.body,
        comments=order.comments,
        requested_by=order.requested_by,
        requested_at=state.updated_at,
        pull=pull.number,
        failed_jobs=tuple(failed),
    )


def _repairs_in_a_row(store: Store, target: str) -> int:
    """Return how many of the newest runs on a pull request are repairs, without one that a person asked
    for."""
    count = 0
    for row in store.list_runs(_MOST_RUNS, target=target):
        requested = store.requested(row.id)
        if requested is None or not requested.order.failed_jobs:
            break
        count += 1
    return count
