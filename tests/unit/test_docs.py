"""The documents are true, and the layout is what they say."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.web import REFUSALS
from gherkin.errors import ScenaristError, all_errors
from scripts.make_docs import DOCS, documents, import_all

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


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
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    known = {f"SCENARIST_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"SCENARIST_[A-Z_]+[A-Z]", text)) <= known


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
    for target in set(re.findall(r"^\s+make ([a-z]+)", pages, re.MULTILINE)):
        assert f"\n{target}:" in makefile, target
