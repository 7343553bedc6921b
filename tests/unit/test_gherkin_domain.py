"""The domain language of a repository."""

import pytest

from gherkin.domain import Context, Domain, DomainInvalid, Term, describe, from_code, load

FILE = """\
contexts:
  - name: shop
    paths: [shop/**]
    summary: What is sold.
  - name: ledger
terms:
  - term: basket
    meaning: What a customer will buy.
    avoid: [cart, trolley]
    context: shop
  - term: till
    meaning:
"""

DOMAIN = Domain(
    contexts=(Context(name="shop", paths=("shop/**",), summary="What is sold."), Context(name="ledger")),
    terms=(
        Term(term="basket", meaning="What a customer will buy.", avoid=("cart", "trolley"), context="shop"),
        Term(term="till"),
    ),
)


def test_the_file_is_read() -> None:
    assert load(FILE) == DOMAIN


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "contexts:\nterms:\n", "{}"])
def test_an_empty_file_is_an_empty_domain(text: str) -> None:
    assert load(text) == Domain()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("terms: [a: b: c]", "line 1: not valid YAML"),
        ("terms:\n- term: a\n  meening: b\n", r"terms\.0\.meening: "),
        ("terms:\n- meaning: b\n", r"terms\.0\.term: "),
        ("terms: cart\n", "terms: "),
        ("- a\n", "the file: "),
        ("day: 2020-99-99\n", "the file: not valid YAML"),
        ("terms: " + "[" * 20_000, "the file: not valid YAML"),
        ("!!python/object/apply:os.getpid []", "line 1: not valid YAML"),
    ],
)
def test_a_bad_file_names_the_place(text: str, says: str) -> None:
    with pytest.raises(DomainInvalid, match=rf"^SCN-2003: domain\.yml: {says}"):
        load(text)


def test_the_description_keeps_to_its_budget() -> None:
    whole = (
        "basket (not: cart, trolley): What a customer will buy.\ntill\nshop [shop/**]: What is sold.\nledger"
    )
    assert describe(DOMAIN, len(whole) - 1) == whole.removesuffix("\nledger")
    assert describe(DOMAIN, len(whole)) == whole
    assert describe(DOMAIN, 10) == ""


def test_a_first_draft_from_code() -> None:
    domain = from_code(
        {
            "src/shop/__init__.py": '"""The shop.\n\nMore."""',
            "src/shop/stock/__init__.py": '"""The stock."""',
            "src/shop/stock/shelf.py": 'class Shelf:\n    """Holds books."""\nclass _Hidden: ...\n',
            "ledger/book.py": "class Book: ...\n",
            "tool.py": '"""A tool."""\n',
            "broken.py": "class",
            "nul.py": "\0",
            "tests/unit/test_shop.py": "class TestShop: ...\n",
            "test_tool.py": "class TestTool: ...\n",
            "README.md": "# Shop",
        }
    )
    assert domain == Domain(
        contexts=(
            Context(name="ledger", paths=("ledger/**",)),
            Context(name="shop", paths=("src/shop/**",), summary="The shop."),
            Context(name="tool", paths=("tool.py",), summary="A tool."),
        ),
        terms=(
            Term(term="Book", context="ledger"),
            Term(term="Shelf", meaning="Holds books.", context="shop"),
        ),
    )
