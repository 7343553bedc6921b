"""Judge whether an environment is ready, from runs of the base commit's suites in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gherkin.values import Frozen
from runners.environment.finding.plan import looks_like_dependencies
from runners.environment.finding.sources import Sources
from runners.environment.install import EnvironmentBroken
from runners.environment.missing import missing_from
from runners.environment.prepare import own_modules


class NotReady(EnvironmentBroken):
    """The repository's tests cannot be run on its default branch, because something that they need is not
    installed."""

    code = "SCN-3204"
    next_step = (
        "Set `setup:` in .scenarist.yml to the commands that install what is missing (`scenarist init` "
        "tries them), then try again (on a forge: set the label again)."
    )


class _Failed(Protocol):
    @property
    def test(self) -> str: ...
    @property
    def message(self) -> str: ...


class _Ran(Protocol):
    """One run of one suite: its outcomes by test, its failures, why it could not be used, and its output."""

    @property
    def outcomes(self) -> Mapping[str, str]: ...
    @property
    def failures(self) -> Sequence[_Failed]: ...
    @property
    def broken(self) -> str | None: ...
    @property
    def log(self) -> str: ...


class Readiness(Frozen):
    """Whether the tests of the base can be run; if not, the first cause, and files that may name what is
    missing.
    """

    ready: bool = True
    cause: str = ""
    missing: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def demand(self) -> None:
        """Raise `NotReady` unless it is ready."""
        if self.ready:
            return
        told = f"The tests of the default branch cannot be run: {self.cause}."
        if self.files:
            shown = ", ".join(f"`{path}`" for path in self.files)
            told += f" These files look as if they named dependencies: {shown}."
        raise NotReady(told)


def judge(runs: Mapping[str, _Ran], sources: Sources, notes: Sequence[str] = ()) -> Readiness:
    """Judge the runs of the base's suites (by name); `notes` are those of the environment.

    It is not ready if a suite, or at least half of its files, could not be run because something is missing.
    Tests that fail for other reasons are the repository's own affair.
    """
    own = own_modules(sources)
    for name, run in runs.items():
        lacking = _lacking(run, own)
        if not lacking:
            continue
        cause = f"{name} misses {_listed(lacking)}"
        left_out = [
            note
            for note in notes
            if any(each.split(".")[0].replace("_", "-") in note.replace("_", "-") for each in lacking)
        ]
        cause += f" ({left_out[0].rstrip('.')})" if left_out else ""
        return Readiness(
            ready=False, cause=cause, missing=tuple(lacking), files=tuple(_relevant(sources, lacking))
        )
    return Readiness()


def _lacking(run: _Ran, own: frozenset[str]) -> list[str]:
    """Return what a suite lacks, if most of it cannot be run for that reason."""
    if run.broken:
        return _missing([run.broken, run.log], own)
    hit = {
        failure.test.partition("::")[0]: failure.message
        for failure in run.failures
        if _missing([failure.message], own)
    }
    files = {test.partition("::")[0] for test in run.outcomes}
    passed = {test.partition("::")[0] for test, outcome in run.outcomes.items() if outcome == "passed"}
    blocked = set(hit) - passed
    if not blocked or 2 * len(blocked) < len(files):
        return []
    return _missing([hit[file] for file in sorted(blocked)], own)


def _missing(texts: Iterable[str], own: frozenset[str]) -> list[str]:
    found = missing_from("\n".join(texts), own)
    return [*found.modules, *found.plugins, *(f"{each} (built by the set-up)" for each in found.own)]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _relevant(sources: Sources, lacking: Sequence[str]) -> list[str]:
    """Return the files that look like dependencies; those that name what is missing come first."""
    patterns = [
        re.compile(rf"\b{re.escape(each.split('.')[0]).replace('_', '[-_]')}\b", re.I) for each in lacking
    ]
    paths = looks_like_dependencies(sources)
    return sorted(paths, key=lambda path: not any(each.search(sources.glance(path)) for each in patterns))[:5]
