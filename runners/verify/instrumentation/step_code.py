"""Instrument step files so that they report, while they run, whether they assert anything.

Assertions are inverted while the switch says so. The harness `scenarist_steps`, in whose process the steps
run, counts loops that run over nothing, conditions that are false, and assertions that are reached.
"""

import ast
from collections.abc import Collection, Iterator

from gherkin.feature.steps import last_name
from runners.verify.instrumentation.sabotage import INVERTED, add_helper, parsed

_JUDGED, _NOW, _LOOP, _GUARD, _ENTERED, _IDLE, _BEGUN = (
    f"_scenarist_{name}" for name in ("judged", "now", "loop", "guard", "entered", "idle", "begun")
)
_HELPER = f"""
def {_NOW}():
    import sys
    return getattr(sys.modules.get("scenarist_steps"), "idle", 0)


def {_JUDGED}(idle, value):
    import os
    import sys
    steps = sys.modules.get("scenarist_steps")
    if steps is not None:
        if steps.idle > idle:
            return value
        steps.asserted += 1
    try:
        return not value if os.readlink(@) == "{INVERTED}" else value
    except OSError:
        return value


def {_LOOP}(values):
    import sys
    empty = True
    for value in values:
        empty = False
        yield value
    if empty and "scenarist_steps" in sys.modules:
        sys.modules["scenarist_steps"].idle += 1


def {_GUARD}(value):
    import sys
    if not value and "scenarist_steps" in sys.modules:
        sys.modules["scenarist_steps"].idle += 1
    return value


def {_ENTERED}():
    import sys
    if "scenarist_steps" in sys.modules:
        sys.modules["scenarist_steps"].judged += 1


def {_IDLE}():
    import sys
    if "scenarist_steps" in sys.modules:
        sys.modules["scenarist_steps"].idle += 1
"""

# Calls that end no step, as statements of their own.
_HARMLESS = frozenset(
    [
        *("print", "append", "extend", "add", "update", "setdefault", "clear", "pop", "remove", "sort"),
        *("debug", "info", "warning", "error", "log", "sleep", "close", "write", "setattr", "seek"),
    ]
)
_STARTING = frozenset(
    ["run", "call", "Popen", "system", "wait", "communicate", "main", "testmod", "testfile"]
)
_WAITING = frozenset(["sleep", "wait", "join", "monotonic", "time", "perf_counter", "now", "poll"])
_EXPECTING = frozenset(["raises", "warns", "deprecated_call", "assertRaises", "assertRaisesRegex"])
_EXPECTING |= {"assertWarns", "assertWarnsRegex", "assertLogs", "assertNoLogs"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.GeneratorExp, ast.ListComp, ast.SetComp)


def watched(source: str, switch: str, own: Collection[str] = ()) -> str:
    """Return a step file that counts its assertions; `own` are the names of functions in all step files.

    Raises `SyntaxError`.
    """
    tree = parsed(source)
    for node in list(ast.walk(tree)):
        if isinstance(node, _Function) and _may_fail_otherwise(node, own):
            node.body.insert(_behind_docstring(node), ast.Expr(_call(_ENTERED)))
        elif isinstance(node, (ast.For, ast.If)) and any(map(_asserts, ast.walk(node))):
            _watch(node)
        elif isinstance(node, ast.Assert):
            for each in _over(node.test):
                each.iter = _call(_LOOP, each.iter)
            node.test = _call(_JUDGED, _call(_NOW), node.test)
    tree = _Loops().visit(tree)
    add_helper(tree, _HELPER, switch)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Loops(ast.NodeTransformer):
    """Count ``while`` loops over assertions whose condition is false at once."""

    def visit_While(self, node: ast.While) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        inside = list(ast.walk(ast.Module(node.body, [])))
        # A loop that waits for something ends when it is there, which may be at once.
        waits = any(isinstance(each, ast.expr) and _called(each) in _WAITING for each in inside)
        if waits or not any(map(_asserts, inside)):
            return node
        begun = ast.parse(f"{_BEGUN} = False\n{_BEGUN} = True\nif not {_BEGUN}:\n    {_IDLE}()").body
        node.body.insert(0, begun[1])
        node.orelse.insert(0, begun[2])
        return [begun[0], node]


def functions(source: str) -> set[str]:
    """Return the names of the functions that a source defines; none if it is not Python."""
    try:
        return {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, _Function)}
    except (SyntaxError, ValueError):
        return set()


def stored(source: str) -> tuple[set[str], set[str]]:
    """Return the names under which a source puts on behave's context what is not known before, and those
    under which it puts a constant.

    The first are those of all attributes that it uses, except in Then steps, and every word that it does not
    only ask for.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set(), set()
    apart: set[int] = set()
    constants: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, name, *_]):
                apart.add(id(name))
            case ast.Compare(left=name, ops=[ast.In() | ast.NotIn()]):
                apart.add(id(name))
            case ast.Assign(targets=[ast.Attribute(attr=attribute) as target], value=value):
                if _is_constant(value):
                    constants.add(attribute)
                    apart.add(id(target))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_then(node):
                loads = (each for each in ast.walk(node) if isinstance(each, ast.Attribute))
                apart.update(id(each) for each in loads if isinstance(each.ctx, ast.Load))
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=attribute) if id(node) not in apart:
                found.add(attribute)
            case ast.Constant(value=str(word)) if id(node) not in apart:
                found.add(word)
    return found, constants


def _is_constant(value: ast.expr) -> bool:
    match value:
        case ast.Constant():
            return True
        case ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set" | "tuple"), args=[], keywords=[]):
            return True
    return False


def _is_then(function: _Function) -> bool:
    return any(
        last_name(each.func) == "then" for each in function.decorator_list if isinstance(each, ast.Call)
    )


def asserting_coroutines(source: str) -> set[str]:
    """Return the names of the coroutines in a source that assert something."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return set()
    return {
        node.name
        for node in nodes
        if isinstance(node, ast.AsyncFunctionDef) and any(map(_asserts, ast.walk(node)))
    }


def _watch(node: ast.For | ast.If) -> None:
    """Count a loop that runs over nothing, and a condition that is false and has no alternative."""
    if isinstance(node, ast.For):
        node.iter = _call(_LOOP, node.iter)
    elif not node.orelse and any(map(_asserts, ast.walk(ast.Module(node.body, [])))):
        node.test = _call(_GUARD, node.test)


def _asserts(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert) and not _is_failure(node)


def _is_failure(node: ast.AST) -> bool:
    """Return whether the statement is ``assert False``, which is reached only if something is wrong."""
    return isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and not node.test.value


def _over(test: ast.expr) -> list[ast.comprehension]:
    """Return what ``all(…)`` or ``any(…)`` runs over, if an assertion consists of nothing else."""
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    if isinstance(test, ast.Call) and last_name(test.func) in ("all", "any") and len(test.args) == 1:
        argument = test.args[0]
        if isinstance(argument, _COMPREHENSIONS):
            return argument.generators[:1]
    return []


def _may_fail_otherwise(function: _Function, own: Collection[str]) -> bool:
    """Return whether a function may fail in other ways than by counted assertions, outside of loops over
    them.
    """
    return any(_fails(node, own) for node in _outside_of_loops(function))


def _outside_of_loops(function: _Function) -> Iterator[ast.AST]:
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        yield node
        if not (isinstance(node, ast.For) and any(map(_asserts, ast.walk(node)))):
            pending += ast.iter_child_nodes(node)


def _fails(node: ast.AST, own: Collection[str]) -> bool:
    if isinstance(node, ast.Raise) or _is_failure(node):
        return True
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return any(_called(item.context_expr) in _EXPECTING for item in node.items)
    if isinstance(node, ast.Expr):
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        called = _called(value)
        local = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and called in own
        return bool(called) and not local and called not in _HARMLESS and not _ignores(value)
    return False


def _ignores(node: ast.expr) -> bool:
    """Return whether a call starts a process or tests and does not check their result itself."""
    checks = isinstance(node, ast.Call) and any(each.arg == "check" for each in node.keywords)
    return _called(node) in _STARTING and not checks


def _called(node: ast.expr) -> str:
    return last_name(node.func) if isinstance(node, ast.Call) else ""


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _behind_docstring(function: _Function) -> int:
    return int(ast.get_docstring(function, clean=False) is not None)
