"""Judge existing tests that a change edits: their old form on the new code, and what they no longer check."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from runners.git.command import (
    TreeEntry,
    changed_files,
    commit_on,
    read_blob,
    store_blob,
    tree_entries,
)
from runners.verify.claim import Claim
from runners.verify.experiments.loosened import Loosened
from runners.verify.gate.judging import names_of_test
from runners.verify.gate.regression import Note
from runners.verify.rules.asked import asked_for
from runners.verify.rules.purposes import is_product
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites
from runners.verify.verdict import ChangedTests, Failure, Problem

# Altered functions that are put back one at a time, and files that are run for a helper of the tests.
_FUNCTIONS = 6
_FILES = 20
_ROWS = (".json", ".csv", ".tsv", ".yaml", ".yml", ".txt", ".jsonl")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class EditedTests:
    """The tests that a claim's change edits; `changed` is the result of their old form.

    `opened(commit, name)` makes a checkout for `suites`; `note(commit, run, purpose)` keeps a run as
    evidence.
    """

    def __init__(
        self,
        git_dir: Path,
        claim: Claim,
        changed: ChangedTests,
        suites: Suites,
        opened: Callable[[str, str], AbstractContextManager[Path]],
        note: Note,
    ) -> None:
        self._git_dir = git_dir
        self._claim = claim
        self._changed = changed
        self._suites = suites
        self._opened = opened
        self._note = note

    def judge(
        self, loosened: Loosened, before: Mapping[str, SuiteRun], after: Mapping[str, SuiteRun]
    ) -> list[Problem]:
        """Return the problems of the edited tests; `before` and `after` are the suites on base and head."""
        failing = self._changed.failing
        if self._claim.changed_tests == "fail":
            return [_fails(each.test, "") for each in failing]
        problems = self._needless(failing) if failing else self._fewer_rows()
        if self._claim.experiments and "pytest" in before:
            problems += self._notice_less(loosened, before["pytest"], after["pytest"])
        return problems

    def _were(self) -> list[TreeEntry]:
        edited = self._changed.paths
        return tree_entries(self._git_dir, self._claim.base, *edited) if edited else []

    def _needless(self, failing: Sequence[Failure]) -> list[Problem]:
        """Return old tests that fail because of an altered function that no scenario needs, and that nobody
        asked for.

        With the old version of that function, they pass, and so do all scenarios.
        """
        claim = self._claim
        edited = [each for each in failing if each.test.partition("::")[0] in self._changed.paths]
        edited = [each for each in edited if not asked_for(claim.asked, *names_of_test(each.test))]
        if not claim.feature or claim.proof or not edited or not claim.experiments:
            return []
        problems: list[Problem] = []
        left = {each.test for each in edited if each.test.partition("::")[0].endswith(".py")}
        for path, name, text in self._put_back():
            if not left or re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", claim.asked):
                continue
            own = TreeEntry("100644", store_blob(self._git_dir, text.encode()), path)
            commit = commit_on(
                self._git_dir, claim.head, "One function as it was", added=[*self._were(), own]
            )
            files = sorted({test.partition("::")[0] for test in left})
            with self._opened(commit, "put-back") as root:
                now = self._note(
                    claim.head, self._suites.pytest(root, files), "old tests, a function put back"
                )
                fixed = {test for test in left if now.outcomes.get(test) == "passed"}
                if not fixed:
                    continue
                scenarios = self._suites.behave(root, [claim.feature])
                scenarios = self._note(claim.head, scenarios, "scenarios, a function put back")
            if scenarios.outcomes and set(scenarios.outcomes.values()) == {"passed"} and not scenarios.broken:
                why = f", because `{name}` in {path} was changed, which no scenario needs"
                problems += [_fails(test, why) for test in sorted(fixed)]
                left -= fixed
        return problems

    def _put_back(self) -> Iterator[tuple[str, str, str]]:
        """Yield (path, function, the file with the old version of this function) of functions that the
        change alters.
        """
        claim, count = self._claim, 0
        for status, path in changed_files(self._git_dir, claim.base, claim.head):
            if status != "M" or not path.endswith(".py") or not is_product(path, self._suites.features):
                continue
            old, new = (
                (read_blob(self._git_dir, commit, path) or b"").decode(errors="replace")
                for commit in (claim.base, claim.head)
            )
            for name, text in put_back(old, new):
                count += 1
                if count > _FUNCTIONS:
                    return
                yield path, name, text

    def _fewer_rows(self) -> list[Problem]:
        """Return data files of tests that only lost rows, even if every test passes with them."""
        claim = self._claim
        paths = [each for each in self._changed.paths if PurePosixPath(each).suffix.lower() in _ROWS]
        paths = [each for each in paths if not asked_for(claim.asked, each, PurePosixPath(each).name)]
        paths = [each for each in paths if read_blob(self._git_dir, claim.head, each) is not None]
        found = []
        for path in paths:
            old, new = (Counter(self._lines_of(commit, path)) for commit in (claim.base, claim.head))
            if old - new and not new - old:
                message = (
                    f"{path} lost {(old - new).total()} lines, and every test passes with them. Restore them."
                )
                found.append(Problem(code="test-weakened", message=message))
        return found

    def _lines_of(self, commit: str, path: str) -> list[str]:
        """Return the lines of a file without commas at their ends, which depend on the next line."""
        text = (read_blob(self._git_dir, commit, path) or b"").decode(errors="replace")
        return [line.strip().rstrip(",") for line in text.splitlines() if line.strip()]

    def _notice_less(self, loosened: Loosened, before: SuiteRun, after: SuiteRun) -> list[Problem]:
        """Return tests that pass on code which returns something else, and whose old form did not."""
        claim, files = self._claim, self._files(after)
        if not files:
            return []
        lost = loosened.tests(claim.base, claim.head, files, before, after)
        for commit, run in loosened.runs:
            self._note(commit, run.beside(replaced=()), "edited tests on code with other results")
        return [
            Problem(
                code="test-weakened",
                message=(
                    f"{test} still passes when the code returns something else; its old version did not. "
                    "Restore what it checked."
                ),
            )
            for test in lost
            if not asked_for(claim.asked, *names_of_test(test))
        ]

    def _files(self, after: SuiteRun) -> list[str]:
        """Return the edited files with tests of pytest; for an edited helper, the files that name it."""
        collected = sorted({test.partition("::")[0] for test in after.outcomes})
        edited = [path for path in self._changed.paths if path not in self._changed.grown]
        python = [path for path in edited if path.endswith(".py")]
        found = [path for path in collected if path in python]
        helpers = [PurePosixPath(path).stem for path in python if path not in collected]
        if not helpers:
            return found
        named = re.compile(rf"\b(?:{'|'.join(map(re.escape, helpers))})\b")
        for path in collected:
            text = (read_blob(self._git_dir, self._claim.head, path) or b"").decode(errors="replace")
            if path not in found and named.search(text):
                found.append(path)
        return found[:_FILES]


def put_back(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield (name, `after` with the version of this function in `before`) of each function that differs."""
    try:
        old, new = (dict(_functions("", ast.parse(text))) for text in (before, after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    was, now = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for name in sorted(old.keys() & new.keys()):
        if ast.dump(old[name]) != ast.dump(new[name]):
            (first, last), (begin, end) = _lines(old[name]), _lines(new[name])
            yield name, "".join([*now[:begin], *was[first:last], *now[end:]])


def _functions(prefix: str, parent: ast.AST) -> Iterator[tuple[str, _Function]]:
    for child in ast.iter_child_nodes(parent):
        if isinstance(child, _Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(f"{prefix}{child.name}.", child)


def _lines(function: _Function) -> tuple[int, int]:
    """Return the lines of a function with its decorators, as a slice."""
    first = min([function.lineno, *(mark.lineno for mark in function.decorator_list)])
    return first - 1, function.end_lineno or function.lineno


def _fails(test: str, why: str) -> Problem:
    message = f"The old version of {test} fails{why}. Restore the test, and keep what it checks."
    return Problem(code="test-changed", message=message)
