"""The branch that a run's work goes to."""

from bot.forges.forge import Forge, GitAccess, Repo
from gherkin.errors import ScenaristError
from runners.contract.workorder import WorkOrder
from runners.git.command import remote_heads
from runners.git.workspaces import branch_slug

_MAX_BRANCHES = 50


class NoFreeBranch(ScenaristError):
    """All branch names for this issue are taken."""

    code = "SCN-1102"
    next_step = "Delete old `agent/…` branches of this issue and set the label again."


def branch_names(order: WorkOrder) -> list[str]:
    """Return the names of an issue's branches in their order of use.

    They are ``agent/<issue>-<slug>``, ``agent/<issue>-<slug>-2`` and so on.
    """
    stem = f"agent/{order.number}-{branch_slug(order.title)}"
    return [stem, *(f"{stem}-{attempt}" for attempt in range(2, _MAX_BRANCHES))]


def free_branch(forge: Forge, repo: Repo, access: GitAccess, order: WorkOrder) -> str:
    """Return the first name that is neither a branch nor the branch of an earlier pull request.

    Raises `NoFreeBranch`.
    """
    names = branch_names(order)
    taken = remote_heads(access.url, access.header, *names)
    free = next((name for name in names if name not in taken and not forge.pulls_by_head(repo, name)), None)
    if free is None:
        raise NoFreeBranch(f"Branch {names[0]} and {_MAX_BRANCHES - 2} numbered ones exist already.")
    return free
