"""A forge is a folder: nothing but the registry and the operator's commands knows one of them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
_FORGE = re.compile(r"^\s*(?:from|import) bot\.forges\.(github|gitlab|local)\b", re.MULTILINE)
# The local forge is part of the demo and of runs on this machine; Actions is GitHub's.
_MAY = {
    "github": ("bot/forges/github/", "bot/forges/registry/", "bot/cli/", "bot/launchers/actions/"),
    "gitlab": ("bot/forges/gitlab/", "bot/forges/registry/", "bot/cli/"),
    "local": ("bot/forges/local/", "bot/forges/registry/", "bot/cli/", "bot/demo/", "bot/worker/"),
}
_MAX_LINES = 300


def test_nothing_else_imports_a_forge() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), forge)
        for house in ("bot", "runners", "gherkin")
        for path in (ROOT / house).rglob("*.py")
        for forge in _FORGE.findall(path.read_text())
    ]
    assert {forge for _, forge in found} == set(_MAY), "each forge is imported somewhere"
    assert [(path, forge) for path, forge in found if not path.startswith(_MAY[forge])] == []


def test_an_adapter_translates_and_nothing_else() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in (ROOT / "bot/forges").rglob("*.py")}
    assert {path.name for path in sizes} >= {"adapter.py", "receiver.py", "people.py"}
    assert {
        path.name: size for path, size in sizes.items() if size > _MAX_LINES and path.parent.name != "forges"
    } == {}
