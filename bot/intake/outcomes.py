"""Notes what became of the bot's pull requests: merged as they were or after edits, closed, reverted."""

from collections.abc import Callable, Sequence

from bot.forges.events import BaseMoved, PullEnd, Reopened, Reverted, Reverts, Withdrawn
from bot.forges.forge import Forge, ForgeDenied, ForgeMissing, PullCommit
from bot.log.events import Became, PullEnded
from bot.log.state import fold
from bot.storage.run_reads import KnownPull
from bot.storage.store import Store
from runners.git.command import AUTHOR


class Outcomes:
    """Writes `PullEnded` into the log of a pull request's newest run; `noted(run_id)` is called then."""

    def __init__(self, store: Store, noted: Callable[[str], None]) -> None:
        self._store = store
        self._noted = noted

    def ended(self, event: Withdrawn, end: PullEnd, forge: Forge) -> None:
        """Note that a pull request was merged or closed. Raises `ForgeUnavailable`."""
        known = self._store.known_pulls(forge.kind, event.repo.full_name, event.number).get(event.number)
        if known is None:
            return
        by = event.sender.login
        if end.merged:
            became, edits = _merged(event, end, known.commits, forge)
            self._note(known, _ended(event.number, became, by, end.commit, edits))
        else:
            self._note(known, _ended(event.number, "closed", by))

    def reopened(self, event: Reopened, forge: str) -> str:
        """Note that a pull request was opened again; what came of it, in words."""
        known = self._store.known_pulls(forge, event.repo.full_name, event.pull).get(event.pull)
        if known is None or known.ended is None:
            return "no pull request of ours was closed"
        self._note(known, _ended(event.pull, "open", event.sender.login))
        return "the pull request was opened again"

    def reverted(self, event: BaseMoved | Reverted, forge: str) -> str:
        """Note which merged pull requests new commits revert; what came of it, in words.

        After a push only that into the branch which had the change.
        """
        by = event.by if isinstance(event, BaseMoved) else event.sender.login
        found = []
        for pull, known in self._named(forge, event.repo.full_name, event.reverts):
            if known.ended is None or known.ended.became not in ("merged", "edited"):
                continue
            prepared = fold(self._store.entries(known.run_id)).prepared
            if isinstance(event, BaseMoved) and (prepared is None or prepared.base_branch != event.branch):
                continue
            self._note(known, _ended(pull, "reverted", by, event.commit))
            found.append(str(pull))
        return f"reverted: {', '.join(found)}" if found else "nothing of ours was reverted"

    def _named(self, forge: str, repo: str, reverts: Reverts) -> list[tuple[int, KnownPull]]:
        """Return the pull requests that `reverts` names by number or commit."""
        if not reverts.commits and not reverts.pulls:
            return []

        def is_named(pull: int, known: KnownPull) -> bool:
            merged = known.ended.commit if known.ended is not None else ""
            commits = [each for each in (merged, *known.commits) if each]
            return pull in reverts.pulls or any(
                each.startswith(named) for each in commits for named in reverts.commits
            )

        pulls = self._store.known_pulls(forge, repo)
        return [(pull, known) for pull, known in pulls.items() if is_named(pull, known)]

    def _note(self, known: KnownPull, event: PullEnded) -> None:
        if known.ended != event:
            self._store.note(known.run_id, event)
            self._noted(known.run_id)


def _merged(event: Withdrawn, end: PullEnd, ours: Sequence[str], forge: Forge) -> tuple[Became, int]:
    """Return whether others changed a merged pull request after the bot's last push, and by how many commits.

    Merges of the base into the branch do not count, nor does a rebase that keeps the bot as the author.
    """
    try:
        commits = forge.pull_commits(event.repo, event.number)
    except (ForgeDenied, ForgeMissing):
        return ("merged" if end.head in ours else "edited"), 0
    edits = len(edits_of(commits, ours))
    return ("edited" if edits else "merged"), edits


def edits_of(commits: Sequence[PullCommit], ours: Sequence[str]) -> list[PullCommit]:
    """Return the commits of others behind the last one whose hash is in `ours`; all of theirs if none is."""
    last = max((n for n, each in enumerate(commits) if each.sha in ours), default=-1)
    return [each for each in commits[last + 1 :] if not each.merge and each.email != AUTHOR[1]]


def _ended(pull: int, became: Became, by: str, commit: str = "", edits: int = 0) -> PullEnded:
    return PullEnded(pull=pull, became=became, by=by, commit=commit, edits=edits)
