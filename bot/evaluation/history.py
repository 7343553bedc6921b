"""A set made from a repository's history: each change that came with tests becomes a task."""

import re
from collections.abc import Iterator
from pathlib import Path

from bot.evaluation.task_set import GitTree, Hidden, Task, Tree
from gherkin.issue.kinds import Kind
from gherkin.values import Frozen
from runners.git.command import changed_files, git
from runners.verify.rules.purposes import is_judge, is_product, purpose_of

_MERGED = re.compile(r"^Merge pull request #(?P<number>\d+) from \S+\s*$")
_SQUASHED = re.compile(r"^(?P<title>.*\S) \(#(?P<number>\d+)\)\s*$")
_MERGED_ON_GITLAB = re.compile(r"^See merge request \S*!(?P<number>\d+)\s*$", re.MULTILINE)
_REFERENCE = re.compile(
    r"^(?:Co-authored-by|Signed-off-by|Reviewed-by|Change-Id|See merge request)\b.*$", re.I | re.M
)
_FIX = re.compile(r"\b(?:fix(?:e[sd])?|bugs?|regression|crash(?:es)?)\b", re.I)
_FORMAT = "%H%x00%P%x00%s%x00%b%x01"


class Changed(Frozen):
    """A commit of the main line: its first parent, its title and text, the number of its pull request.

    `number` is 0 where the message names none.
    """

    commit: str
    parent: str
    title: str
    text: str
    number: int = 0


def changes(git_dir: Path, branch: str, most: int) -> Iterator[Changed]:
    """Yield the newest `most` commits of the main line of `branch`, the newest first.

    A merged pull request is one change, however many commits it had.
    """
    out = git("log", "--first-parent", f"--max-count={most}", f"--format={_FORMAT}", branch, git_dir=git_dir)
    for record in filter(None, (each.strip("\n") for each in out.split("\x01"))):
        commit, parents, subject, body = record.split("\0", 3)
        if not parents:
            continue
        title, number = subject, 0
        if merged := _MERGED.match(subject):
            first, _, body = body.strip().partition("\n")
            title, number = first or subject, int(merged["number"])
        elif squashed := _SQUASHED.match(subject):
            title, number = squashed["title"], int(squashed["number"])
        elif named := _MERGED_ON_GITLAB.search(body):
            first, _, rest = body.strip().partition("\n")
            title, number = first, int(named["number"])
            body = rest
        text = _REFERENCE.sub("", body).strip()
        yield Changed(commit=commit, parent=parents.split()[0], title=title, text=text, number=number)


def task_of(git_dir: Path, url: str, change: Changed, *, most_files: int) -> Task | None:
    """Return the task of a change, or None if it makes none.

    It makes one if it adds or edits Python tests, edits up to `most_files` files of the product, and neither
    is all. The hidden tests are those that it adds or edits, with their fixtures. `url` is where tasks find
    the repository.
    """
    paths = changed_files(git_dir, change.parent, change.commit)
    kept = [path for status, path in paths if status != "D"]
    tests = [path for path in kept if purpose_of(path) == "test" and path.endswith(".py")]
    product = [path for _, path in paths if is_product(path)]
    if not tests or not product or len(product) > most_files:
        return None
    judges = tuple(path for path in kept if is_judge(path))
    after = GitTree(url=url, commit=change.commit)
    name = f"pull-{change.number}" if change.number else change.commit[:10]
    kind: Kind = "bug" if _FIX.search(change.title) else "feature"
    added = tuple(path for path in kept if path in product)
    return Task(
        id=name,
        kind=kind,
        issue=f"{change.title}\n\n{change.text}".strip() + "\n",
        base=Tree(git=GitTree(url=url, commit=change.parent)),
        hidden=Hidden(files=(Tree(git=after, keep=_exact(judges)),), tests=tuple(tests)),
        fix=(Tree(git=after, keep=_exact(added)),) if added else (),
    )


def _exact(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return globs that match these paths alone."""
    return tuple(re.sub(r"([*?\[])", r"[\1]", path) for path in paths)
