"""The documents are true, and the layout is what they say."""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from bot.cli.app import Commands
from bot.config.settings import OTHER_VARIABLES, Settings
from bot.web.http.refusals import REFUSALS
from gherkin.errors import ScenaristError, all_errors
from runners.verify.verdict import Doubt, Problem
from scripts.make_docs import DOCS, documents, import_all

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
RECIPES = [
    ROOT / name
    for name in (
        "action.yml",
        "compose.yaml",
        "Dockerfile",
        ".github/workflows/agent.yml",
        ".github/workflows/ci.yml",
    )
]
KNOWN = {f"SCENARIST_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES


def variables(text: str) -> set[str]:
    return set(re.findall(r"SCENARIST_[A-Z_]+[A-Z]", text))


def headings(page: Path) -> set[str]:
    """The anchors a forge makes of a page's headings."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}


def test_generated_documents_are_up_to_date() -> None:
    for name, text in documents().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"{name}: run `make docs`"


def test_error_codes_are_unique_and_say_what_to_do() -> None:
    import_all()
    codes = Counter([ScenaristError.code, *REFUSALS, *(each.code for each in all_errors())])
    assert [code for code, count in codes.items() if count > 1] == []
    for each in all_errors():
        assert re.fullmatch(r"SCN-\d{4}", each.code), each
        assert each.next_step.endswith(".") and each.next_step != ScenaristError.next_step, each
        assert each.__doc__, each


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve_and_variables_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not heading or heading in headings(linked), f"{page.name} links to {target}#{heading}"
    assert variables(text) <= KNOWN


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_recipes_set_variables_that_exist(recipe: Path) -> None:
    assert variables(recipe.read_text(encoding="utf-8")) <= KNOWN


def test_every_problem_of_a_verdict_is_explained() -> None:
    text = (DOCS / "verdict.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\S[^|]*) \| (\S[^|]*) \|$", text, re.MULTILINE)
    codes = set(get_args(Problem.model_fields["code"].annotation))
    doubts = set(get_args(Doubt.model_fields["code"].annotation))
    assert sorted(code for code, _, _ in rows) == sorted(codes - doubts)
    assert all(f"| `{code}` | " in text for code in doubts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_named_exist(page: Path) -> None:
    known = set(Commands.table)
    named = re.findall(r"(?:`|^ {4}|bin/)scenarist ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= known


def test_imports_point_one_way() -> None:
    forbidden = {"gherkin": {"runners", "bot"}, "runners": {"bot"}}
    for package, others in forbidden.items():
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & others, path


def test_the_readmes_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for target in set(re.findall(r"^\s+make ([a-z-]+)", pages, re.MULTILINE)):
        assert f"\n{target}:" in makefile, target
