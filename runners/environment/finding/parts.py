"""What a plan consists of."""

from gherkin.values import Frozen


class Part(Frozen):
    """Something to install into the virtual environment.

    `source` is the file (and group) that names it, for people. `words` are arguments of ``uv pip install``.
    Without `needed`, a part that cannot be installed is left out and named. `unlocked` are the words for the
    same without the exact versions of a lock file, where there is one.
    """

    source: str
    words: tuple[str, ...]
    needed: bool = False
    unlocked: tuple[str, ...] = ()


class SetupCommand(Frozen):
    """A bash command line to run in the set-up sandbox; without `needed` its failure is only named."""

    source: str
    line: str
    needed: bool = False


class Package(Frozen):
    """A Python package of the repository, installed editable.

    `folder` is relative to the repository (empty: its root). `extras` are only given where the dependencies
    are not in a file that can be read without running it: the package is then installed together with them
    (`with_dependencies`). `compiled`: it has sources for a compiler; `builder` is then the tool that builds
    them, if that is not setuptools.
    """

    folder: str = ""
    name: str = ""
    extras: tuple[str, ...] = ()
    with_dependencies: bool = False
    compiled: bool = False
    builder: str = ""
    needed: bool = True
