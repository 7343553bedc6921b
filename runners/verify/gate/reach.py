"""Find the test files that can reach a module, by their imports or because they may run code in other
ways.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from runners.sandbox.beneath import read_file
from runners.verify.rules.awareness import imported

_MAX_FILE = 500_000
# A file that says one of these may run code which it does not import by name.
_ELSEWHERE = re.compile(
    r"\b(?:subprocess|os\.system|popen|runpy|importlib|__import__|pkgutil|pexpect|multiprocessing|testdir|pytester|"
    r"CliRunner|call_command|entry_points|exec|eval)\b"
)


def reaching(
    root: Path, changed: Collection[str], tests: Iterable[str], python: Collection[str]
) -> list[str]:
    """Return the files among `tests` that can reach a file of `changed`; paths are relative to the checkout
    `root`.

    `python` are all Python files of the checkout. Imports are followed from file to file, also from the
    `conftest.py` above a test. A file also counts if it, or a file on its way, may run code that it does not
    import by name. An import of a name that two modules have counts for both.
    """
    texts = {path: (read_file(root, path, _MAX_FILE) or b"").decode(errors="replace") for path in python}
    graph = _graph(texts)
    wanted = set(changed)
    open_ended = {path for path, text in texts.items() if _ELSEWHERE.search(text) and path not in wanted}
    found = []
    for test in tests:
        parents = [str(parent / "conftest.py") for parent in PurePosixPath(test).parents]
        seen = {test, *(parent for parent in parents if parent in texts)}
        pending = list(seen)
        while pending:
            more = graph.get(pending.pop(), set()) - seen
            seen |= more
            pending += more
        own = {path for path in seen if path == test or path.endswith("conftest.py")}
        if seen & wanted or own & open_ended or test not in texts:
            found.append(test)
    return found


def _graph(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Return each file with the files that it may import."""
    named: dict[str, set[str]] = defaultdict(set)
    for path in texts:
        parts = PurePosixPath(path).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for first in range(len(parts)):
            named[".".join(parts[first:])].add(path)
    graph: dict[str, set[str]] = {}
    for path, text in texts.items():
        found: set[str] = set()
        try:
            nodes = list(ast.walk(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            nodes = []
        for node in nodes:
            for level, module in imported(node):
                place = PurePosixPath(path).parts[:-level] if level else ()
                names = [*place, *(part for part in module.split(".") if part)]
                # A package's own file is run as well.
                for last in range(1, len(names) + 1):
                    found |= named.get(".".join(names[:last]), set())
        graph[path] = found - {path}
    return graph
