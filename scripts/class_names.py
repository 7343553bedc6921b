"""Check that each class name, and each name of a type, means one thing in bot, runners and gherkin.

python -m scripts.class_names   print each name that is defined twice, with the places; exit status 1 if there are any

A leading underscore makes no difference: a private class is read by people, too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.folder_graph import modules

# The one exception. What a forge sends is named in the words of its API (GitHub's `Issue` becomes our `Issue`),
# and the parts of one adapter have the same names as those of another.
_FORGES = ("bot.forges.github.", "bot.forges.gitlab.", "bot.forges.local.")


def repeated(root: Path) -> Iterator[str]:
    """Yield a sentence for each name that is defined twice."""
    places: dict[str, list[str]] = {}
    for module, path in modules(root).items():
        if not module.startswith(_FORGES):
            for name, line in _defined(ast.parse(path.read_text(encoding="utf-8"))):
                places.setdefault(name.lstrip("_"), []).append(f"{path.relative_to(root)}:{line}")
    for name, found in sorted(places.items()):
        if len(found) > 1:
            yield f"{name} is defined in {' and '.join(found)}: rename one, so that a name means one thing"


def _defined(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the classes of a module, and the types it gives a name, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id[:1].isupper() and not target.id.isupper():
            yield target.id, node.lineno


def main() -> int:
    """Print what is defined twice; return the exit status."""
    wrong = list(repeated(Path(__file__).parents[1]))
    for line in wrong:
        print(line, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
