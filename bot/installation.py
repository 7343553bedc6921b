"""Whether the installation is whole: gherkin-official (which pytest-bdd brings) has an import name of ours.

Nothing of `gherkin` is imported here, since that may be the other package.
"""

from importlib.util import find_spec
from pathlib import Path

CODE = "SCN-7040"
SAID = "Another package (gherkin-official, which pytest-bdd brings) is installed over parts of Scenarist."
NEXT_STEP = (
    "Install Scenarist by itself, not into a project's environment: "
    "`pipx install`, `uv tool install`, or as an image."
)


def overwritten(folder: Path | None = None) -> bool:
    """Return whether files of gherkin-official lie in the package `gherkin` (in `folder`), or have
    replaced ours.
    """
    spec = find_spec("gherkin") if folder is None else None
    places = [folder] if folder else [Path(each) for each in (spec and spec.submodule_search_locations) or ()]
    return any((each / "token_scanner.py").exists() or not (each / "values.py").exists() for each in places)
