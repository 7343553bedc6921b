"""Find Then steps that cannot fail, and classes whose objects equal everything."""

import ast
from collections.abc import Mapping, Sequence

from gherkin.feature.steps import StepDefinition, definitions, last_name, parse_module, statements

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Functions = Mapping[str, _Function]

# Functions and methods of Python that read or report something and assert nothing.
_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "bool",
        "callable",
        "dict",
        "float",
        "format",
        "getattr",
        "hasattr",
        "id",
        "int",
        "isinstance",
        "len",
        "list",
        "max",
        "min",
        "pprint",
        "print",
        "range",
        "repr",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
    ]
)
_METHODS = frozenset(["debug", "format", "info", "pprint", "warning"])
_CATCH_ALL = {"AssertionError", "Exception", "BaseException"}


def assertionless(source: str, path: str = "") -> list[StepDefinition]:
    """Return the step definitions of a Python source whose body cannot fail, except given and when.

    A body can fail if a reachable statement asserts something that may be false, raises, or calls a function
    that might assert. Functions of the same source are checked themselves; of others, only those that are
    known to assert nothing are ruled out. A comparison whose result is not used asserts nothing. Raises
    `SyntaxError` if the source is not Python.
    """
    tree = parse_module(source)
    functions = {node.name: node for node in tree.body if isinstance(node, _Function)}
    try:
        empty = {
            node.lineno
            for node in statements(tree)
            if isinstance(node, _Function) and not _Body(functions, {node.name}).can_fail(node.body)
        }
    except RecursionError:
        raise SyntaxError("nested too deeply") from None
    found = definitions(tree, path)
    return [each for each in found if each.kind in ("then", "step") and each.line in empty]


def equal_to_all(source: str) -> set[str]:
    """Return the names of classes in a Python source whose ``__eq__`` or ``__ne__`` always means "equal".

    ``mock.ANY`` is one of them.
    """
    try:
        nodes = list(ast.walk(parse_module(source)))
        made = {
            each.name for each in nodes if isinstance(each, ast.ClassDef) and any(map(_agrees, each.body))
        }
        return made | ({"mock.ANY"} if any(map(_is_any, nodes)) else set())
    except (SyntaxError, RecursionError):
        return set()


def _is_any(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").endswith("mock") and any(each.name == "ANY" for each in node.names)
    return isinstance(node, ast.Attribute) and node.attr == "ANY" and last_name(node.value) == "mock"


def _agrees(member: ast.stmt) -> bool:
    if isinstance(member, _Function) and member.name in ("__eq__", "__ne__"):
        answers = [node.value for node in ast.walk(member) if isinstance(node, ast.Return)]
        return bool(answers) and all(_says(member.name, answer) for answer in answers)
    if isinstance(member, ast.Assign) and isinstance(member.value, ast.Lambda):
        names = {target.id for target in member.targets if isinstance(target, ast.Name)}
        return any(_says(name, member.value.body) for name in names & {"__eq__", "__ne__"})
    return False


def _says(method: str, answer: ast.expr | None) -> bool:
    """Return whether the comparison `method` with this `answer` always means "equal"."""
    if method == "__eq__":
        return answer is not None and always_true(answer)
    return isinstance(answer, ast.Constant) and answer.value is False


class _Body:
    """Checks statements. `functions` are those of the source, `entered` the names of those being checked."""

    def __init__(self, functions: _Functions, entered: set[str]) -> None:
        self._functions = functions
        self._entered = entered

    def can_fail(self, body: Sequence[ast.stmt]) -> bool:
        inner = {node.name: node for node in body if isinstance(node, _Function)}
        here = _Body({**self._functions, **inner}, self._entered) if inner else self
        for statement in body:
            if here._statement(statement):
                return True
            if _leaves(statement):
                return False
        return False

    def _statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Assert(test=test):
                return not always_true(test)
            case ast.Pass() | ast.Global() | ast.Nonlocal() | ast.Delete() | ast.Break() | ast.Continue():
                return False
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return False  # a definition does nothing until it is called
            case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Return():
                return node.value is not None and self._calls(node.value)
            case ast.If(test=test) | ast.While(test=test):
                taken = [] if _never(test) else node.body
                return self._calls(test) or self.can_fail(taken) or self.can_fail(node.orelse)
            case ast.For(iter=over) | ast.AsyncFor(iter=over):
                taken = [] if _never(over) else node.body
                return self._calls(over) or self.can_fail(taken) or self.can_fail(node.orelse)
            case ast.Try() | ast.TryStar():
                tried = [] if any(map(self._swallows, node.handlers)) else node.body
                handled = (self.can_fail(each.body) for each in node.handlers)
                rest = self.can_fail(node.orelse) or self.can_fail(node.finalbody)
                return self.can_fail(tried) or rest or any(handled)
            case ast.With() | ast.AsyncWith():
                if any(map(_suppresses, node.items)):
                    return False
                return any(self._calls(item.context_expr) for item in node.items) or self.can_fail(node.body)
            case _:
                return True  # raise, import, match, class: rare, and usually meant to fail

    def _swallows(self, handler: ast.ExceptHandler) -> bool:
        """Return whether the handler catches a failed assertion and cannot fail itself."""
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        every = any(each is None or last_name(each) in _CATCH_ALL for each in caught)
        return every and not self.can_fail(handler.body)

    def _calls(self, value: ast.expr) -> bool:
        """Return whether an expression calls or awaits something that might assert."""
        return any(self._call(node) for node in ast.walk(value) if isinstance(node, (ast.Call, ast.Await)))

    def _call(self, node: ast.Call | ast.Await) -> bool:
        if isinstance(node, ast.Await):
            return not isinstance(node.value, ast.Call)  # a call within is checked separately
        if not isinstance(node.func, ast.Name):
            return last_name(node.func) not in _METHODS
        called = self._functions.get(node.func.id)
        if called is None:
            return node.func.id not in _BUILTINS
        if called.name in self._entered:
            return False
        return _Body(self._functions, {*self._entered, called.name}).can_fail(called.body)


def _leaves(node: ast.stmt) -> bool:
    """Return whether the statements after this one are never reached."""
    if isinstance(node, ast.If):
        return always_true(node.test) and any(map(_leaves, node.body))
    return isinstance(node, (ast.Return, ast.Break, ast.Continue))


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    return (
        isinstance(call, ast.Call)
        and last_name(call.func) == "suppress"
        and any(last_name(each) in _CATCH_ALL for each in call.args)
    )


def _never(test: ast.expr) -> bool:
    """Return whether a condition is always false, or an iterable always empty."""
    if isinstance(test, ast.Constant):
        return not test.value
    if isinstance(test, (ast.Tuple, ast.List, ast.Set)):
        return not test.elts
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return always_true(test.operand)
    return last_name(test) == "TYPE_CHECKING"


def always_true(test: ast.expr) -> bool:
    """Return whether the expression is true whatever the code under test does."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items) | ast.JoinedStr(values=items):
            return any(not isinstance(each, ast.FormattedValue) for each in items)
        case ast.Dict(keys=keys):
            return bool(keys)
        case ast.Lambda():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return any(
                isinstance(each, (ast.Constant, ast.JoinedStr, ast.BinOp)) and _text(each)
                for each in (left, right)
            )
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return isinstance(operand, ast.Constant) and not operand.value
        case ast.BoolOp(op=operator, values=values):
            return (any if isinstance(operator, ast.Or) else all)(map(always_true, values))
        case ast.NamedExpr(value=value):
            return always_true(value)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _same(left, operator, right)
    return False


def _text(node: ast.expr) -> bool:
    """Return whether the expression is text that is never empty."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes)) and bool(node.value)
    return always_true(node)


def _same(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool:
    """Return whether a comparison is always true, such as ``1 == 1``, ``x is x`` or ``len(x) >= 0``.

    Any comparison of two constants counts, because a false one fails at once and is noticed.
    """
    if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
        return True
    if isinstance(operator, ast.GtE) and isinstance(left, ast.Call) and last_name(left.func) == "len":
        return isinstance(right, ast.Constant) and right.value == 0
    equal = isinstance(operator, (ast.Eq, ast.Is, ast.LtE, ast.GtE))
    plain = not any(isinstance(each, (ast.Call, ast.Await)) for each in ast.walk(left))
    return equal and plain and ast.dump(left) == ast.dump(right)
