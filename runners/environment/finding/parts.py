"""The elements of a plan."""

from gherkin.values import Frozen


class Part(Frozen):
    """Something to install into the virtual environment.

    `source` is the file (and group) that names it, for people. `words` are arguments of ``uv pip install``.
    If a part without `needed` cannot be installed, it is left out and named. `unlocked` are the words without
    the exact versions of a lock file, or without what requirement files take from git.
    """

    source: str
    words: tuple[str, ...]
    needed: bool = False
    unlocked: tuple[str, ...] = ()


class SetupCommand(Frozen):
    """A bash command line for the set-up sandbox; without `needed`, a failure is only named."""

    source: str
    line: str
    needed: bool = False


class Package(Frozen):
    """A Python package of the repository, installed editable. `folder` is relative to the repository (empty:
    its root).

    `extras` are set only if no file that can be read without running it has the dependencies: then the
    package is installed together with them (`with_dependencies`). `compiled`: it has sources for a compiler;
    `builder` is then the tool that builds them, unless that is setuptools.
    """

    folder: str = ""
    name: str = ""
    extras: tuple[str, ...] = ()
    with_dependencies: bool = False
    compiled: bool = False
    builder: str = ""
    needed: bool = True
