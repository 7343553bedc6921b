"""The mutation test: how many small faults in the changed lines, one at a time, do the tests notice?

The faults are the usual operators of mutation testing (Offutt and others, "An experimental determination of
sufficient mutant operators", 1996), as far as Python has them.
"""

import ast
import contextlib
import queue
import random
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from gherkin.values import Frozen
from runners.sandbox.beneath import put_file, read_file
from runners.verify.claim import MutationSettings
from runners.verify.findings import Bite
from runners.verify.instrumentation.sabotage import add_helper

_COMPARE: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
# The links that mark which lines ran, in the checkout; the name ends with a number.
MARKS = ".scenarist-ran-"
_REACHED = "_scenarist_reached"
_PROBE = f"""
def {_REACHED}(number):
    import os
    try:
        os.symlink("-", @ + str(number))
    except OSError:
        pass
"""
_UNREACHED = "no scenario or test runs this line"


class Mutant(Frozen):
    """One possible fault: its line (from 1), its description, and the number of its place in the file."""

    path: str
    line: int
    what: str
    number: int


def mutants(path: str, source: str, lines: set[int]) -> list[Mutant]:
    """Return every fault that one operator puts into one of `lines` of a source; none if it is not Python."""
    try:
        sites = list(_sites(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        Mutant(path=path, line=line, what=what, number=number)
        for number, (node, what, _) in enumerate(sites)
        if (line := getattr(node, "lineno", 0)) in lines
    ]


def mutated(source: str, mutant: Mutant) -> str:
    """Return the whole source with the fault in it, without comments."""
    tree = ast.parse(source)
    list(_sites(tree))[mutant.number][2]()
    return ast.unparse(tree) + "\n"


def probed(source: str, faults: Sequence[tuple[int, Mutant]], marks: str) -> str:
    """Return the source, in which the statement of each mutant first makes a link: `marks` followed by the
    number that stands beside the mutant.
    """
    tree = ast.parse(source)
    sites = list(_sites(tree))
    places = {
        id(node): (block, statement)
        for block in _blocks(tree)
        for statement in block
        for node in _own_nodes(statement)
    }
    for number, mutant in faults:
        block, statement = places[id(sites[mutant.number][0])]
        probe = ast.parse(f"{_REACHED}({number})").body
        block[block.index(statement) : block.index(statement)] = probe
    add_helper(tree, _PROBE, marks)
    return ast.unparse(tree) + "\n"


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for _, block in ast.iter_fields(node):
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield a statement and its parts, without the statements inside it."""
    yield statement
    pending: list[ast.AST] = [statement]
    while pending:
        for child in ast.iter_child_nodes(pending.pop()):
            if not isinstance(child, ast.stmt):
                yield child
                pending.append(child)


def _sites(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Callable[[], None]]]:
    """Yield (the node, what would be changed, a function that changes it).

    Decorators are left out, because their arguments seldom have an effect that tests can see.
    """
    declared = {
        id(part)
        for node in ast.walk(tree)
        for decorator in getattr(node, "decorator_list", ())
        for part in ast.walk(decorator)
    }
    for node in ast.walk(tree):
        if id(node) in declared:
            continue
        for how, change in _changes(node):
            yield node, f"{_shown(node)}: {how}", change


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    match node:
        case ast.Compare(ops=[first, *_]) if type(first) in _COMPARE:
            yield "comparison turned", _first_operator(node, _COMPARE[type(first)]())
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC and not _is_text(node):
            yield "another operator", _attribute(node, "op", _ARITHMETIC[type(operator)]())
        case ast.BoolOp(op=operator):
            swapped = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "and/or swapped", _attribute(node, "op", swapped)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "`not` taken away", _attribute(node, "operand", ast.UnaryOp(ast.Not(), operand))
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "returns None", _attribute(node, "value", ast.Constant(None))
        case ast.Constant(value=bool(value)):
            yield "the opposite", _attribute(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "one more", _attribute(node, "value", value + 1)
        case ast.Raise():
            yield "not raised", _attribute(node, "__class__", ast.Pass)


def _first_operator(node: ast.Compare, operator: ast.cmpop) -> Callable[[], None]:
    return lambda: node.ops.__setitem__(0, operator)


def _attribute(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _is_text(node: ast.BinOp) -> bool:
    parts = (node.left, node.right)
    return any(
        isinstance(each, ast.JoinedStr) or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in parts
    )


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return f"`{text[:60]}{'…' if len(text) > 60 else ''}`"


def try_mutants(
    roots: Sequence[Path],
    candidates: Sequence[Mutant],
    settings: MutationSettings,
    seed: str,
    notices: Callable[[Path, float], bool | None],
    reached: Callable[[Sequence[Mutant]], Collection[Mutant]],
) -> Bite | None:
    """Put `settings.mutants` of the candidates into the checkouts `roots`, one in each at a time.

    Returns None if there is none. `notices(root, seconds)` runs the tests on a checkout within this time and
    says whether they noticed the fault (None: there was not enough time). `seed` decides which ones are
    tried. The checkouts are restored before this returns. No fault is begun after `settings.seconds`.
    `reached(mutants)` returns those in lines that the tests run; it is called with the survivors if less than
    `settings.floor` percent were noticed.
    """
    chosen = list(candidates)
    random.Random(seed).shuffle(chosen)  # noqa: S311 - a choice that can be repeated
    del chosen[settings.mutants :]
    deadline = time.monotonic() + settings.seconds
    pending: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(chosen)):
        pending.put(number)
    noticed: dict[int, bool] = {}

    def work(root: Path) -> None:
        with contextlib.suppress(queue.Empty):
            while (left := deadline - time.monotonic()) > 0:
                number = pending.get_nowait()
                found = _try_one(root, chosen[number], partial(notices, root, left))
                if found is not None:
                    noticed[number] = found

    with ThreadPoolExecutor(max_workers=len(roots)) as pool:
        list(pool.map(work, roots))
    if not chosen:
        return None
    missed = [mutant for number, mutant in enumerate(chosen) if noticed.get(number) is False]
    bite = Bite(tried=len(noticed), killed=sum(noticed.values()), untried=len(chosen) - len(noticed))
    unreached = {*missed}.difference(reached(missed)) if bite.percent < settings.floor else set()
    survivors = [
        f"{each.path}:{each.line}: {each.what}" + (f" ({_UNREACHED})" if each in unreached else "")
        for each in missed
    ]
    return bite.model_copy(update={"survivors": tuple(survivors), "unreached": len(unreached)})


def reached_among(root: Path, missed: Sequence[Mutant], marks: str, run: Callable[[], object]) -> set[Mutant]:
    """Return those of the mutants whose lines `run()` runs in the checkout `root`, which is as it was
    afterwards.

    `marks` is where code in the checkout finds ``root / MARKS``.
    """
    by_path: dict[str, list[tuple[int, Mutant]]] = defaultdict(list)
    for number, mutant in enumerate(missed):
        by_path[mutant.path].append((number, mutant))
    sources = {path: read_file(root, path) for path in by_path}
    try:
        for path, source in sources.items():
            if source is not None:
                put_file(root, path, probed(source.decode(), by_path[path], marks).encode())
        run()
        return {each for number, each in enumerate(missed) if (root / f"{MARKS}{number}").is_symlink()}
    finally:
        for path, source in sources.items():
            with contextlib.suppress(OSError):  # what ran has put a link in its way: nothing goes through it
                put_file(root, path, source)


def _try_one(root: Path, mutant: Mutant, notices: Callable[[], bool | None]) -> bool | None:
    before = read_file(root, mutant.path)
    if before is None:
        return None
    return try_source(root, mutant.path, mutated(before.decode(), mutant), notices)


def try_source(root: Path, path: str, source: str, notices: Callable[[], bool | None]) -> bool | None:
    """Return what `notices` says while a file of the checkout `root` has another `source`; None without
    the file.
    """
    # What ran in the checkout may have left a link at that place.
    before = read_file(root, path)
    if before is None:
        return None
    put_file(root, path, source.encode())
    try:
        return notices()
    finally:
        with contextlib.suppress(OSError):  # what ran has put a link in its way: nothing goes through it
            put_file(root, path, before)
