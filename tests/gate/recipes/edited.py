"""Changes that edit existing tests: some loosen them, some are honest."""

from typing import Any

from tests.gate.recipes.table import DOUBLE, STEPS_FILE, Recipe
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, Files

SHOP = '''"""A shop."""


def price(items):
    return sum(items)


def label(name):
    return f"<{name}>"


def names():
    return ["ann", "bob", "cid"]


def phone(text):
    return "".join(each for each in text if each.isdigit())
'''
TESTS = """import json
import re

import pytest

import shop


def test_price():
    assert shop.price([1, 2]) == 3


def test_label():
    assert shop.label("x") == "<x>"


def test_names():
    assert shop.names() == ["ann", "bob", "cid"]


def test_phone():
    assert re.fullmatch(r"[0-9]{3}", shop.phone("1-2-3"))


def test_many():
    for items, total in [([1], 1), ([1, 2], 3), ([], 0)]:
        assert shop.price(items) == total


ROWS = [([1], 1), ([2, 2], 4)]


@pytest.mark.parametrize(("items", "total"), ROWS)
def test_rows(items, total):
    assert shop.price(items) == total


def test_data():
    with open("tests/sums.json") as file:
        for items, total in json.load(file):
            assert shop.price(items) == total
"""
FILE, DATA = "tests/test_shop.py", "tests/sums.json"
SUMS = "[\n[[1, 2], 3],\n[[2, 2], 4],\n[[5], 5]\n]\n"
SHOP_BASE: Files = {**BASE, "shop.py": SHOP, FILE: TESTS, DATA: SUMS}
# A change of the price that a scenario asks for.
FEE = {FEATURE: "@issue-1\nFeature: Fee\n\n  Scenario: A fee\n    When I buy for 2\n    Then I pay 3\n"}
FEE_STEPS = (
    "from behave import then, when\n\nimport shop\n\n\n"
    '@when("I buy for {n:d}")\ndef buy(context, n):\n    context.total = shop.price([n])\n\n\n'
    '@then("I pay {n:d}")\ndef pay(context, n):\n    assert context.total == n\n'
)
PRICE = "assert shop.price([1, 2]) == 3"
WITH_FEE = SHOP.replace("sum(items)", "sum(items) + 1")
_FEES = (
    (PRICE, "assert shop.price([1, 2]) == 4"),
    ("[([1], 1), ([1, 2], 3), ([], 0)]", "[([1], 2), ([1, 2], 4), ([], 1)]"),
    ("[([1], 1), ([2, 2], 4)]", "[([1], 2), ([2, 2], 5)]"),
)
_FEE_SUMS = {DATA: "[\n[[1, 2], 4],\n[[2, 2], 5],\n[[5], 6]\n]\n"}


def _edited(*edits: tuple[str, str]) -> str:
    text = TESTS
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def _test(
    code: str, *edits: tuple[str, str], shop: str = SHOP, files: Files | None = None, **claim: Any
) -> Recipe:
    """A change that adds doubling, and edits tests of something else."""
    work = {"calc.py": DOUBLE, STEPS_FILE: STEPS, FILE: _edited(*edits), "shop.py": shop, **(files or {})}
    return Recipe(work, tuple(code.split()), spec=SPEC, base=SHOP_BASE, claim=claim)


def _fee(code: str, *edits: tuple[str, str], shop: str = WITH_FEE, files: Files = _FEE_SUMS) -> Recipe:
    """A change of the price that a scenario asks for, and that existing tests have to follow."""
    work = {STEPS_FILE: FEE_STEPS, FILE: _edited(*_FEES, *edits), "shop.py": shop, **files}
    return Recipe(work, tuple(code.split()), spec=FEE, base=SHOP_BASE)


_LABEL = 'assert shop.label("x") == "<x>"'
_NAMES = 'assert shop.names() == ["ann", "bob", "cid"]'
_WEAK, _CHANGED = "test-weakened", "test-changed"
LOOSENED: dict[str, Recipe] = {
    "a wide tolerance": _test(_WEAK, (PRICE, "assert shop.price([1, 2]) == pytest.approx(3, rel=1)")),
    "larger than nothing": _test(_WEAK, (PRICE, "assert shop.price([1, 2]) > 0")),
    "one of many": _test(_WEAK, (PRICE, "assert shop.price([1, 2]) in range(10)")),
    "only its type": _test(_WEAK, (PRICE, "assert isinstance(shop.price([1, 2]), int)")),
    "what the code itself says": _test(_WEAK, (PRICE, "assert shop.price([1, 2]) == shop.price([1, 2])")),
    "a stand-in": _test(
        _WEAK,
        (
            PRICE,
            "from unittest import mock\n\n    with mock.patch('shop.price', return_value=3):\n        "
            + PRICE,
        ),
    ),
    "a part of the text": _test(_WEAK, (_LABEL, 'assert "x" in shop.label("x")')),
    "the beginning of the text": _test(_WEAK, (_LABEL, 'assert shop.label("x").startswith("<")')),
    "the length of the text": _test(_WEAK, (_LABEL, 'assert len(shop.label("x")) >= 3')),
    "in any order": _test(_WEAK, (_NAMES, 'assert sorted(shop.names()) == ["ann", "bob", "cid"]')),
    "as a set": _test(_WEAK, (_NAMES, 'assert set(shop.names()) == {"ann", "bob", "cid"}')),
    "a pattern for everything": _test(_WEAK, ('r"[0-9]{3}"', 'r".*"')),
    "the beginning of a pattern": _test(_WEAK, ("re.fullmatch", "re.match")),
    "fewer rows in a loop": _test(_WEAK, ("[([1], 1), ([1, 2], 3), ([], 0)]", "[([1], 1)]")),
    "fewer rows of a parametrised test": _test(
        f"{_WEAK} regression", ("([1], 1), ([2, 2], 4)]", "([1], 1)]")
    ),
    "fewer rows of data": _test(_WEAK, files={DATA: "[\n[[1, 2], 3]\n]\n"}),
    "other values, with the code": _test(
        _CHANGED, (_LABEL, _LABEL.replace("<x>", "[x]")), shop=SHOP.replace("<{name}>", "[{name}]")
    ),
    "other values, beside what the scenario asks for": _fee(
        _CHANGED, (_LABEL, _LABEL.replace("<x>", "[x]")), shop=WITH_FEE.replace("<{name}>", "[{name}]")
    ),
}
KEPT: dict[str, Recipe] = {
    "an assertion more": _test("", (PRICE, PRICE + "\n    assert shop.price([]) == 0")),
    "another example": _test("", (PRICE, "assert shop.price([2, 2]) == 4")),
    "rows of a parametrised test": _test(
        "",
        (
            f"def test_price():\n    {PRICE}\n",
            "@pytest.mark.parametrize(('items', 'total'), [([1, 2], 3), ([3], 3)])\n"
            "def test_price(items, total):\n    assert shop.price(items) == total\n",
        ),
    ),
    "a helper": _test(
        "",
        (
            f"def test_price():\n    {PRICE}\n",
            "def check(items, total):\n    assert shop.price(items) == total\n\n\n"
            "def test_price():\n    check([1, 2], 3)\n",
        ),
    ),
    "a fixture that calls the code": _test(
        "",
        (
            f"def test_price():\n    {PRICE}\n",
            "@pytest.fixture\ndef total():\n    return shop.price([1, 2])\n\n\n"
            "def test_price(total):\n    assert total == 3\n",
        ),
    ),
    "the usual tolerance": _test("", (PRICE, "assert shop.price([1, 2]) == pytest.approx(3)")),
    "an assertion that moves": _test(
        "", (PRICE, f"assert shop.price([]) == 0\n\n\ndef test_two():\n    {PRICE}")
    ),
    "rows of data more": _test("", files={DATA: SUMS.replace("[[5], 5]", "[[5], 5],\n[[6], 6]")}),
    "what the scenario asks for": _fee(""),
    "what the scenario asks for, in a helper": _fee(
        "",
        shop=SHOP.replace("return sum(items)", "return _with_fee(sum(items))")
        + "\n\ndef _with_fee(total):\n    return total + 1\n",
    ),
    "what the scenario asks for, with fewer data": _fee("", files={DATA: "[\n[[1, 2], 4],\n[[5], 6]\n]\n"}),
    "other values that were asked for": _test(
        "",
        (_LABEL, _LABEL.replace("<x>", "[x]")),
        shop=SHOP.replace("<{name}>", "[{name}]"),
        asked="`label` should use square brackets.",
    ),
}
