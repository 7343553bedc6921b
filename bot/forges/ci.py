"""The results of a repository's own CI, in neutral types, and what an adapter offers to read them."""

from typing import Literal, Protocol, runtime_checkable

from bot.forges.forge import Repo
from gherkin.values import Frozen

# The name of the bot's own check run or commit status: it is no job of the repository's CI.
CHECK_NAME = "scenarist"
JobState = Literal["running", "passed", "failed", "skipped"]
# The most of a log that is read, in bytes: its end.
MAX_LOG_BYTES = 400_000


class CiJob(Frozen):
    """One attempt of a job, check or status on a commit.

    `broken` is whether the forge says that the failure came from its own machines, `optional` whether the
    pipeline passes without the job. `text` is what a check reports about itself; a job has a log instead.
    """

    id: int
    name: str
    state: JobState
    broken: bool = False
    optional: bool = False
    text: str = ""
    has_log: bool = False


@runtime_checkable
class Ci(Protocol):
    """What a repair needs beyond `Forge`. All methods raise the forge's errors."""

    def ci_jobs(self, repo: Repo, commit: str, *, pull: int | None = None) -> list[CiJob]:
        """Return every attempt of every job on `commit` (a commit id, or the name of a branch), oldest first.

        With `pull` also those that ran for the pull request's merge with its target. The bot's own check is
        left out.
        """
        ...

    def ci_log(self, repo: Repo, job: CiJob) -> str:
        """Return the end of the job's log, at most `MAX_LOG_BYTES`; empty where it has none."""
        ...
