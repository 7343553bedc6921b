"""The neutral events that can start something, whatever forge they come from."""

from typing import Literal

from bot.forges.forge import Account, Repo
from gherkin.values import Frozen


class IssueLabelled(Frozen):
    """A label was put on an issue whose text, at that moment (`at`, ISO 8601), was `title` and `body`.

    With `approval` it is the one that asks for scenarios which somebody approves.
    """

    repo: Repo
    number: int
    label: str
    title: str
    body: str
    at: str
    sender: Account
    approval: bool = False


class ReviewSubmitted(Frozen):
    """A review was submitted, with `body`, on a pull request of the repository itself."""

    repo: Repo
    pull: int
    head: str
    title: str
    review: int
    body: str
    at: str
    sender: Account


class ReviewCommented(Frozen):
    """A comment, `body`, was made in a review thread.

    `review` is the review it belongs to, if the forge says so.
    """

    repo: Repo
    pull: int
    head: str
    title: str
    comment: int
    review: int | None
    at: str
    sender: Account
    body: str = ""


class Commented(Frozen):
    """Somebody commented on an issue or pull request.

    `title` and `text` are the issue's as it is now, `label` is the trigger label. `before` is the comment's
    former text, when its author has edited it. `place` says whether it is an ordinary comment, one in a
    review thread, or the text of a review.
    """

    repo: Repo
    kind: Literal["issue", "pull"]
    number: int
    comment: int
    body: str
    at: str
    sender: Account
    label: str
    title: str
    text: str
    before: str = ""
    place: Literal["conversation", "thread", "review"] = "conversation"


class PullEnd(Frozen):
    """How a pull request of the bot ended.

    `head` is the newest commit of its branch at that moment, `commit` the one that its base got by the merge
    (empty where there is none).
    """

    merged: bool
    head: str = ""
    commit: str = ""


class Reverts(Frozen):
    """What new commits say that they revert: commits by their hashes (7 to 64 digits), pull requests by
    number.
    """

    commits: tuple[str, ...] = ()
    pulls: tuple[int, ...] = ()


class Withdrawn(Frozen):
    """The request of a run was withdrawn: label removed, issue or pull request closed.

    `reason` says which. `end` is how the pull request ended, if it is one.
    """

    repo: Repo
    kind: Literal["issue", "pull"]
    number: int
    reason: str
    sender: Account
    end: PullEnd | None = None


class Reopened(Frozen):
    """Somebody opened a pull request of the bot again."""

    repo: Repo
    pull: int
    sender: Account


class Reverted(Frozen):
    """A pull request was merged that says what it reverts; `commit` is the one that its base got by it."""

    repo: Repo
    reverts: Reverts
    commit: str
    sender: Account


class CommentEdited(Frozen):
    """Somebody edited the text of a comment of `author` on an issue or pull request."""

    repo: Repo
    kind: Literal["issue", "pull"] = "issue"
    number: int
    comment: int
    author: Account
    body: str
    sender: Account


class CiFinished(Frozen):
    """A job, check or pipeline of the repository's CI ended on the bot's branch `branch`.

    Others may be running still, so the results are asked of the forge. `commit` is empty where the CI ran on
    a merge of the branch and not on its newest commit.
    """

    repo: Repo
    branch: str
    commit: str
    name: str
    passed: bool


class BaseMoved(Frozen):
    """Somebody, called `by`, pushed to `branch`, which is not the bot's.

    `commit` is its newest commit now, and `reverts` what the new commits revert.
    """

    repo: Repo
    branch: str
    commit: str
    reverts: Reverts = Reverts()
    by: str = ""


class AccessLost(Frozen):
    """The bot has no access any more to `repos`, or to a whole installation."""

    repos: tuple[str, ...] = ()
    installation: int = 0
    reason: str
    by: str


class Installed(Frozen):
    """The bot was given access to `repos` (``owner/name``) by the account `by`."""

    repos: tuple[str, ...]
    installation: int = 0
    by: str
    at: str = ""


class Ignored(Frozen):
    """An event that nothing follows from, and why (one of a few fixed sentences, for logs and metrics)."""

    reason: str


# What somebody did, as against what a machine reports.
Act = CommentEdited | IssueLabelled | ReviewSubmitted | ReviewCommented | Commented | Withdrawn | AccessLost
ForgeEvent = Act | CiFinished | BaseMoved | Installed | Reopened | Reverted
