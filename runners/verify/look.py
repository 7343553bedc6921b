"""Check a change without running it: whether it touches the files that decide the verdict."""

import ast
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gherkin.feature.hollow import assertionless, equal_to_all
from gherkin.feature.model import FeatureInvalid, parse
from gherkin.feature.reading import source_reads
from gherkin.feature.steps import StepDefinition, fits, then_texts
from runners.git.command import list_files, read_blob
from runners.policy.globs import is_protected
from runners.policy.protected import changes_attributes
from runners.verify.claim import Claim
from runners.verify.rules.asked import asked_for
from runners.verify.rules.awareness import asks_for_tests, imports_of
from runners.verify.rules.base_settings import BaseSettings
from runners.verify.rules.links import LINK, SUBMODULE, Change, changes_between, leaving_links
from runners.verify.rules.moves import moved_files
from runners.verify.rules.purposes import is_code, is_judge, is_product, purpose_of
from runners.verify.rules.shadowing import shadowing
from runners.verify.rules.weakening import weakened
from runners.verify.verdict import OracleChange, Problem, ProblemCode

# Where people speak of these, code may well ask for them.
_RUNNERS = re.compile(r"\b(?:behave|pytest|unittest|nose)\b", re.I)


@dataclass
class Look:
    """The findings.

    `problems` are the rules that the change breaks, and `oracle` the changes of tests and their configuration
    that were asked for. `edited` and `added` are existing and new files of that kind, and `moved` says where
    existing ones went.
    """

    problems: list[Problem] = field(default_factory=list)
    oracle: list[OracleChange] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)


def look(git_dir: Path, claim: Claim, features: str, test_commands: Sequence[str] = ()) -> Look:
    """Check a change by the rules that need no run.

    `features` is the folder of the repository's features, and `test_commands` are the lines by which its
    suites are run.
    """
    return _Looking(git_dir, claim, features, test_commands).look()


def adds_modules(git_dir: Path, claim: Claim) -> bool:
    """Return whether the change brings Python modules, which could take the place of installed ones."""
    changes = changes_between(git_dir, claim.base, claim.head)
    new = (each.path for each in changes if each.status == "A" and each.path.endswith(".py"))
    return any(purpose_of(path) not in ("step", "test") for path in new)


class _Looking:
    """One check of one change, with what its rules need to know of both trees."""

    def __init__(self, git_dir: Path, claim: Claim, features: str, test_commands: Sequence[str]) -> None:
        self._git_dir = git_dir
        self._claim = claim
        self._features = features
        commands = (*claim.commands, *test_commands)
        self._seen = Look()
        self._changes = [
            each for each in changes_between(git_dir, claim.base, claim.head) if each.path != claim.feature
        ]
        # What was changed since the work began; None where that is all there is.
        since = changes_between(git_dir, claim.start, claim.head) if claim.start else None
        self._own = None if since is None else {each.path for each in since}
        self._before = list_files(git_dir, claim.base)
        self._after = list_files(git_dir, claim.head)
        self._settings = BaseSettings(git_dir, claim.base, self._before, features, commands)

    def look(self) -> Look:
        claim, seen = self._claim, self._seen
        if claim.feature:
            self._locked()
        if not self._changes:
            self._problem("no-change", "Nothing but the feature file was changed.")
        for change in self._changes:
            if self._is_protected(change):
                self._problem("protected-changed", f"{change.path} is protected and must not be changed.")
        open_to_change = [each for each in self._changes if not self._is_protected(each)]
        self._links()
        self._shadowed()
        seen.moved = self._moved(open_to_change)
        for change in open_to_change:
            self._change(change)
        if claim.proof:
            for change in changes_between(self._git_dir, claim.head, claim.proof):
                self._steps(claim.proof, change.path)
        return seen

    def _problem(self, code: ProblemCode, message: str) -> None:
        self._seen.problems.append(Problem(code=code, message=message))

    def _blob(self, commit: str, path: str) -> bytes | None:
        return read_blob(self._git_dir, commit, path)

    def _locked(self) -> None:
        claim = self._claim
        feature = self._blob(claim.proof or claim.head, claim.feature)
        if feature is None or hashlib.sha256(feature).hexdigest() != claim.feature_sha256:
            message = f"{claim.feature} is not what was approved. Restore it and change the code instead."
            self._problem("feature-changed", message)

    def _is_protected(self, change: Change) -> bool:
        path, claim = change.path, self._claim
        # A link or a repository in the place of a folder brings all that lies in it.
        paths = [path, f"{path}/-"] if change.new_mode in (LINK, SUBMODULE) else [path]
        if not any(is_protected(each, claim.locked) for each in paths):
            if is_protected(path, claim.granted):
                return False
            before, after = (self._blob(commit, path) for commit in (claim.base, claim.head))
            named = any(is_protected(each, claim.protected) for each in paths)
            if not named and not changes_attributes(path, before, after):
                return False
        return self._own is None or path in self._own

    def _links(self) -> None:
        """Find links and submodules that the change brings and that are not safe."""
        if not any(LINK in (each.old_mode, each.new_mode) for each in self._changes) and not any(
            each.new_mode == SUBMODULE for each in self._changes
        ):
            return
        claim = self._claim
        leaving = leaving_links(self._git_dir, claim.head) - leaving_links(self._git_dir, claim.base)
        for path in sorted(leaving):
            self._problem("unsafe-link", f"{path} is a link that leads out of the repository. Remove it.")
        for change in self._changes:
            if change.path in leaving:
                continue
            if change.new_mode == SUBMODULE and change.old_mode != SUBMODULE:
                self._problem(
                    "unsafe-link",
                    f"{change.path} is a repository of its own. Add its files, or leave it out.",
                )
            elif change.status == "T":
                self._problem(
                    "unsafe-link", f"{change.path} was turned from a file into a link, or back. Restore it."
                )
            elif change.new_mode == LINK and purpose_of(change.path, self._features) != "product":
                self._problem(
                    "unsafe-link", f"{change.path} is a link in the place of a test or step. Write a file."
                )

    def _shadowed(self) -> None:
        new = [each.path for each in self._changes if each.status == "A"]
        if not new:
            return
        for path, what in shadowing(self._before, self._after, self._features, self._claim.installed).items():
            if path in new:
                message = f"{path} would be imported instead of {what}. Give it another name."
                self._problem("module-shadowed", message)

    def _moved(self, changes: Sequence[Change]) -> dict[str, str]:
        judges = [each for each in changes if is_judge(each.path, self._features)]
        gone = {
            each.path: self._blob(self._claim.base, each.path) or b"" for each in judges if each.status == "D"
        }
        if not gone:
            return {}
        new = {
            each.path: self._blob(self._claim.head, each.path) or b"" for each in judges if each.status == "A"
        }
        return moved_files(gone, new)

    def _change(self, change: Change) -> None:
        claim, seen, path = self._claim, self._seen, change.path
        before, after = self._blob(claim.base, path), self._blob(claim.head, path)
        if claim.kind == "chore" and not _is_documentation(path, before, after, self._features):
            message = (
                f"{path} is more than documentation, so this is no chore. Leave it as it is, or give up."
            )
            self._problem("not-a-chore", message)
        judge = is_judge(path, self._features)
        if self._settings.changed_by(path, before, after):
            (seen.edited if before is not None else seen.added).append(path)
            self._asked(
                [path, PurePosixPath(path).name],
                OracleChange(path=path, what="it configures how tests are run or judged"),
                Problem(
                    code="test-config-changed",
                    message=f"{path} configures how tests or checks are run, and no sentence of the issue "
                    "asks for that. Restore it; put what new tests need into their own files.",
                ),
            )
        elif change.status == "D" and judge and path not in seen.moved:
            seen.edited.append(path)
            self._asked(
                [path, PurePosixPath(path).name],
                OracleChange(path=path, what="it was deleted"),
                Problem(code="test-removed", message=f"{path} is a test of the repository and was deleted."),
            )
        elif change.status in ("M", "T") and judge:
            seen.edited.append(path)
            self._weakened(path, before or b"", after or b"")
        if path.endswith(".py") and is_product(path, self._features):
            self._agreeable(path, before or b"", after or b"")
            self._aware(path, after or b"")
        if change.status in ("A", "M") and path.endswith(".py") and path.startswith(f"{self._features}/"):
            self._steps(claim.head, path)

    def _weakened(self, path: str, before: bytes, after: bytes) -> None:
        if self._claim.kind == "refactoring":
            message = f"{path} is an existing test, which a refactoring must not change. Restore it."
            self._problem("test-changed", message)
            return
        for name, how in weakened(path, before.decode(errors="replace"), after.decode(errors="replace")):
            self._asked(
                [path, PurePosixPath(path).name, *_test_names(name)],
                OracleChange(path=path, what=f"{name}: {how}"),
                Problem(
                    code="test-weakened",
                    message=f"{path}: {name} checks less than before ({how}). "
                    "Restore it, or add what it lacks.",
                ),
            )

    def _asked(self, names: Sequence[str], change: OracleChange, problem: Problem) -> None:
        """Show reviewers what people asked for by name; anything else of this kind is a problem."""
        if asked_for(self._claim.asked, *names) or is_protected(change.path, self._claim.granted):
            self._seen.oracle.append(change)
        else:
            self._seen.problems.append(problem)

    def _agreeable(self, path: str, before: bytes, after: bytes) -> None:
        """Find new classes of the product that say they equal everything, so that no assertion on them can
        fail.
        """
        old, new = (equal_to_all(each.decode(errors="replace")) for each in (before, after))
        for name in sorted(new - old):
            message = f"{path}: {name} is equal to everything. Compare its values instead."
            self._problem("equals-everything", message)

    def _aware(self, path: str, after: bytes) -> None:
        """Find code of the product that behaves differently in tests, or that needs files of the tests."""
        source = after.decode(errors="replace")
        asks, imports = asks_for_tests(source), imports_of(source, path, self._judging_modules())
        if not asks and not imports:
            return
        # What code of the base does already, here or elsewhere, is the repository's own way.
        known: set[str] = set()
        for old in self._before:
            if old.endswith(".py") and is_product(old, self._features):
                text = (self._blob(self._claim.base, old) or b"").decode(errors="replace")
                known.update(what for _, what in asks_for_tests(text))
                known.update(what for _, what in imports_of(text, old, self._judging_modules()))
        for line, what in asks:
            if what not in known and not _RUNNERS.search(self._claim.asked):
                message = (
                    f"{path}:{line} asks whether a test runs ({what}). Make it behave the same everywhere."
                )
                self._problem("code-knows-tests", message)
        for line, what in imports:
            if what not in known:
                where = f"{path}:{line} imports {what}"
                message = f"{where}, which belongs to the tests. Move what it needs into the product."
                self._problem("code-knows-tests", message)

    def _judging_modules(self) -> list[str]:
        return [path for path in self._after if path.endswith(".py") and is_judge(path, self._features)]

    def _steps(self, commit: str, path: str) -> None:
        """Find steps of the change that cannot fail, or that read the program's source instead of running
        it.
        """
        source = self._source(commit, path)
        before = self._source(self._claim.base, path)
        if source is None:
            return
        known = {each.pattern for each in _without_assertion(before or "", path)}
        found = [each for each in _without_assertion(source, path) if each.pattern not in known]
        outcomes = self._outcomes(commit) if found else []
        for each in found:
            # What is a step of any kind is one of outcomes where the scenarios use it so.
            if each.kind == "then" or any(fits(each.pattern, text) for text in outcomes):
                where = f"{path}:{each.line}: “{each.pattern}”"
                message = f"{where} is a Then step that cannot fail. Assert the outcome."
                self._problem("step-asserts-nothing", message)
        product = [each for each in self._after if is_code(each) and is_product(each, self._features)]
        old = {what for _, what in _reads(before or "", product)}
        for line, what in _reads(source, product):
            if what not in old:
                message = f"{path}:{line} reads the program's source ({what}). Run the program instead."
                self._problem("step-reads-source", message)

    def _source(self, commit: str, path: str) -> str | None:
        content = self._blob(commit, path) if path.endswith(".py") else None
        return None if content is None else content.decode(errors="replace")

    def _outcomes(self, commit: str) -> list[str]:
        feature = (self._blob(commit, self._claim.feature) or b"").decode(errors="replace")
        try:
            return then_texts(parse(feature, self._claim.feature))
        except FeatureInvalid:
            return []


def _test_names(name: str) -> list[str]:
    """Return the name of a function by which people ask for it; `module` and the like are common words."""
    own = name.rpartition(".")[2]
    return [own] if own.startswith("test") else []


def _without_assertion(source: str, path: str) -> list[StepDefinition]:
    try:
        return assertionless(source, path)
    except SyntaxError:
        return []


def _reads(source: str, product: Collection[str]) -> list[tuple[int, str]]:
    try:
        return source_reads(source, product)
    except SyntaxError:
        return []


def _is_documentation(path: str, before: bytes | None, after: bytes | None, features: str) -> bool:
    """Return whether a change of a file cannot change behaviour: a document, or comments and docstrings of
    Python.
    """
    if purpose_of(path, features) == "documentation" or path == ".gitignore":
        return True
    if not path.endswith(".py") or before is None or after is None:
        return False
    try:
        return _code_of(before) == _code_of(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _code_of(source: bytes) -> str:
    """Return a Python source without its docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest or [ast.Pass()]
    return ast.dump(tree)
