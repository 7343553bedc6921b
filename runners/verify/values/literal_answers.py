"""Find functions that return what a scenario expects for its very values, and compute nothing."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class LiteralAnswer:
    """A function that only knows examples.

    `line` counts from 1 and `compares` is the comparison there. `broken` is the whole source, in which the
    function raises an error for all other values.
    """

    line: int
    name: str
    compares: str
    broken: str


def literal_answers(
    source: str, lines: Collection[int], given: Collection[str], expected: Collection[str]
) -> list[LiteralAnswer]:
    """Return the functions in a Python source that only know examples.

    They compare an argument with values in `given`, return values in `expected`, and for all other values
    return nothing or the argument, or raise an error. Only functions with one of the `lines` (from 1) count.
    None if the source is not Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, _Function) or not _within(node, lines):
            continue
        rest: list[ast.stmt] = []
        answers = list(_answers(list(node.body), rest))
        names = {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        if not answers or not all(_is_empty(each, names) for each in rest):
            continue
        if all(_is_known(test, value, names, given, expected) for test, value in answers):
            line, compares = answers[0][0].lineno, ast.unparse(answers[0][0])
            found.append(LiteralAnswer(line, node.name, compares, _broken(source, node.lineno)))
    return found


def _within(function: _Function, lines: Collection[int]) -> bool:
    return any(function.lineno <= line <= (function.end_lineno or 0) for line in lines)


def _answers(body: list[ast.stmt], rest: list[ast.stmt]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Return the conditions and answers at the beginning of a function's `body`; the statements after them
    go to `rest`.
    """
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    for place, each in enumerate(body):
        match each:
            case ast.If(test=test, body=[ast.Return(value=ast.expr() as value)], orelse=otherwise):
                yield test, value
                if otherwise:
                    yield from _answers(otherwise, rest)
            case _:
                rest += body[place:]
                return


def _is_known(
    test: ast.expr, value: ast.expr, names: Collection[str], given: Collection[str], expected: Collection[str]
) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=known)]):
            pass
        case ast.Compare(left=ast.Constant(value=known), ops=[ast.Eq()], comparators=[ast.Name(id=name)]):
            pass
        case _:
            return False
    answer = value.value if isinstance(value, ast.Constant) else None
    told = isinstance(known, (int, float, str)) and isinstance(answer, (int, float, str))
    return told and name in names and str(known) in given and str(answer) in expected


def _is_empty(statement: ast.stmt, names: Collection[str]) -> bool:
    """Return whether a statement computes nothing: it returns nothing or an argument, or raises an error."""
    match statement:
        case ast.Return(value=None) | ast.Pass() | ast.Raise():
            return True
        case ast.Return(value=ast.Constant(value=value)):
            return not value
        case ast.Return(value=ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[])):
            return True
        case ast.Return(value=ast.Name(id=name)):
            return name in names
    return False


def _broken(source: str, line: int) -> str:
    """Return the source in which the function at `line` raises an error if none of its comparisons holds."""
    tree = ast.parse(source)
    raises = ast.parse("raise RuntimeError('broken on purpose')").body
    for node in ast.walk(tree):
        if isinstance(node, _Function) and node.lineno == line:
            rest: list[ast.stmt] = []
            list(_answers(list(node.body), rest))
            _replace(node.body, rest, raises)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _replace(body: list[ast.stmt], rest: list[ast.stmt], raises: list[ast.stmt]) -> None:
    """Put `raises` after the last comparison of `body`, and in the place of the statements `rest`."""
    body[:] = [each for each in body if each not in rest]
    last = body[-1] if body else None
    if isinstance(last, ast.If) and last.orelse:
        _replace(last.orelse, rest, raises)
    else:
        body += raises
