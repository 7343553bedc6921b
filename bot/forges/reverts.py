"""Find what a commit or a pull request says that it reverts, in the words of git, GitHub and GitLab."""

import re
from collections.abc import Iterable

from bot.forges.events import Reverts

# `git revert` writes the first; the buttons of GitHub and GitLab write the others.
# https://git-scm.com/docs/git-revert
_COMMIT = re.compile(r"^This reverts commit (?P<commit>[0-9a-f]{7,64})\b", re.MULTILINE)
_NAME = r"(?P<repo>[\w.-]+(?:/[\w.-]+)+)?"
_PULLS = (
    re.compile(rf"^Reverts {_NAME}#(?P<pull>\d{{1,9}})\b", re.MULTILINE),
    re.compile(rf"^This reverts merge request {_NAME}!(?P<pull>\d{{1,9}})\b", re.MULTILINE),
)


def reverts(texts: Iterable[str], repo: str) -> Reverts:
    """Return what the messages `texts` say that they revert in the repository `repo` (``owner/name``)."""
    commits: dict[str, None] = {}
    pulls: dict[int, None] = {}
    for text in texts:
        commits |= {found["commit"]: None for found in _COMMIT.finditer(text)}
        for found in (each for form in _PULLS for each in form.finditer(text)):
            if (found["repo"] or repo).lower() == repo.lower():
                pulls[int(found["pull"])] = None
    return Reverts(commits=tuple(commits), pulls=tuple(pulls))
