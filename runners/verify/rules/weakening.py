"""Find out whether a changed test file demands less than before.

Python is compared function by function; other languages by the words that assert and that switch tests off.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gherkin.feature.hollow import always_true
from gherkin.values import Frozen

# Larger is weaker; for the places of a decimal number smaller is.
_TOLERANCES = frozenset(["rel", "abs", "delta", "rtol", "atol", "rel_tol", "abs_tol", "tolerance", "tol"])
_PLACES = frozenset(["places", "decimal", "significant", "digits"])
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
    ]
)
_ASSERTING = re.compile(r"^(assert|raises$|warns$|deprecated_call$|fail$|expect)")
_MOST_ROWS = 1000
_DEEPEST = 4

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def weakened(path: str, before: str, after: str) -> list[tuple[str, str]]:
    """Return (test, how) for each test of a changed file that asserts less than before; both texts are whole
    files.

    Assertions that moved to another function of the file, or into the rows of a parametrised test, still
    count.
    """
    if not path.endswith(".py"):
        return _weaker_text(path, before, after)
    try:
        old, new = _TestModule(before), _TestModule(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [] if before == after else [(path, "it cannot be read as Python")]
    moved = _gained(old.strengths, new.strengths)
    found = []
    for name in old.strengths.keys() & new.strengths.keys():
        found += [(name, how) for how in _weaker(old.strengths[name], new.strengths[name], moved)]
    return sorted(found)


def _gained(old: Mapping[str, "_Strength"], new: Mapping[str, "_Strength"]) -> Counter[str]:
    """Return the assertions that functions have now and did not have before."""
    found: Counter[str] = Counter()
    for name, strength in new.items():
        before = old[name].assertions if name in old else ()
        found += Counter(strength.assertions) - Counter(before)
    return found


def asserted(source: str) -> int:
    """Return how many assertions the tests in a Python source make, with each row of a parametrised test.

    0 if the source cannot be read.
    """
    try:
        strengths = _TestModule(source).strengths
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    return sum(each.asserts for name, each in strengths.items() if name.rpartition(".")[2].startswith("test"))


def test_functions(source: str) -> set[str]:
    """Return the qualified names of the functions in a Python source; none if it cannot be read."""
    try:
        return set(_TestModule(source).strengths)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()


# In languages that are not parsed here: what asserts, what switches a test off, what runs one test on many
# values.
_ASSERTS = re.compile(
    r"\bexpect\w*\s*\((?!\s*(?:true|1|'[^']*'|\"[^\"]*\")\s*\)\s*\.)"
    r"|\bassert\w*[.(!\s]|\bAssert\.\w+|\brequire\.\w+\("
    r"|\bt\.(?:Error|Fatal|Fail)\w*\(|\.should\b|\bshould\.\w+|\b(?:EXPECT|ASSERT|REQUIRE|CHECK)\w*\("
)
_OFF = re.compile(
    r"\.(?:skip|only|todo|failing|fails|skipIf|runIf|fixme)\b|\bx(?:it|describe|test|context|specify)\b"
    r"|\bf(?:it|describe)\("
    r"|\bt\.Skip\w*\(|#\[(?:ignore|should_panic)|@(?:Disabled|Ignore)\b|^\s*//\s*(?:go:build|\+build)"
    r"|\bpending\b"
    r"|\[(?:Ignore|Skip)\b|\bSkip\s*=|markTestSkipped|markTestIncomplete|@tag :skip|\bskip\s+[\"']",
    re.M,
)
_TABLES = re.compile(
    r"\.each\b|@ParameterizedTest|\[\]struct\b|#\[(?:rstest|case)|\[Theory\]|@dataProvider|where:"
)
_COMMENTS = re.compile(r"/\*.*?\*/|(?<![:\"'])//(?!\s*(?:go:build|\+build)).*$", re.S | re.M)
_HASH_COMMENTS = re.compile(r"^\s*#(?!\[).*$", re.M)
_WITH_HASHES = (".rb", ".ex", ".exs", ".sh", ".bats", ".pl", ".r")


def _weaker_text(path: str, before: str, after: str) -> list[tuple[str, str]]:
    old, new = (_without_comments(path, text) for text in (before, after))
    found = []
    if len(_OFF.findall(new)) > len(_OFF.findall(old)):
        found.append((path, "more tests are switched off"))
    tables = len(_TABLES.findall(new)) > len(_TABLES.findall(old))
    if len(_ASSERTS.findall(new)) < len(_ASSERTS.findall(old)) and not tables:
        found.append((path, "it asserts less often"))
    return found


def _without_comments(path: str, text: str) -> str:
    return (_HASH_COMMENTS if path.endswith(_WITH_HASHES) else _COMMENTS).sub("", text)


class _Strength(Frozen):
    """What makes a test function strong. `asserts` counts each row of a parametrised test."""

    asserts: int = 0
    skips: int = 0
    swallows: int = 0
    returns: int = 0
    tolerances: tuple[float, ...] = ()
    assertions: tuple[str, ...] = ()


def _weaker(old: _Strength, new: _Strength, moved: Counter[str]) -> Iterator[str]:
    lost = Counter(old.assertions) - Counter(new.assertions)
    same_in_fewer_rows = not lost and not moved
    if new.asserts < old.asserts and (lost - moved or same_in_fewer_rows):
        yield f"{old.asserts} assertions before, {new.asserts} now"
    if new.skips > old.skips:
        yield "it can be skipped or expected to fail now"
    if new.swallows > old.swallows:
        yield "an exception is swallowed now"
    if new.returns > old.returns:
        yield "it can return early now"
    same = len(new.tolerances) == len(old.tolerances)
    if same and any(late > early for early, late in zip(old.tolerances, new.tolerances, strict=True)):
        yield "a tolerance is wider now"
    if len(new.tolerances) > len(old.tolerances) and new.asserts <= old.asserts:
        yield "it has a tolerance now"


class _TestModule:
    """A Python source: the strength of each function by its qualified name."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self._helpers = {node.name: node for node in ast.walk(tree) if isinstance(node, _Function)}
        self._lists = {
            target.id: statement.value
            for statement in tree.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        self.strengths = {"module": self._strength(list(_module_level(tree)), 1, set())}
        self.strengths.update(self._below("", tree))

    def _below(self, prefix: str, parent: ast.AST) -> Iterator[tuple[str, _Strength]]:
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, _Function):
                yield prefix + child.name, self._function(child)
            elif isinstance(child, ast.ClassDef):
                marks = [each for mark in child.decorator_list for each in ast.walk(mark)]
                yield f"class {prefix}{child.name}", self._strength(marks, 1, set())
                yield from self._below(f"{prefix}{child.name}.", child)
            elif isinstance(child, (ast.If, ast.Try, ast.With)):
                yield from self._below(prefix, child)

    def _function(self, node: _Function) -> _Strength:
        marks = [each for mark in node.decorator_list for each in ast.walk(mark)]
        return self._strength([*marks, *_own_nodes(node)], self._rows(node), {node.name})

    def _rows(self, node: _Function) -> int:
        """Return on how many rows of values `parametrize` runs a test; 1 if they are not written as a
        list.
        """
        rows = 1
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and _last_name(mark.func) == "parametrize" and len(mark.args) > 1:
                rows *= self._items(mark.args[1])
        return min(rows, _MOST_ROWS)

    def _items(self, values: ast.expr) -> int:
        """Return how many items a list has that is written in the file; 1 for any other."""
        if isinstance(values, ast.Name):
            values = self._lists.get(values.id, values)
        return max(1, len(values.elts)) if isinstance(values, (ast.List, ast.Tuple, ast.Set)) else 1

    def _more_by_loops(self, nodes: Sequence[ast.AST]) -> int:
        """Return how often assertions run beyond once, in loops over lists that are written in the file."""
        more = 0
        for loop in nodes:
            if isinstance(loop, ast.For):
                inside = sum(isinstance(each, ast.Assert) for each in ast.walk(loop))
                more += inside * (min(self._items(loop.iter), _MOST_ROWS) - 1)
        return more

    def _strength(self, nodes: list[ast.AST], rows: int, entered: set[str]) -> _Strength:
        asserts = skips = swallows = returns = 0
        tolerances: list[float] = []
        for node in nodes:
            if isinstance(node, ast.Assert):
                asserts += not always_true(node.test)
            elif isinstance(node, ast.Call):
                name = _last_name(node.func)
                asserts += bool(_ASSERTING.match(name)) or self._asserts_of(name, entered)
                skips += name in _SKIPS
                swallows += name == "suppress"
                tolerances += _tolerances(node)
            elif isinstance(node, ast.Attribute):
                # `@pytest.mark.skip` without brackets; one with brackets is counted once more on both sides.
                skips += node.attr in _SKIPS
            elif isinstance(node, ast.ExceptHandler):
                swallows += not _fails(node)
            elif isinstance(node, ast.Return):
                returns += 1
        asserts += self._more_by_loops(nodes)
        assertions = tuple(filter(None, (self._assertion(node, entered) for node in nodes)))
        return _Strength(
            asserts=asserts * rows,
            skips=skips,
            swallows=swallows,
            returns=returns,
            tolerances=tuple(tolerances),
            assertions=assertions,
        )

    def _assertion(self, node: ast.AST, entered: set[str]) -> str:
        """Return what identifies an assertion, its expression; empty for any other node."""
        if isinstance(node, ast.Assert):
            return ast.dump(node.test)
        if isinstance(node, ast.Call):
            name = _last_name(node.func)
            if _ASSERTING.match(name) or self._asserts_of(name, entered):
                return ast.dump(node)
        return ""

    def _asserts_of(self, name: str, entered: set[str]) -> int:
        """Return how often a helper of the same file asserts, including the helpers that it calls."""
        helper = self._helpers.get(name)
        if helper is None or name in entered or len(entered) > _DEEPEST:
            return 0
        return self._strength(list(_own_nodes(helper)), 1, {*entered, name}).asserts


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body; of a function inside it, those that it returns are left out."""
    pending: list[tuple[ast.AST, bool]] = [(each, False) for each in function.body]
    while pending:
        node, inside = pending.pop()
        if not (inside and isinstance(node, (ast.Return, ast.ExceptHandler))):
            yield node
        deeper = inside or isinstance(node, (*_FUNCTIONS, ast.Lambda))
        pending += [(child, deeper) for child in ast.iter_child_nodes(node)]


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _module_level(tree: ast.Module) -> Iterator[ast.AST]:
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr, ast.If, ast.Try)):
            yield from (node for node in ast.walk(statement) if not isinstance(node, ast.Return))


def _fails(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler makes the test fail in its own way."""
    return any(
        isinstance(each, (ast.Raise, ast.Assert))
        or (isinstance(each, ast.Call) and bool(_ASSERTING.match(_last_name(each.func))))
        for each in ast.walk(handler)
    )


def _tolerances(call: ast.Call) -> list[float]:
    given = [(keyword.arg or "", keyword.value) for keyword in call.keywords]
    if _last_name(call.func) == "approx":
        given += [("rel", value) for value in call.args[1:]]
    elif _last_name(call.func) in ("assertAlmostEqual", "assert_almost_equal"):
        given += [("places", value) for value in call.args[2:3]]
    found = []
    for name, value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)):
            if name in _TOLERANCES:
                found.append(float(value.value))
            elif name in _PLACES:
                found.append(-float(value.value))
    return found


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
