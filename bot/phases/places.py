"""Where the phases of a run are done that run repository code."""

from collections.abc import Sequence

from runners.contract.job import RunSettings
from runners.contract.operator_limits import Runner


class Places:
    """The place for runs, `usual`, and `others` that a repository may choose."""

    def __init__(self, usual: Runner, others: Sequence[Runner]) -> None:
        self._usual = usual
        self._others = others

    @property
    def far(self) -> bool:
        """Return whether runs may be done on machines that lack the bot's mirrors."""
        return {self._usual, *self._others} != {"celery"}

    def of(self, settings: RunSettings) -> Runner:
        """Return where a run is done whose repository has these settings."""
        wanted = settings.runner
        return wanted if wanted is not None and wanted in self._others else self._usual
