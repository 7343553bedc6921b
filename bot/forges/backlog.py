"""What an adapter offers to import a backlog: issues that are made once, and found again by a marker."""

import re
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bot.forges.forge import Issue, Repo


@runtime_checkable
class Backlog(Protocol):
    """What a backlog import needs beyond `Forge`; not every adapter has it."""

    def marked_issues(self, repo: Repo, prefix: str) -> dict[str, int]:
        """Return what stands behind `prefix` in a ``<!-- … -->`` of an issue's text -> the number of the
        first such issue, open or closed.
        """
        ...

    def create_issue(self, repo: Repo, title: str, body: str, labels: Sequence[str]) -> Issue: ...


def marks(body: str, prefix: str) -> list[str]:
    """Return what follows `prefix` in the HTML comments of a text."""
    return re.findall(rf"<!-- {re.escape(prefix)}([\w.-]+) -->", body)
