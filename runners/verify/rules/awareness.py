"""Find code of the product that knows its tests: it asks whether a test runs, or imports files of the
tests.
"""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from gherkin.feature.steps import last_name

_RUNNERS = frozenset(
    ["behave", "pytest", "_pytest", "unittest", "nose", "nose2", "pytest_bdd", "django.test"]
)
_VARIABLES = re.compile(
    r"PYTEST_(?:CURRENT_TEST|VERSION|XDIST_\w+)|BEHAVE_\w+|(?:RUNNING|IN|UNDER)_TESTS?|/opt/scenarist\S*"
)
_STACK = frozenset(["stack", "currentframe", "_getframe", "_current_frames", "extract_stack", "walk_stack"])
_TEST_WORDS = re.compile(
    r"behave|pytest|unittest|conftest|\bsteps?\b|\bfeatures?\b|\btests?\b|test_|_test\b|scenarist", re.I
)
_IMPORTERS = frozenset(["import_module", "__import__", "find_spec"])

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def asks_for_tests(source: str) -> list[tuple[int, str]]:
    """Return (line, what is asked) for each place of a Python source that asks whether a test runs.

    Such places ask whether a test runner is imported or named on the command line, read variables that a
    runner sets, or look at the callers in a function that names tests. None if the source cannot be read.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    words = _documentation(tree)
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in words and _is_variable(node.value):
            found[node.lineno] = f"`{node.value!s}`"
        elif isinstance(node, (ast.Compare, ast.Call, ast.Subscript)) and _asks_runner(node):
            found[node.lineno] = f"`{ast.unparse(node)[:80]}`"
        elif isinstance(node, _Function) and _asks_stack(node, words):
            found[node.lineno] = f"`{node.name}` looks who calls it"
    return sorted(found.items())


def imports_of(source: str, path: str, judges: Collection[str]) -> list[tuple[int, str]]:
    """Return (line, path) for each file among `judges` that the Python source at `path` imports.

    `judges` are the tests' files, relative to the repository. None if the source cannot be read.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    files = {
        PurePosixPath(each).with_suffix("").as_posix().removesuffix("/__init__"): each for each in judges
    }
    roots = ["", *(f"{parent}/" for parent in PurePosixPath(path).parents if parent.name)]
    found = {}
    for node in ast.walk(tree):
        for level, module in imported(node):
            folder = PurePosixPath(path).parents
            places = [f"{folder[level - 1]}/".removeprefix("./")] if 0 < level <= len(folder) else roots
            for place in places:
                file = files.get(f"{place}{module.replace('.', '/')}".rstrip("/"))
                if file is not None:
                    found[getattr(node, "lineno", 1)] = file
    return sorted(found.items())


def imported(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (level, dotted name) of each module that a node imports."""
    match node:
        case ast.Import(names=names):
            yield from ((0, each.name) for each in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield level, module or ""
            yield from ((level, f"{module}.{each.name}" if module else each.name) for each in names)
        case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]) if (
            last_name(called) in _IMPORTERS
        ):
            yield 0, name


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and _VARIABLES.fullmatch(value) is not None


def _asks_runner(node: ast.Compare | ast.Call | ast.Subscript) -> bool:
    """Return whether a test runner is looked up in `sys.modules` or `sys.argv`."""
    match node:
        case ast.Compare(left=left, comparators=others):
            parts: list[ast.expr] = [left, *others]
        case ast.Call(func=ast.Attribute(value=place, attr="get"), args=[name, *_]):
            parts = [place, name]
        case ast.Call(func=ast.Attribute(value=place, attr="endswith" | "startswith" | "find"), args=[name]):
            parts = [place, name]
        case ast.Subscript(value=place, slice=name):
            parts = [place, name]
        case _:
            return False
    inner = [each for part in parts for each in ast.walk(part)]
    where = any(
        last_name(each) in ("modules", "argv")
        for each in inner
        if isinstance(each, (ast.Attribute, ast.Name))
    )
    named = (each.value for each in inner if isinstance(each, ast.Constant) and isinstance(each.value, str))
    return where and any(name in _RUNNERS or name.partition(".")[0] in _RUNNERS for name in named)


def _asks_stack(function: _Function, words: Collection[int]) -> bool:
    """Return whether a function looks at its callers and names tests."""
    nodes = list(ast.walk(function))
    looks = any(isinstance(each, ast.Call) and last_name(each.func) in _STACK for each in nodes)
    return looks and any(
        isinstance(each, ast.Constant)
        and id(each) not in words
        and isinstance(each.value, str)
        and _TEST_WORDS.search(each.value) is not None
        for each in nodes
    )


def _documentation(tree: ast.Module) -> set[int]:
    """Return the docstrings, and other text that is a statement by itself."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
