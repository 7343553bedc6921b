"""The glossary names things that exist, and each term once."""

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "glossary.md"
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def _exists(name: str) -> bool:
    """Whether `name` is a module or an attribute of one."""
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return hasattr(import_module(module), attribute)
    return True


@pytest.mark.parametrize("name", sorted({name for _, _, name in ROWS}))
def test_the_code_named_exists(name: str) -> None:
    assert _exists(name)


def test_each_term_stands_once_in_order_with_one_sentence_or_two() -> None:
    terms = [term for term, _, _ in ROWS]
    assert len(terms) > 40
    assert terms == sorted(set(terms))
    assert all(meaning.endswith(".") for _, meaning, _ in ROWS)


def test_a_missing_name_is_noticed() -> None:
    assert not _exists("runners.verify.gate.NoSuchThing")
