"""Find out whether a changed test file only gained tests."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence

# Functions that test runners call around every test of a file, by their names.
_AROUND = ("setup", "teardown", "setUp", "tearDown", "asyncSetUp", "asyncTearDown", "pytest_", "load_tests")
_Import = ast.Import | ast.ImportFrom
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def only_adds_tests(path: str, before: str, after: str) -> bool:
    """Return whether `after` is `before` with more tests, and everything that was there is as it was.

    New imports, and functions and classes that new tests need, are allowed where their names are new in the
    file. Fixtures and functions that run around other tests are not. Other languages than Python are not
    read: False.
    """
    if not path.endswith(".py"):
        return False
    try:
        old, new = ast.parse(before), ast.parse(after)
        return _tests(new) > _tests(old) and _grew(old.body, new.body, _names(old))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _tests(tree: ast.Module) -> int:
    functions = (node for node in ast.walk(tree) if isinstance(node, _Function))
    return sum(node.name.startswith("test") for node in functions)


def _grew(old: Sequence[ast.stmt], new: Sequence[ast.stmt], known: set[str]) -> bool:
    """Return whether the statements `old` stand in `new` in their order, with nothing but additions
    between.
    """
    rest = iter(new)
    for was in old:
        for now in rest:
            if _same(was, now, known):
                break
            if not _is_addition(now, known):
                return False
        else:
            return False
    return all(_is_addition(now, known) for now in rest)


def _same(was: ast.stmt, now: ast.stmt, known: set[str]) -> bool:
    if ast.dump(was) == ast.dump(now):
        return True
    if isinstance(was, ast.ClassDef) and isinstance(now, ast.ClassDef):
        head = [[*each.bases, *each.keywords, *each.decorator_list] for each in (was, now)]
        alike = was.name == now.name and list(map(ast.dump, head[0])) == list(map(ast.dump, head[1]))
        return alike and _grew(was.body, now.body, known)
    if isinstance(was, ast.ImportFrom) and isinstance(now, ast.ImportFrom):
        return (was.module, was.level) == (now.module, now.level) and _imports_more(was, now, known)
    if isinstance(was, ast.Import) and isinstance(now, ast.Import):
        return _imports_more(was, now, known)
    return False


def _imports_more(was: _Import, now: _Import, known: set[str]) -> bool:
    names, named = (Counter(map(ast.dump, each.names)) for each in (was, now))
    return not names - named and not (set(_bound(now)) - set(_bound(was))) & known


def _is_addition(node: ast.stmt, known: set[str]) -> bool:
    if isinstance(node, _Import):
        return not set(_bound(node)) & known and "*" not in _bound(node)
    if isinstance(node, ast.ClassDef):
        return node.name not in known
    if isinstance(node, _Function):
        marks = " ".join(map(ast.unparse, node.decorator_list))
        return node.name not in known and not node.name.startswith(_AROUND) and "fixture" not in marks
    return False


def _bound(node: _Import) -> list[str]:
    return [each.asname or each.name.partition(".")[0] for each in node.names]


def _names(tree: ast.Module) -> set[str]:
    """Return every name that the file defines or uses."""
    return set(_every_name(tree))


def _every_name(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, _Function | ast.ClassDef):
            yield node.name
        elif isinstance(node, _Import):
            yield from _bound(node)
