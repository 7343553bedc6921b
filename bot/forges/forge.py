"""The `Forge` protocol: what the bot needs from GitHub, GitLab or the local forge, in neutral types.

Every effect is idempotent: it is looked up by its natural key or hidden marker before it is made, and
read back after an ambiguous failure.
"""

from typing import Literal, Protocol, get_args

from pydantic import Field

from gherkin.errors import ScenaristError
from gherkin.values import Frozen

# What a number belongs to. On GitHub issues and pull requests share their numbers, on GitLab they do not.
TargetKind = Literal["issue", "pull"]
# From the least to the most: each may do what those before it may.
Permission = Literal["none", "read", "write", "maintain", "admin"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
# All branches of the bot begin so.
BRANCH_PREFIX = "agent/"
CheckState = Literal["queued", "in_progress", "success", "failure", "neutral", "cancelled"]


class Account(Frozen):
    """Who did something. `id` is the forge's number for the account: names can be reused, ids cannot.

    `bot` is whether the forge's event says that it is no person.
    """

    id: int
    login: str
    bot: bool = False


class Repo(Frozen):
    """A repository as the forge addresses it; `installation` is GitHub's installation id (0: none)."""

    full_name: str
    installation: int = 0


class Issue(Frozen):
    """An issue. `known_as` is its number for other people, if it is another one than `number`; 0: none."""

    number: int
    title: str
    body: str
    author: Account
    labels: tuple[str, ...] = ()
    open: bool = True
    known_as: int | None = None


class Comment(Frozen):
    id: int
    author: Account
    body: str
    created_at: str
    updated_at: str = ""


class Pull(Frozen):
    """A pull (merge) request of the repository itself; `head_repo` differs for forks."""

    number: int
    url: str
    title: str
    body: str
    head: str
    head_sha: str
    base: str
    state: Literal["open", "closed", "merged"]
    author: Account
    head_repo: str = ""
    draft: bool = False


class PullCommit(Frozen):
    """A commit of a pull request; `email` is its author's, and `merge` says that it merges another branch."""

    sha: str
    email: str
    merge: bool = False


class Label(Frozen):
    """A label as it is made where the repository has none of that name; `color` is six hex digits."""

    name: str
    color: str
    description: str


class ReviewComment(Frozen):
    """One comment of a review thread. `thread` is the id of the thread's first comment.

    `start` is the first line of the remark where it covers several, up to `line`. `commit` is the commit in
    which the lines are; empty where they are not in the file any more, or only in the old version of it.
    """

    id: int
    thread: int
    author: Account
    body: str
    path: str
    line: int | None = None
    start: int | None = None
    commit: str = ""
    created_at: str = ""
    updated_at: str = ""
    review: int | None = None


class Review(Frozen):
    id: int
    author: Account
    body: str
    state: str
    submitted_at: str = ""


class Annotation(Frozen):
    """One line-anchored finding of a check run; `line` counts from 1."""

    path: str
    line: int = Field(ge=1)
    level: Literal["notice", "warning", "failure"]
    title: str
    message: str


class Check(Frozen):
    """A check run (GitHub) or commit status (elsewhere), found again by `name` on `head_sha`."""

    name: str
    head_sha: str
    external_id: str
    state: CheckState
    title: str
    summary: str
    details_url: str = ""
    annotations: tuple[Annotation, ...] = ()


class GitAccess(Frozen):
    """How to reach a repository over git for one phase.

    `header` is the whole ``Authorization: …`` line or empty; it goes to git through the environment,
    never into a command line or a `.git/config`.
    """

    url: str
    header: str = Field(default="", repr=False)


# A body of this many characters is taken by every forge.
SMALLEST_BODY = 65_536


class Capabilities(Frozen):
    """What a forge can do and others cannot.

    `max_body` is the most characters of a comment, a pull request's text or a check's summary. `pull_sign`
    is what stands before the number of a pull request in a reference to it. What an adapter may lack
    altogether are protocols of their own: `Backlog`, `Ci`.
    """

    max_body: int = SMALLEST_BODY
    pull_sign: str = "#"


class Forge(Protocol):
    """One forge, seen by the trusted side. Numbers are the forge's own; texts are as stored there.

    All methods raise `ForgeUnavailable` (try again later), `ForgeDenied` (credentials or permissions)
    or `ForgeMissing` (no such thing).
    """

    kind: str
    capabilities: Capabilities

    def permission(self, repo: Repo, account: Account) -> Permission:
        """Return the account's present right on `repo`, asked at the moment of use."""
        ...

    def in_team(self, repo: Repo, account: Account, team: str) -> bool:
        """Return whether the account belongs to `team`: a team's slug on GitHub, a group's path on GitLab."""
        ...

    def issue(self, repo: Repo, number: int) -> Issue: ...

    def comments(self, repo: Repo, number: int, *, on: TargetKind = "issue") -> list[Comment]:
        """Return all comments of an issue or pull request, oldest first."""
        ...

    def default_branch(self, repo: Repo) -> str: ...

    def read_file(self, repo: Repo, path: str) -> str | None:
        """Return the text of a file on the default branch; None where there is none."""
        ...

    def git_access(self, repo: Repo, *, write: bool) -> GitAccess:
        """Return a remote URL and a freshly minted credential for `repo` alone, read-only unless `write`."""
        ...

    def upsert_comment(
        self, repo: Repo, number: int, marker: str, body: str, known: int | None, *, on: TargetKind = "issue"
    ) -> int:
        """Create or edit the one comment of ours that holds `marker`; returns its id.

        `body` must contain `marker`. `known` is the id recorded earlier, if any: it saves the search.
        """
        ...

    def pulls_by_head(self, repo: Repo, branch: str) -> list[Pull]:
        """Pull requests of any state whose head is `branch` of `repo` itself, newest first."""
        ...

    def pull(self, repo: Repo, number: int) -> Pull: ...

    def pull_commits(self, repo: Repo, number: int) -> list[PullCommit]:
        """Return the commits of a pull request that its base does not have, oldest first, also after its
        merge.
        """
        ...

    def ensure_pull(
        self, repo: Repo, *, head: str, base: str, title: str, body: str, draft: bool = False
    ) -> Pull:
        """Open the pull request for `head`, or adopt the open one and bring its title and body up to date.

        A new one is opened as a `draft` where the forge lets repositories like this have drafts.

        Raises `PullClosed` when the only one for this head is closed: it is never opened anew.
        """
        ...

    def set_ready(self, repo: Repo, number: int) -> None:
        """Make a draft pull request ready for review; nothing happens to one that is."""
        ...

    def upsert_check(self, repo: Repo, check: Check) -> int:
        """Create or update the check run `check.name` on `check.head_sha`; returns its id."""
        ...

    def review(self, repo: Repo, pull: int, review: int) -> Review: ...

    def review_comments(self, repo: Repo, pull: int) -> list[ReviewComment]:
        """Return all review comments of a pull request, oldest first, replies among them."""
        ...

    def reply_in_thread(self, repo: Repo, pull: int, thread: int, marker: str, body: str) -> int:
        """Answer in the thread, once per `marker` (which `body` must contain); returns the
        comment's id.
        """
        ...

    def resolve_thread(self, repo: Repo, pull: int, thread: int) -> bool:
        """Mark a review thread as resolved; return False where the forge does not let the bot do so."""
        ...

    def react(
        self, repo: Repo, number: int, comment: int | None, *, on: TargetKind, in_thread: bool = False
    ) -> None:
        """Put an 👀 on a comment, or without one on the issue or pull request itself, once.

        `in_thread` says that the comment is one of a review thread.
        """
        ...

    def put_label(self, repo: Repo, number: int, label: Label, *, on: TargetKind) -> None:
        """Put a label on an issue or pull request; it is made where the repository has none of that name."""
        ...

    def drop_label(self, repo: Repo, number: int, label: str, *, on: TargetKind) -> None:
        """Take a label off; nothing happens where it is not on."""
        ...

    def is_ours(self, repo: Repo, account: Account) -> bool:
        """Return whether the account is the bot itself, by id."""
        ...

    def login(self, repo: Repo) -> str:
        """Return the login of the bot's own account, by which people mention it."""
        ...


class ForgeUnavailable(ScenaristError):
    """The forge failed, timed out or rate-limited us.

    `wait_s` is how long it wants to be left alone, in seconds.
    """

    wait_s = 0.0

    code = "SCN-1001"
    next_step = (
        "Nothing to do: the request is repeated automatically. If this goes on, look at the status page of "
        "the forge."
    )


class ForgeDenied(ScenaristError):
    """The forge refused our credentials or permissions."""

    code = "SCN-1002"
    next_step = (
        "Check that the App is installed on the repository, or that the token has its scopes and role, and "
        "that it may read and write contents, issues, pull requests and checks. `scenarist doctor` checks it."
    )


class ForgeMissing(ScenaristError):
    """The forge has no such repository, issue, pull request or comment."""

    code = "SCN-1003"
    next_step = "Check that it was not deleted, moved or renamed, and that the App can see it."


class PullClosed(ScenaristError):
    """The pull request for this branch was closed by somebody."""

    code = "SCN-1004"
    next_step = "Reopen the pull request, or set the label again for a fresh branch."
