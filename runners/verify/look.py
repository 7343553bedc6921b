"""What the trees of a change show without running anything: what it touches, and whether it touches what decides about it."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gherkin.feature.hollow import assertionless, equal_to_all
from gherkin.feature.model import FeatureInvalid, parse
from gherkin.feature.steps import StepDefinition, fits, then_texts
from runners.git.command import changed_files, read_blob
from runners.policy.globs import is_protected
from runners.verify.claim import Claim
from runners.verify.oracle import asked_for, configures, is_test, weakened
from runners.verify.verdict import OracleChange, Problem

_PROSE = frozenset([".md", ".rst", ".adoc", ".txt", ".svg", ".png", ".jpg", ".gif"])
_PROSE_NAMES = frozenset(["LICENSE", "NOTICE", "AUTHORS", "CODEOWNERS", ".gitignore", ".editorconfig"])


@dataclass
class Look:
    """What was seen: `problems`, the changes of the oracle that were asked for, and the existing files of it that changed."""

    problems: list[Problem] = field(default_factory=list)
    oracle: list[OracleChange] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def look(git_dir: Path, claim: Claim, features: str) -> Look:
    """Look at a change; `features` is the folder of the repository's features."""
    seen = Look()
    if claim.feature:
        feature = read_blob(git_dir, claim.proof or claim.head, claim.feature)
        if feature is None or hashlib.sha256(feature).hexdigest() != claim.feature_sha256:
            message = f"{claim.feature} is not what was approved. Restore it and change the code instead."
            seen.problems.append(Problem(code="feature-changed", message=message))
    changes = [
        (status, path)
        for status, path in changed_files(git_dir, claim.base, claim.head)
        if path != claim.feature
    ]
    if not changes:
        seen.problems.append(Problem(code="no-change", message="Nothing but the feature file was changed."))
    for status, path in changes:
        _look_at(git_dir, claim, features, status, path, seen)
    if claim.proof:
        for _, path in changed_files(git_dir, claim.head, claim.proof):
            if path.endswith(".py"):
                seen.problems += _hollow(git_dir, claim, claim.proof, path)
    return seen


def _look_at(git_dir: Path, claim: Claim, features: str, status: str, path: str, seen: Look) -> None:
    before = read_blob(git_dir, claim.base, path)
    after = read_blob(git_dir, claim.head, path)
    if is_protected(path, claim.protected) and not is_protected(path, claim.granted):
        seen.problems.append(
            Problem(code="protected-changed", message=f"{path} is protected and must not be changed.")
        )
        return
    if claim.kind == "chore" and not _is_prose(path, before, after):
        message = f"{path} is more than documentation, so this is no chore. Leave it as it is, or give up."
        seen.problems.append(Problem(code="not-a-chore", message=message))
    if configures(path, before, after, features):
        (seen.edited if before is not None else seen.added).append(path)
        _asked(
            claim,
            seen,
            [path, PurePosixPath(path).name],
            OracleChange(path=path, what="it configures how tests are run or judged"),
            Problem(
                code="test-config-changed",
                message=f"{path} configures how tests are run, and the issue does not name it. Restore it; put what new tests "
                "need into their own files.",
            ),
        )
    elif status == "D" and is_test(path, features):
        seen.edited.append(path)
        _asked(
            claim,
            seen,
            [path, PurePosixPath(path).name],
            OracleChange(path=path, what="it was deleted"),
            Problem(code="test-removed", message=f"{path} is a test of the repository and was deleted."),
        )
    elif status == "M" and is_test(path, features):
        seen.edited.append(path)
        _weakened(claim, seen, path, before or b"", after or b"")
    if path.endswith(".py") and not is_test(path, features):
        seen.problems += _agreeable(path, before or b"", after or b"")
    if status in ("A", "M") and path.startswith(f"{features}/steps/") and path.endswith(".py"):
        seen.problems += _hollow(git_dir, claim, claim.head, path)


def _weakened(claim: Claim, seen: Look, path: str, before: bytes, after: bytes) -> None:
    if claim.kind == "refactoring":
        message = f"{path} is an existing test: a refactoring leaves those as they are. Restore it."
        seen.problems.append(Problem(code="test-changed", message=message))
        return
    for name, how in weakened(path, before.decode(errors="replace"), after.decode(errors="replace")):
        _asked(
            claim,
            seen,
            [path, PurePosixPath(path).name, *_test_names(name)],
            OracleChange(path=path, what=f"{name}: {how}"),
            Problem(
                code="test-weakened",
                message=f"{path}: {name} demands less than before ({how}). Restore it, or add what it lacks.",
            ),
        )


def _test_names(name: str) -> list[str]:
    """A function that is asked for by name; `module` and the like are common words."""
    own = name.rpartition(".")[2]
    return [own] if own.startswith("test") else []


def _asked(claim: Claim, seen: Look, names: list[str], change: OracleChange, problem: Problem) -> None:
    """What people asked for by name is shown to reviewers; what nobody asked for is a problem."""
    if asked_for(claim.asked, *names) or is_protected(change.path, claim.granted):
        seen.oracle.append(change)
    else:
        seen.problems.append(problem)


def _agreeable(path: str, before: bytes, after: bytes) -> Iterator[Problem]:
    """Classes beside the tests that say they equal everything, and were not there before: no assertion on them can fail."""
    old, new = (equal_to_all(each.decode(errors="replace")) for each in (before, after))
    for name in sorted(new - old):
        message = f"{path}: {name} says that it equals everything. Compare what it stands for."
        yield Problem(code="equals-everything", message=message)


def _hollow(git_dir: Path, claim: Claim, head: str, path: str) -> Iterator[Problem]:
    """Steps of outcomes that cannot fail, and were not there before."""
    before = {each.pattern for each in _assertionless(git_dir, claim.base, path)}
    found = [each for each in _assertionless(git_dir, head, path) if each.pattern not in before]
    outcomes = _outcomes(git_dir, head, claim.feature) if found else []
    for each in found:
        # What is a step of any kind is one of outcomes where the scenarios use it so.
        if each.kind == "then" or any(fits(each.pattern, text) for text in outcomes):
            where = f"{path}:{each.line}: “{each.pattern}”"
            yield Problem(
                code="step-asserts-nothing",
                message=f"{where} is a Then step that cannot fail. Assert the outcome.",
            )


def _outcomes(git_dir: Path, commit: str, feature: str) -> list[str]:
    try:
        return then_texts(
            parse((read_blob(git_dir, commit, feature) or b"").decode(errors="replace"), feature)
        )
    except FeatureInvalid:
        return []


def _assertionless(git_dir: Path, commit: str, path: str) -> list[StepDefinition]:
    source = (read_blob(git_dir, commit, path) or b"").decode(errors="replace")
    try:
        return assertionless(source, path)
    except SyntaxError:
        return []


def _is_prose(path: str, before: bytes | None, after: bytes | None) -> bool:
    """Whether the change of a file can change no behaviour: documentation, or comments and docstrings of Python."""
    place = PurePosixPath(path)
    if place.name.startswith("requirements") or place.name in ("CMakeLists.txt", "robots.txt"):
        return False
    if (
        place.suffix.lower() in _PROSE
        or place.name.partition(".")[0] in _PROSE_NAMES
        or place.name in _PROSE_NAMES
    ):
        return True
    if place.suffix != ".py" or before is None or after is None:
        return False
    try:
        return _code_of(before) == _code_of(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _code_of(source: bytes) -> str:
    """A Python source without its docstrings; comments are not in the tree anyway."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest or [ast.Pass()]
    return ast.dump(tree)
