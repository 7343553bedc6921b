"""What decides about a change: existing tests, and what configures how they run. A change must not decide about itself."""

import ast
import configparser
import fnmatch
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from gherkin.feature.hollow import always_true
from gherkin.values import Frozen

_TEST_SUFFIXES = (
    "_test.py",
    "_test.go",
    ".feature",
    ".test.js",
    ".test.jsx",
    ".test.ts",
    ".test.tsx",
    ".test.mjs",
    ".spec.js",
    ".spec.ts",
    ".spec.mjs",
)
_CONFIG_NAMES = (
    "conftest.py",
    "pytest.ini",
    ".pytest.ini",
    "behave.ini",
    ".behaverc",
    ".coveragerc",
    "sitecustomize.py",
    "usercustomize.py",
    "jest.config.*",
    "jest.setup.*",
    "vitest.config.*",
    "vitest.workspace.*",
    ".mocharc*",
    "cucumber.js",
    "cucumber.json",
    "cucumber.y*ml",
)
# Files that configure other things too: only these tables and sections count.
_TABLES: Mapping[str, tuple[str, ...]] = {"pyproject.toml": ("pytest", "behave", "coverage", "tox")}
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "setup.cfg": ("tool:pytest", "behave", "coverage:run", "coverage:report"),
    "tox.ini": ("pytest", "behave", "behave.userdata", "coverage:run", "coverage:report"),
}
_TOLERANCES = frozenset(
    ["rel", "abs", "delta", "rtol", "atol", "rel_tol", "abs_tol", "tolerance", "tol", "timeout"]
)
_SKIPS = frozenset(
    [
        "skip",
        "skipif",
        "skipIf",
        "skipUnless",
        "skipTest",
        "SkipTest",
        "xfail",
        "importorskip",
        "expectedFailure",
        "suppress",
    ]
)
_ASSERTING = re.compile(r"^(assert|raises$|warns$|deprecated_call$|fail$|expect)")
# In languages that are not parsed here: what asserts, and what switches a test off.
_ASSERTS = re.compile(r"\bexpect\(|\bassert\w*[.(!]|\brequire\.\w+\(|\bt\.(?:Error|Fatal|Fail)\w*\(")
_OFF = re.compile(
    r"\.(?:skip|only|todo)\(|\bx(?:it|describe|test)\(|\bt\.Skip\w*\(|#\[ignore|@(?:Disabled|Ignore)\b"
)


def is_test(path: str, features: str) -> bool:
    """Whether the file is a test, a step, a feature, or configures them, by its name alone."""
    name = PurePosixPath(path).name
    return (
        path.startswith(f"{features}/")
        or name.startswith("test_")
        or name.endswith(_TEST_SUFFIXES)
        or name == "conftest.py"
    )


def configures(path: str, before: bytes | None, after: bytes | None, features: str) -> bool:
    """Whether the change of a file, from `before` to `after` (None: not there), changes how tests are run or judged."""
    name = PurePosixPath(path).name
    if name in _TABLES:
        return _tables(before, _TABLES[name]) != _tables(after, _TABLES[name])
    if name in _SECTIONS:
        return _sections(before, _SECTIONS[name]) != _sections(after, _SECTIONS[name])
    if path == f"{features}/environment.py":
        return True
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in _CONFIG_NAMES)


def _tables(text: bytes | None, names: tuple[str, ...]) -> object:
    try:
        tool = tomllib.loads((text or b"").decode()).get("tool", {})
        return {name: tool[name] for name in names if name in tool}
    except (ValueError, AttributeError, TypeError):
        return text  # what cannot be read counts as another one when any byte is


def _sections(text: bytes | None, names: tuple[str, ...]) -> object:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string((text or b"").decode())
    except (configparser.Error, ValueError):
        return text
    return {name: sorted(parser.items(name)) for name in names if parser.has_section(name)}


def asked_for(text: str, *names: str) -> bool:
    """Whether people named one of these (a path, a file, a test) in `text`."""
    return any(name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) for name in names)


def weakened(path: str, before: str, after: str) -> list[tuple[str, str]]:
    """(test, how) for what asserts less in an existing test file than it did; both texts are the whole file.

    Python is compared function by function; other languages by the words that assert and that switch tests off.
    """
    if not path.endswith(".py"):
        return _weaker_text(path, before, after)
    try:
        old, new = _strengths(before), _strengths(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [] if before == after else [(path, "it cannot be read as Python")]
    return [(name, how) for name in old.keys() & new.keys() for how in _weaker(old[name], new[name])]


def _weaker_text(path: str, before: str, after: str) -> list[tuple[str, str]]:
    found = []
    if len(_OFF.findall(after)) > len(_OFF.findall(before)):
        found.append((path, "more tests are switched off"))
    if len(_ASSERTS.findall(after)) < len(_ASSERTS.findall(before)):
        found.append((path, "it asserts less often"))
    return found


class _Strength(Frozen):
    """What makes a test function strong: counts, and the numbers given as tolerances."""

    asserts: int = 0
    skips: int = 0
    swallows: int = 0
    returns: int = 0
    tolerances: tuple[float, ...] = ()


def _weaker(old: _Strength, new: _Strength) -> Iterator[str]:
    if new.asserts < old.asserts:
        yield f"{old.asserts} assertions before, {new.asserts} now"
    if new.skips > old.skips:
        yield "it can be skipped or expected to fail now"
    if new.swallows > old.swallows:
        yield "an exception is swallowed now"
    if new.returns > old.returns:
        yield "it can return early now"
    if len(new.tolerances) == len(old.tolerances) and any(
        late > early for early, late in zip(old.tolerances, new.tolerances, strict=True)
    ):
        yield "a tolerance is wider now"


def _strengths(source: str) -> dict[str, _Strength]:
    """Qualified name -> strength of each function; `` `` is what stands on the module's level."""
    tree = ast.parse(source)
    found: dict[str, _Strength] = {"module": _strength(_module_level(tree))}
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[prefix + child.name] = _strength(list(ast.walk(child)))
            elif isinstance(child, ast.ClassDef):
                found[f"class {prefix}{child.name}"] = _strength(
                    [each for mark in child.decorator_list for each in ast.walk(mark)]
                )
                pending.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                pending.append((prefix, child))
    return found


def _module_level(tree: ast.Module) -> list[ast.AST]:
    return [
        node
        for statement in tree.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr, ast.If, ast.Try))
        for node in ast.walk(statement)
    ]


def _strength(nodes: list[ast.AST]) -> _Strength:
    asserts = skips = swallows = returns = 0
    tolerances: list[float] = []
    for node in nodes:
        if isinstance(node, ast.Assert):
            asserts += not always_true(node.test)
        elif isinstance(node, ast.Call):
            name = _last_name(node.func)
            asserts += bool(_ASSERTING.match(name))
            skips += name in _SKIPS and name != "suppress"
            swallows += name == "suppress"
            tolerances += _numbers(node)
        elif isinstance(node, ast.Attribute):
            # `@pytest.mark.skip` without brackets; one with brackets is counted once more on both sides.
            skips += node.attr in _SKIPS and node.attr != "suppress"
        elif isinstance(node, ast.ExceptHandler):
            swallows += not any(isinstance(each, (ast.Raise, ast.Assert)) for each in ast.walk(node))
        elif isinstance(node, ast.Return):
            returns += 1
    return _Strength(
        asserts=asserts, skips=skips, swallows=swallows, returns=returns, tolerances=tuple(tolerances)
    )


def _numbers(call: ast.Call) -> list[float]:
    return [
        float(keyword.value.value)
        for keyword in call.keywords
        if keyword.arg in _TOLERANCES
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, (int, float))
    ]


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
