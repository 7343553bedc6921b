"""Find out whether edited tests still notice what they noticed before, on code that returns other results.

Each side is tried by itself: the old tests on the base's code, and the new tests on the head's. What a test
noticed there and does not notice here, it no longer checks.
"""

import re
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from runners.git.command import list_files, read_blob
from runners.sandbox.beneath import put_file, read_file
from runners.verify.instrumentation import sabotage
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites

_MAX_PRODUCT = 500
# What makes a test indifferent to the order of a list.
_UNORDERED = re.compile(r"\b(?:sorted|set|frozenset|Counter|assertCountEqual|unordered)\(|\.sort\(")

Checkout = Callable[[str, str], AbstractContextManager[Path]]


class Loosened:
    """Compares the tests of two commits.

    `checkout(commit, name)` makes a fresh worktree. `is_product(path)` says whether a file is code of the
    product. `runs` are the runs that were made.
    """

    def __init__(
        self, git_dir: Path, suites: Suites, checkout: Checkout, is_product: Callable[[str], bool]
    ) -> None:
        self._git_dir = git_dir
        self._suites = suites
        self._checkout = checkout
        self._is_product = is_product
        self.runs: list[tuple[str, SuiteRun]] = []

    def tests(
        self, base: str, head: str, paths: Sequence[str], before: SuiteRun, after: SuiteRun
    ) -> list[str]:
        """Return the tests of the files `paths` that notice less on `head` than on `base`, without their
        parameters.

        `before` and `after` are the plain runs of pytest. If tests were moved within a file, the file counts
        as a whole: if new tests notice the results, none is returned.
        """
        states = [sabotage.STRANGE]
        if any(self._unordered(head, path) > self._unordered(base, path) for path in paths):
            states.append(sabotage.TURNED)
        found: set[str] = set()
        for state in states:
            was = self._tried(base, paths, state, before)
            if not was.notices:
                continue
            now = self._tried(head, paths, state, after)
            lost = was.notices & now.blind
            if away := was.notices & now.untouched:
                # What does not even notice that all code is broken does not run it any more.
                lost |= away & self._tried(head, paths, sabotage.state(sabotage.RAISES), after).untouched
            gained = {_file(test) for test in now.notices - was.notices if test not in _stems(before)}
            found |= {test for test in lost if _file(test) not in gained}
        return sorted(found)

    def silent(
        self, commit: str, paths: Sequence[str], tests: Sequence[str], plain: SuiteRun, *, functions: bool
    ) -> bool:
        """Return whether none of the `tests` in the files `paths` notices that the code returns other
        results.

        This counts only if results were altered while the tests ran. If the change consists of `functions`,
        it also counts if no test notices that all of them raise.
        """
        tried = self._tried(commit, paths, sabotage.STRANGE, plain)
        own = {_stem(test) for test in tests}
        if own & tried.notices:
            return False
        if own & tried.blind or not functions or not own <= tried.untouched:
            return bool(own & tried.blind)
        return own <= self._tried(commit, paths, sabotage.state(sabotage.RAISES), plain).untouched

    def _tried(self, commit: str, paths: Sequence[str], state: str, plain: SuiteRun) -> "_LoosenedTests":
        own = [path for path in list_files(self._git_dir, commit) if self._is_product(path)]
        python = [path for path in own if path.endswith(".py")]
        if not python or len(python) > _MAX_PRODUCT:
            return _LoosenedTests()
        with (
            tempfile.TemporaryDirectory(prefix="scenarist-switch-") as folder,
            self._checkout(commit, "loosened") as root,
        ):
            switch = self._suites.switch_path(Path(folder))
            for path in python:
                _instrument(root, path, switch, broken=state.startswith((sabotage.RAISES, sabotage.NOTHING)))
            run, altered, dropped = self._suites.other_results(root, paths, Path(folder), state)
        self.runs.append((commit, run))
        if run.broken:
            return _LoosenedTests()
        passed = {test for test, outcome in plain.outcomes.items() if outcome == "passed"}
        ran = {test for test in run.outcomes if test in passed}
        notices = {_stem(test) for test in ran if run.outcomes[test] in ("failed", "error")}
        blind = {_stem(test) for test in ran & altered if run.outcomes[test] == "passed"} - notices
        if vain := {_stem(test) for test in ran & dropped} - notices - blind:
            # Where nobody uses a result, only what the code does can be noticed.
            idle = self._tried(commit, paths, sabotage.state(sabotage.NOTHING), plain)
            blind |= vain & idle.untouched
            notices |= vain & idle.notices
        return _LoosenedTests(notices, blind, {_stem(test) for test in ran} - notices - blind)

    def _unordered(self, commit: str, path: str) -> int:
        content = read_blob(self._git_dir, commit, path) or b""
        return len(_UNORDERED.findall(content.decode(errors="replace")))


@dataclass(frozen=True)
class _LoosenedTests:
    """Tests, without their parameters, on code that returns other results.

    They are divided into tests that notice it, tests that pass although results were altered, and tests that
    pass with no result altered.
    """

    notices: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    untouched: set[str] = field(default_factory=set)


def _instrument(root: Path, path: str, switch: str, *, broken: bool) -> None:
    source = read_file(root, path)
    if source is None:
        return
    try:
        change = sabotage.all_broken if broken else sabotage.other_results
        put_file(root, path, change(source.decode(), switch).encode())
    except (SyntaxError, UnicodeDecodeError, OSError):
        return


def _stem(test: str) -> str:
    return test.partition("[")[0]


def _stems(run: SuiteRun) -> set[str]:
    return {_stem(test) for test in run.outcomes}


def _file(test: str) -> str:
    return test.partition("::")[0]
