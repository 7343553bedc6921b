"""The sabotage experiment: if the code that the change added or altered is broken, a scenario must fail.

Broken code raises an error, or returns nothing. It does so only while a switch says so, so that one process
can run the scenarios with one place after another broken. The switch is a symbolic link, which every process
can read within a microsecond, also processes that the code under test starts.
"""

import ast
import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

RAISES, NOTHING, OTHER, INVERTED = "raise", "nothing", "other", "invert"
# As `OTHER`, and something foreign in the place of what has no other value; lists turned round.
STRANGE, TURNED = "strange", "turned"
# Results hold what a step says is not there: the words follow, as JSON.
HAVING = "having"
# Results of the same kind that have nothing in common with their own.
UNLIKE = "unlike"
# Nothing is broken; each call of an instrumented function and its result are written down.
CALLS = "calls"
EVERYTHING = "all"
_ON, _RESULT, _DROPPED = "_scenarist_on", "_scenarist_result", "_scenarist_dropped"
_NOTE, _MAX_CALLS = "_scenarist_note", 20_000

_HELPER = f"""
def {_NOTE}(place, frame, result):
    import json
    import os
    try:
        code, held = frame.f_code, frame.f_locals
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        given = [repr(held[name])[:200] for name in names if name in held and name not in ("self", "cls")]
        result = "" if place else repr(result)[:200]
        caller = frame.f_back.f_code
        where = [str(frame.f_globals.get("__name__")), code.co_name, caller.co_name, caller.co_filename]
        line = json.dumps([id(frame), place, given if place else [], result, *where])
        with open(@ + "-calls", "a", encoding="utf-8") as file:
            if file.tell() < {_MAX_CALLS}:
                file.write(line + "\\n")
    except Exception:
        return


def {_ON}(place):
    import os
    try:
        state = os.readlink(@)
    except OSError:
        return False
    what, _, where = state.partition(" ")
    if what == "{CALLS}":
        import sys
        {_NOTE}(place, sys._getframe(1), None)
    if where != "{EVERYTHING}" and place not in where.split(","):
        return False
    if what == "{RAISES}":
        raise RuntimeError("broken on purpose")
    return what == "{NOTHING}"


def {_DROPPED}(frame):
    import ast
    import linecache
    codes, names = set(), set()
    while frame is not None:
        codes.add(frame.f_code)
        names.add(frame.f_code.co_name)
        frame = frame.f_back
        if frame is None:
            return False
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        try:
            statement = ast.parse(text).body[0]
        except (SyntaxError, ValueError, IndexError, RecursionError):
            return False
        call = getattr(statement, "value", None)
        if not isinstance(statement, (ast.Expr, ast.Return)) or not isinstance(call, ast.Call):
            return False
        called = getattr(call.func, "attr", getattr(call.func, "id", None))
        held = frame.f_locals.get(called, frame.f_globals.get(called))
        if called not in names and getattr(held, "__code__", None) not in codes:
            return False
        others = [each.func for each in ast.walk(call) if isinstance(each, ast.Call) and each is not call]
        if any(getattr(each, "attr", getattr(each, "id", None)) == called for each in others):
            return False
        if isinstance(statement, ast.Expr):
            return True
    return False


def {_RESULT}(value):
    import os
    try:
        state = os.readlink(@)
    except OSError:
        return value
    what, _, words = state.partition(" ")
    if what == "{CALLS}":
        import sys
        {_NOTE}("", sys._getframe(1), value)
    if what not in ("{OTHER}", "{STRANGE}", "{TURNED}", "{HAVING}", "{UNLIKE}"):
        return value
    kind = type(value)
    if what == "{UNLIKE}":
        others = {{bool: not value, int: -98765, float: -98765.5, str: "zqa", bytes: b"zqa"}}
        more = {{list: ["zqa"], tuple: ("zqa",), set: {{"zqa"}}, dict: {{"zqa": "zqa"}}}}
        other = {{**others, **more}}.get(kind, value)
    elif what == "{HAVING}":
        import json
        words = json.loads(words)
        other = value
        if kind is bool:
            other = not value
        elif kind is str:
            other = " ".join([value, *words])
        elif kind in (list, tuple, set, frozenset):
            other = kind([*value, *words, *words])
        elif kind is dict:
            other = {{**value, **dict.fromkeys(words, words[0])}}
    elif state == "{TURNED}":
        other = value[::-1] if kind in (list, tuple) else value
    elif kind is bool:
        other = not value
    elif kind in (int, float, complex) or kind.__module__ in ("decimal", "_decimal", "fractions"):
        other = value + 1
    elif kind in (str, bytes):
        other = value + kind(b"x") if kind is bytes else value + "x"
    elif kind in (list, tuple):
        other = value[:-1] if value else kind([None])
    elif kind in (set, frozenset):
        other = kind() if value else kind([None])
    elif kind is dict:
        other = {{}} if value else {{"x": "x"}}
    elif state == "{STRANGE}":
        other = value if value is None else object()
    else:
        other = 1 if value is None else value
    try:
        if value is not None:
            import sys
            mark = "-altered" if other is not value else "-kept"
            if other is not value and {_DROPPED}(sys._getframe(1)):
                mark = "-dropped"
            os.symlink("-", @ + mark)
    except OSError:
        pass
    return other
"""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_QUIET = frozenset(["__all__", "__version__", "__author__"])


@dataclass(frozen=True)
class FaultSite:
    """A place that can be broken: `number` identifies it in the whole change, `line` counts from 1."""

    number: str
    path: str
    line: int
    name: str


@dataclass(frozen=True)
class Instrumented:
    """A source with its sites. `rest`: the change also touches parts of it that have no site."""

    source: str
    sites: tuple[FaultSite, ...] = ()
    rest: bool = False


def having(words: Sequence[str]) -> str:
    """Return the state of the switch with which all results contain the `words`."""
    return f"{HAVING} {json.dumps(words)}"


def state(what: str, sites: Sequence[FaultSite] = ()) -> str:
    """Return the state of the switch that breaks the `sites`, or everything."""
    return f"{what} {','.join(site.number for site in sites) or EVERYTHING}"


def instrumented(path: str, before: str, after: str, switch: str, first: int = 0) -> Instrumented:
    """Return `after` with a site in each function and branch that is new or altered since `before`.

    `before` is empty for a new file. `switch` is the path of the switch, `first` the number of the first
    site. Raises `SyntaxError` if this process's Python cannot read the source.
    """
    tree, old = parsed(after), _functions(parsed(before))
    changed = _changed_lines(before, after)
    placer = _Placer(path, changed, first)
    for name, function in _functions(tree).items():
        was = old.get(name)
        if was is None:
            placer.enter(function, name)
        elif ast.dump(was) != ast.dump(function):
            placer.alter(function, name)
    rest = any(_is_rest(statement, changed) for statement in _outside(tree))
    if placer.sites:
        add_helper(tree, _HELPER, switch)
    return Instrumented(ast.unparse(tree) + "\n" if placer.sites else after, tuple(placer.sites), rest)


def blanked(before: str, after: str) -> str:
    """Return `after` without the effect of the change outside of functions: values are None, statements are
    removed.

    Raises `SyntaxError`.
    """
    tree = parsed(after)
    changed = _changed_lines(before, after)
    for statement in _outside(tree):
        if not _is_rest(statement, changed):
            continue
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            statement.value = ast.copy_location(ast.Constant(None), statement.value)
        else:
            statement.__class__ = ast.Pass
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def all_broken(source: str, switch: str) -> str:
    """Return `source` with a site at the beginning of every function; all have the number 0. Raises
    `SyntaxError`.
    """
    tree = parsed(source)
    placer = _Placer("", set(), 0)
    for name, function in _functions(tree).items():
        placer.enter(function, name)
    add_helper(tree, _HELPER, switch)
    return ast.unparse(tree) + "\n"


def other_results(source: str, switch: str) -> str:
    """Return `source` in which every function returns another value while the switch says so. Raises
    `SyntaxError`.
    """
    tree = parsed(source)
    placer = _Placer("", set(), 0)
    for function in _functions(tree).values():
        placer.results(function)
    add_helper(tree, _HELPER, switch)
    return ast.unparse(tree) + "\n"


class _Placer:
    """Puts sites into functions."""

    def __init__(self, path: str, changed: set[int], first: int) -> None:
        self.sites: list[FaultSite] = []
        self._path = path
        self._changed = changed
        self._first = first
        self._wrapped: set[int] = set()

    def enter(self, function: _Function, name: str) -> None:
        """Put a site at the beginning of a function, after its docstring."""
        self.results(function)
        self._put(function.body, 1 if ast.get_docstring(function, clean=False) is not None else 0, name)

    def alter(self, function: _Function, name: str) -> None:
        """Put sites before the changed statements of a function, or at its beginning if statements were
        only removed.
        """
        known = len(self.sites)
        self.results(function)
        header = range(function.lineno, function.body[0].lineno)
        if not self._changed.intersection(header):
            self._place(function.body, name)
        if len(self.sites) == known:
            self.enter(function, name)

    def results(self, function: _Function) -> None:
        """Pass what the function returns, or hands to callbacks, through a helper that can replace it with
        another value.
        """
        nodes = [
            node for node in ast.walk(function) if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom))
        ]
        # A generator may not return a value, and methods such as `__init__` must return None.
        plain = all(isinstance(node, ast.Return) for node in nodes) and not function.name.startswith("__")
        for node in nodes:
            if isinstance(node, ast.YieldFrom) or id(node) in self._wrapped:
                continue
            self._wrapped.add(id(node))
            if node.value is not None or plain:
                value = node.value or ast.Constant(None)
                node.value = _passed(value)
        for call in _calls_back(function):
            if id(call) not in self._wrapped:
                self._wrapped.add(id(call))
                call.args = [each if isinstance(each, ast.Starred) else _passed(each) for each in call.args]

    def _place(self, body: list[ast.stmt], name: str) -> None:
        placed = False
        for statement in list(body):
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                placed = False
                if isinstance(statement, ast.ClassDef) or not self._is_changed(statement):
                    continue
                self.enter(statement, f"{name}.{statement.name}")
                continue
            blocks = list(_blocks(statement))
            end = blocks[0][0].lineno - 1 if blocks else statement.end_lineno or statement.lineno
            header = self._changed.intersection(range(statement.lineno, max(end, statement.lineno) + 1))
            if header and not placed:
                self._put(body, body.index(statement), name)
            placed = bool(header) and not blocks
            for block in blocks:
                self._place(block, name)

    def _is_changed(self, statement: ast.stmt) -> bool:
        return bool(
            self._changed.intersection(
                range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            )
        )

    def _put(self, body: list[ast.stmt], at: int, name: str) -> None:
        number = str(self._first + len(self.sites))
        line = body[at].lineno if at < len(body) else body[-1].lineno
        call = ast.parse(f"if {_ON}({number!r}):\n    return").body[0]
        for node in ast.walk(call):
            if hasattr(node, "lineno"):
                ast.copy_location(node, body[min(at, len(body) - 1)])
        body.insert(at, call)
        self.sites.append(FaultSite(number, self._path, line, name))


def _calls_back(function: _Function) -> Iterator[ast.Call]:
    """Yield the calls of what the function was given, or has got from somewhere: of names that are its
    own.
    """
    nodes = list(ast.walk(function))
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in own:
            yield node


def _passed(value: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(ast.Name(_RESULT, ast.Load()), [value], []), value)


def parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None


def _functions(tree: ast.Module) -> dict[str, _Function]:
    """Return qualified name -> function, without functions inside of functions. Of equal names the last
    one counts.
    """
    found: dict[str, _Function] = {}
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = prefix + child.name
                while name in found:  # a property and its setter, or an overload
                    name += "'"
                found[name] = child
            elif isinstance(child, ast.ClassDef):
                pending.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, (ast.If, ast.Try, ast.With, ast.ExceptHandler)):
                pending.append((prefix, child))
    return found


def _outside(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the simple statements of a module and its classes, outside of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.expr)):
            continue
        if isinstance(child, ast.stmt) and not list(_blocks(child)) and not isinstance(child, ast.ClassDef):
            yield child
        else:
            yield from _outside(child)


def _is_rest(statement: ast.stmt, changed: set[int]) -> bool:
    """Return whether a changed statement outside of functions has an effect, unlike imports, docstrings
    and the names of modules.
    """
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    if not changed.intersection(lines) or isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass)):
        return False
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return False
    names = {target.id for target in getattr(statement, "targets", ()) if isinstance(target, ast.Name)}
    return not (names and names <= _QUIET)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Return the bodies of a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if block and isinstance(block, list):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _changed_lines(before: str, after: str) -> set[int]:
    """Return the numbers (from 1) of the lines of `after` that `before` does not have."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return {
        line + 1
        for kind, _, _, start, end in matcher.get_opcodes()
        if kind in ("insert", "replace")
        for line in range(start, end)
    }


def add_helper(tree: ast.Module, helper: str, switch: str) -> None:
    """Insert helper functions after the module's docstring and its imports from ``__future__``.

    In their source, `@` is replaced by the switch.
    """
    at = 0
    for statement in tree.body:
        docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not docstring and getattr(statement, "module", None) != "__future__":
            break
        at += 1
    tree.body[at:at] = ast.parse(helper.replace("@", repr(switch))).body
    ast.fix_missing_locations(tree)
