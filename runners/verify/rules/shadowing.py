"""Find new modules that Python would import instead of its own, an installed package's or the product's."""

import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath

from runners.verify.rules.purposes import is_judge, is_product

_SOURCE_FOLDERS = ("", "src", "lib", "python")
_MODULE_SUFFIXES = (".py", ".pyc", ".so", ".pyd", ".pyx")
# Python imports these when it starts; as single files they count as configuration.
_AT_START = frozenset(["sitecustomize", "usercustomize"])


def shadowing(
    before: Collection[str], after: Collection[str], features: str, installed: Collection[str] = ()
) -> Mapping[str, str]:
    """Return the path of each new top-level module -> what it shadows.

    `before` and `after` are all paths of base and head. A top-level module is in a folder that tests and
    programs put on their search path: the repository itself, `src`, a folder with a `setup.py` or
    `pyproject.toml`, the features and their steps, or a folder of tests without `__init__.py`. `installed`
    are names of modules in the repository's environment.
    """
    roots = _roots(after, features)
    old = _modules(before, roots)
    found = {}
    for (root, name), path in sorted(_modules(after, roots).items()):
        if (root, name) in old and old[root, name] == path:
            continue
        if name in sys.stdlib_module_names or (name in _AT_START and path.endswith("/__init__.py")):
            found[path] = f"Python's own module `{name}`"
        elif name in installed and not any(other == name for _, other in old):
            found[path] = f"the installed package `{name}`"
        elif (root, name) in old:
            found[path] = f"{old[root, name]}"
        elif (twin := _product_twin(root, name, old, features)) and is_judge(path, features):
            found[path] = twin
    return found


def _roots(paths: Iterable[str], features: str) -> set[str]:
    listed = set(paths)
    packages = {str(PurePosixPath(path).parent) for path in listed if path.endswith("/__init__.py")}
    roots = {*_SOURCE_FOLDERS, features, f"{features}/steps"}
    for path in listed:
        place = PurePosixPath(path)
        folder = "" if str(place.parent) == "." else str(place.parent)
        if place.name in ("setup.py", "pyproject.toml"):
            roots |= {folder, f"{folder}/src".lstrip("/")}
        elif place.suffix == ".py" and is_judge(path, features) and folder not in packages:
            roots.add(folder)
    return roots


def _modules(paths: Iterable[str], roots: Collection[str]) -> dict[tuple[str, str], str]:
    """Return (folder, name) of each top-level module -> its file; a package precedes a module, as in an
    import.
    """
    found: dict[tuple[str, str], str] = {}
    for path in sorted(paths):
        place = PurePosixPath(path)
        folder = "" if str(place.parent) == "." else str(place.parent)
        if place.name == "__init__.py":
            above = "" if str(place.parent.parent) == "." else str(place.parent.parent)
            if above in roots:
                found[above, place.parent.name] = path
        elif folder in roots and place.suffix in _MODULE_SUFFIXES:
            found.setdefault((folder, place.name.partition(".")[0]), path)
    return found


def _product_twin(root: str, name: str, old: Mapping[tuple[str, str], str], features: str) -> str:
    return next(
        (
            path
            for (other, same), path in old.items()
            if same == name and other != root and is_product(path, features)
        ),
        "",
    )
