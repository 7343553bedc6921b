import pytest

from runners.verify.rules.only_added import only_adds_tests

OLD = """\
import unittest

from cart import (
    Cart,
    total,
)

CART = Cart()


class CartTest(unittest.TestCase):
    def test_empty(self):
        self.assertEqual(total(CART), 0)


def test_one():
    assert total([1]) == 1


if __name__ == "__main__":
    unittest.main()
"""
NEW_TEST = "def test_two():\n    assert total([1, 1]) == 2\n\n\n"
MORE = "    def test_full(self):\n        self.assertEqual(total([1]), 1)\n\n\ndef test_one"
NEW_CLASS = """\
class DeliveryTest(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()

    def test_delivery(self):
        self.assertEqual(total(self.cart), 0)


"""
MAIN = "if __name__"


@pytest.mark.parametrize(
    "changed",
    [
        OLD + "\n\n" + NEW_TEST,
        OLD.replace(MAIN, NEW_TEST + MAIN),
        OLD.replace("def test_one", MORE),
        OLD.replace("    Cart,\n", "    Cart,\n    delivery,\n").replace(MAIN, NEW_TEST + MAIN),
        OLD.replace("CART =", "from cart.costs import delivery\n\nCART =") + "\n\n" + NEW_TEST,
        OLD.replace(MAIN, NEW_CLASS + MAIN),
        "# Tests of carts.\n" + OLD + "\n\n" + NEW_TEST,
    ],
    ids=["at the end", "before main", "in a class", "with a name", "with an import", "a class", "a comment"],
)
def test_added_tests(changed: str) -> None:
    assert only_adds_tests("tests/test_cart.py", OLD, changed)


@pytest.mark.parametrize(
    "changed",
    [
        OLD.replace("== 1", "== 2"),
        OLD.replace("def test_one", "def test_uno"),
        OLD.replace("def test_one():\n    assert total([1]) == 1\n", ""),
        OLD.replace("    Cart,\n    total,\n", "    Cart,\n    other,\n") + "\n\ntotal = other\n",
        OLD.replace("    total,\n", "    other as total,\n"),
        OLD.replace(MAIN, "@pytest.fixture(autouse=True)\ndef ready():\n    pass\n\n\n" + MAIN),
        OLD.replace("    def test_empty", "    def setUp(self):\n        pass\n\n    def test_empty"),
        OLD.replace(MAIN, "def setup_module():\n    pass\n\n\n" + MAIN),
        OLD.replace("CART =", "from fakes import total\n\nCART ="),
        OLD.replace("CART =", "from fakes import *\n\nCART ="),
        OLD.replace("def test_one", "@unittest.skip('later')\ndef test_one"),
        OLD.replace("(unittest.TestCase)", "(unittest.IsolatedAsyncioTestCase)"),
        OLD.replace(MAIN, "def total(_):\n    return 1\n\n\n" + MAIN),
        OLD.replace(MAIN, "CART.limit = 3\n\n\n" + MAIN),
        OLD + "\n\ndef broken(:\n",
    ],
    ids=[
        "another value",
        "renamed",
        "removed",
        "a name replaced",
        "an alias",
        "a fixture",
        "set-up of a class",
        "set-up of the module",
        "a name imported again",
        "any name imported",
        "a decorator",
        "another base",
        "a function replaced",
        "a statement",
        "not Python",
    ],
)
def test_other_changes(changed: str) -> None:
    assert not only_adds_tests("tests/test_cart.py", OLD, f"{changed}\n\n{NEW_TEST}")


def test_a_helper_without_tests() -> None:
    assert not only_adds_tests("tests/helpers.py", "", "def total(_):\n    return 1\n")


def test_other_languages_are_not_read() -> None:
    assert not only_adds_tests("tests/cart.test.js", "test('a')\n", "test('a')\ntest('b')\n")
