"""Print the graph of imports between folders of bot, runners and gherkin, and check it.

python -m scripts.folder_graph          print each folder with the folders it imports
python -m scripts.folder_graph --check  print nothing unless something is wrong

The exit status is 1 if something is wrong, such as two folders that import each other.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

HOUSES = ("gherkin", "runners", "bot")
MOST_FILES = 13  # "about twelve"; `__init__.py` not counted
# Not a part of the bot: the sample project, and the files in `inside`, which run in a repository's Python.
_FOREIGN = ("bot/demo/project", "runners/verify/inside", "runners/environment/inside")

Graph = dict[str, dict[str, str]]


def modules(root: Path) -> dict[str, Path]:
    """Return the files of bot, runners and gherkin below `root` by the dotted name of their module."""
    found = {}
    for house in HOUSES:
        for path in sorted((root / house).rglob("*.py")):
            relative = path.relative_to(root)
            if not relative.as_posix().startswith(_FOREIGN):
                found[".".join(relative.with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def graph(root: Path) -> Graph:
    """Return the folders that each folder imports, each with one import as an example (``a.b -> c.d``).

    Files at the top of bot, runners and gherkin belong to no folder: all folders there may import them, and
    `__main__` may import everything.
    """
    known = modules(root)
    folders: Graph = {}
    for name, path in known.items():
        here = _folder(name, path)
        edges = folders.setdefault(here, {})
        for target in _imported(path, known):
            there = _folder(target, known[target])
            if there != here and there not in HOUSES and here not in HOUSES:
                edges.setdefault(there, f"{name} -> {target}")
    return folders


def problems(root: Path) -> Iterator[str]:
    """Yield a sentence for each violation of a rule."""
    found = graph(root)
    try:
        TopologicalSorter({name: set(edges) for name, edges in found.items()}).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        for here, there in pairwise(circle):
            yield f"{here} imports {there}, which imports it directly or indirectly: {found[here][there]}"
    for here, edges in found.items():
        for there, example in edges.items():
            if HOUSES.index(there.split(".")[0]) > HOUSES.index(here.split(".")[0]):
                yield f"{here} must not import {there}: {example}"
    yield from _crowded(root)


def _crowded(root: Path) -> Iterator[str]:
    count: dict[Path, int] = {}
    for path in modules(root).values():
        if path.name != "__init__.py":
            count[path.parent] = count.get(path.parent, 0) + 1
        elif not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))):
            yield f"{path.relative_to(root)} does not say what its folder holds"
    for folder, files in count.items():
        if files > MOST_FILES:
            yield f"{folder.relative_to(root)} holds {files} files, more than {MOST_FILES}"
        if not (folder / "__init__.py").exists() and folder.name != "versions":
            yield f"{folder.relative_to(root)} has no __init__.py"


def _folder(name: str, path: Path) -> str:
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in inner]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name in known)


def main(arguments: list[str]) -> int:
    """Print the graph or what is wrong with it; return the exit status."""
    root = Path(__file__).parents[1]
    if "--check" not in arguments:
        for folder, edges in sorted(graph(root).items()):
            print(f"{folder}: {', '.join(sorted(edges)) or '-'}")
    wrong = list(problems(root))
    for line in wrong:
        print(line, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
