"""The protocol of launchers. A new one is a folder beside this file, and a line in `registry/launchers.py`.

A launch ends by itself when it has done the phases of its run that run repository code. The database has
their results, so a launcher reports only launches that cannot end in this way.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.storage.launches import Launch, WaitingRun
from gherkin.errors import ScenaristError
from runners.contract.operator_limits import Runner


@dataclass(frozen=True)
class LaunchFailure:
    """Why a launch cannot do its phases. The phase is repeated `repeats` times, then the run fails.

    `words` is for the operator's log alone.
    """

    error: ScenaristError
    repeats: int
    words: str = ""


@dataclass(frozen=True)
class Launched:
    """A launch that exists. `ended` says that it does nothing any more; `failure` says why it cannot
    continue.
    """

    launch: Launch
    ended: bool = False
    failure: LaunchFailure | None = None


class LauncherUnavailable(ScenaristError):
    """The place where runs are launched does not answer."""

    code = "SCN-6201"
    next_step = "Nothing to do: it is asked again automatically. If this goes on, run `scenarist doctor`."


class LaunchRefused(ScenaristError):
    """The place where runs are launched refused one."""

    code = "SCN-6202"
    next_step = "Run `scenarist doctor` on the dispatcher, and correct what it names."


class Launcher(Protocol):
    """Starts, lists and stops launches. All calls may be repeated, also by other dispatchers."""

    @property
    def runner(self) -> Runner: ...

    @property
    def most(self) -> int:
        """Return how many launches may exist at once that have not ended."""
        ...

    def launch(self, run: WaitingRun) -> None:
        """Start `scenarist worker --once RUN --fence FENCE`; a launch that exists already is left alone.

        Raises `LaunchRefused` and `LauncherUnavailable`.
        """
        ...

    def launched(self) -> Sequence[Launched]:
        """Return the launches that exist. Raises `LauncherUnavailable` when that is not known."""
        ...

    def stop(self, launch: Launch) -> None:
        """End a launch and remove it; one that does not exist is no error. Raises `LauncherUnavailable`."""
        ...

    def watching(self, changed: Callable[[], None]) -> AbstractContextManager[None]:
        """Within the context call `changed`, from any thread, soon after a launch has changed."""
        ...
