"""The domain language of a repository."""

import pytest

from gherkin.domain.drawing import draw
from gherkin.domain.language import Context, Domain, DomainInvalid, Term, describe, dump, extended, load

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
        ("terms:\n- term: a\n  meening: b\n", r"terms\[0\]\.meening is not known"),
        ("terms:\n- meaning: b\n", r"terms\[0\]\.term is missing"),
        ("terms: cart\n", "terms should be a list"),
        ("- a\n", "the file should hold keys"),
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


def test_a_first_draft_draw() -> None:
    domain = draw(
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
            Term(term="Book", context="ledger", where=("ledger/book.py",)),
            Term(term="Shelf", meaning="Holds books.", context="shop", where=("src/shop/stock/shelf.py",)),
        ),
    )


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("class Order: ...", None),
        ("class Colour(enum.Enum): ...", "value object"),
        ("class Point(NamedTuple):\n    x: int", "value object"),
        ("@dataclass(frozen=True)\nclass Money:\n    cents: int", "value object"),
        ("@dataclass(frozen=False)\nclass Basket:\n    lines: list", None),
        ("@attrs.frozen\nclass Money: ...", "value object"),
        ("@attrs.frozen()\nclass Money: ...", "value object"),
        ("class Order:\n    id: int", "entity"),
        ("@dataclass\nclass Order:\n    order_id: int", "entity"),
        ("class PaidEvent: ...", "event"),
        ("class PaymentService:\n    id: int", "service"),
        ("class Event: ...", None),
    ],
)
def test_the_form_of_a_class_says_which_building_block_it_is(source: str, kind: str | None) -> None:
    (term,) = draw({"shop.py": source}).terms
    assert term.kind == kind


def test_building_blocks_places_and_invariants_are_read_and_described() -> None:
    text = (
        "terms:\n- term: basket\n  kind: aggregate\n  meaning: What will be bought.\n  avoid: [cart]\n"
        "  where: [shop/basket.py]\n  invariants: [Its total is never negative.]\n"
    )
    assert describe(load(text), 500) == (
        "basket (aggregate; not: cart) [shop/basket.py]: What will be bought. Always: Its total is never "
        "negative."
    )
    with pytest.raises(DomainInvalid, match=r"terms\[0\]\.kind should be one of 'aggregate', "):
        load("terms:\n- {term: a, kind: thing}\n")


WORDS = """\
# Our words.
contexts:
  - name: sales
terms:
  - term: customer   # never "client"
    meaning: Who buys.
    avoid: [client]

  - term: order
    meaning: What is bought.
"""


def test_new_terms_go_to_the_end_of_the_list_and_nothing_else_changes() -> None:
    more = extended(
        WORDS, [Term(term="Receipt", meaning="Proof: it's paid."), Term(term="Client", meaning="x")]
    )
    assert more is not None
    assert more.startswith(WORDS)
    assert [term.term for term in load(more).terms] == ["customer", "order", "Receipt"]
    assert load(more).terms[2].meaning == "Proof: it's paid."


def test_a_list_in_the_middle_of_the_file_grows_in_its_place() -> None:
    text = "terms:\n- term: a\n\ncontexts:\n- name: b\n"
    more = extended(text, [Term(term="c", meaning="")])
    assert more == "terms:\n- term: a\n- term: c\n  meaning: ''\n\ncontexts:\n- name: b\n"


def test_known_terms_are_nothing_to_add() -> None:
    assert extended(WORDS, [Term(term="CUSTOMER"), Term(term=" ")]) is None
    assert extended("terms: [{term: a}]\n", [Term(term="b")]) is None, "a list in one line is left alone"
    assert extended("", [Term(term="b", meaning="c")]) == "\nterms:\n- term: b\n  meaning: c\n"


def test_terms_that_a_text_speaks_of_come_first() -> None:
    domain = Domain(
        terms=(Term(term="Invoice"), Term(term="OrderLine"), Term(term="Refund", avoid=("chargeback",)))
    )
    assert describe(domain, 100, "Two order lines").split("\n")[0] == "OrderLine"
    assert describe(domain, 100, "No chargebacks").split("\n")[0].startswith("Refund")
    assert describe(domain, 9) == "Invoice"


def test_a_draft_from_code_can_be_read_back() -> None:
    drawn = draw(
        {"shop/__init__.py": '"""Selling."""', "shop/cart.py": 'class Cart:\n    """What is chosen."""'}
    )
    assert load(dump(drawn)) == drawn


FEATURE = """\
Feature: Lending
  As a librarian,
  I want to see who has a book, so that nobody waits in vain.

  Rule: A member has at most three books.

    Scenario: A member takes a book
      Given a member with 2 books
      When the member takes a shelf
      Then the member has 3 books
"""
STEPS = """\
from behave import given
class World: ...
@given("a fine of {amount}")
def _(context, amount): ...
@when("I pay the fine")
def _(context): ...
"""


def test_features_and_steps_are_drawn_from_too() -> None:
    domain = draw(
        {
            "library/desk.py": (
                "class Desk:\n    def lend(self, member, fine):\n        self.shelf = member\n"
            ),
            "library/book.py": "class Book: ...\n",
            "features/lending.feature": FEATURE,
            "features/steps/lending.py": STEPS,
            "features/environment.py": "class Hooks: ...\n",
            "features/lending/more.feature": "Feature: More\n",
            "library/beside.feature": "Feature: Beside its code\n",
            "features/broken.feature": "Feature:\n  Nothing: at all\n",
        }
    )
    assert [context.name for context in domain.contexts] == ["library"], "steps are no part of the domain"
    rule = ("A member has at most three books.",)
    assert domain.terms == (
        Term(term="Book", context="library", where=("library/book.py",), invariants=rule),
        Term(term="Desk", context="library", where=("library/desk.py",)),
        Term(term="librarian", meaning="Wants to see who has a book.", where=("features/lending.feature",)),
        Term(term="fine", where=("library/desk.py",)),
        Term(term="member", where=("library/desk.py",), invariants=rule),
    ), "a shelf is spoken of once only"
