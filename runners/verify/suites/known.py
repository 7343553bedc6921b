"""Stored results of suites on git trees: the base's results are the same in each round of a run."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from runners.verify.suites.run import SuiteRun

_RUNS: TypeAdapter[SuiteRun] = TypeAdapter(SuiteRun)
_KEPT_S = 14 * 24 * 3600.0


class KnownRuns:
    """Stores runs of suites below `folder`, which no sandbox can reach.

    `environment` identifies everything that influences results and is not in the tree.
    """

    def __init__(self, folder: Path, environment: str) -> None:
        self._folder = folder
        self._environment = environment
        self._learnt: dict[tuple[str, str], SuiteRun] = {}

    def learn(self, tree: str, runs: Mapping[str, SuiteRun]) -> None:
        """Keep in memory the runs of suites (by name) on the git tree `tree`, in the same environment."""
        self._learnt.update({(suite, tree): run for suite, run in runs.items()})

    def once(self, suite: str, tree: str, run: Callable[[], SuiteRun]) -> SuiteRun:
        """Return the stored run of `suite` on the git tree `tree`, or else the result of `run`.

        The result is stored, unless the run is broken.
        """
        if (suite, tree) in self._learnt:
            return replace(self._learnt[suite, tree], known=True)
        seed = f"{self._environment}\0{suite}\0{tree}"
        path = self._folder / f"{hashlib.sha256(seed.encode()).hexdigest()[:40]}.json"
        try:
            return replace(_RUNS.validate_json(path.read_bytes()), known=True)
        except (OSError, ValidationError):
            found = run()
        if found.broken is None:
            self._keep(path, found)
        return found

    def _keep(self, path: Path, found: SuiteRun) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - _KEPT_S
        for other in self._folder.iterdir():
            if other.stat().st_mtime < oldest:
                other.unlink(missing_ok=True)
        fresh = path.with_suffix(f".{time.monotonic_ns()}")
        fresh.write_bytes(_RUNS.dump_json(found))
        fresh.replace(path)
