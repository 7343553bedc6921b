"""Decide which pull requests are brought up to date after a push to a branch.

Asks the forge and the store; writes nothing.
"""

from bot.behaviours.target import target_of
from bot.forges.events import BaseMoved
from bot.forges.forge import Forge
from bot.intake.decisions.work_orders import StartRun, request_of
from bot.storage.run_reads import PublishedRun
from bot.storage.store import Store
from runners.contract.workorder import WorkOrder


def decide_base_moved(event: BaseMoved, forge: Forge, store: Store) -> list[StartRun]:
    """Return a run for each open pull request of the bot whose repository wants that (`auto_rebase`).

    One whose newest commit is somebody else's is left to them, and so is one that a run is at work on. Raises
    the forge's errors.
    """
    found: list[StartRun] = []
    for each in store.published(forge.kind, event.repo.full_name):
        prepared = each.prepared
        if not prepared.settings.auto_rebase or prepared.base_branch != event.branch:
            continue
        target = target_of(forge.kind, event.repo.full_name, "pull", each.published.pull)
        if store.open_runs(target):
            continue
        pull = forge.pull(event.repo, each.published.pull)
        if pull.state != "open" or pull.head_sha != each.published.commit or pull.base != event.branch:
            continue
        order = _order(each, pull.title)
        request = request_of(forge, event.repo, order, f"{target}:base:{event.commit}")
        found.append(StartRun(request=request, target=target, exclusive=False))
    return found


def _order(each: PublishedRun, title: str) -> WorkOrder:
    asked = each.requested.order
    return WorkOrder(
        kind="revise",
        number=asked.number,
        title=title,
        body=asked.body,
        requested_by=asked.requested_by,
        requested_at="",
        pull=each.published.pull,
        rebase=True,
    )
