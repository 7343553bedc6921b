"""What counts as a weaker test, and what is the same demand in other words."""

import pytest

from runners.verify.rules.weakening import asserted, weakened

UNITTEST = """
class TestCart(TestCase):
    def test_total(self):
        self.assertEqual(total(), 1)
        self.assertEqual(tax(), 2)
"""
RAISES = """
def test_empty():
    with pytest.raises(ValueError):
        total([])
    assert total([1]) == 1
"""
HELPER = """
def check(value, wanted):
    assert total(value) == wanted


def test_total():
    check(1, 2)
    check(2, 4)
"""
PLAIN = """
def test_total():
    assert total(1) == 2
    assert total(2) == 4
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (UNITTEST, UNITTEST.replace("        self.assertEqual(tax(), 2)\n", "")),
        (RAISES, RAISES.replace("    with pytest.raises(ValueError):\n        total([])\n", "")),
        (HELPER, HELPER.replace("    check(2, 4)\n", "")),
        (PLAIN, PLAIN.replace("    assert total(2) == 4\n", "")),
        (PLAIN, PLAIN.replace("def test", "@pytest.mark.skip\ndef test")),
        (PLAIN, PLAIN.replace("    assert total(2)", "    if True:\n        return\n    assert total(2)")),
        (
            PLAIN,
            PLAIN.replace(
                "    assert total(2) == 4\n",
                "    try:\n        assert total(2) == 4\n    except AssertionError:\n        pass\n",
            ),
        ),
    ],
)
def test_a_test_that_demands_less_is_weaker(before: str, after: str) -> None:
    assert weakened("test_a.py", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            UNITTEST,
            UNITTEST.replace("(tax(), 2)", "(tax(), 2)\n\n    def test_more(self):\n        self.fail()"),
        ),
        (
            UNITTEST,
            UNITTEST.replace(
                "        self.assertEqual(tax(), 2)\n",
                "\n    def test_tax(self):\n        self.assertEqual(tax(), 2)\n",
            ),
        ),
        (
            UNITTEST,
            "class TestCart(TestCase):\n    def check(self):\n        self.assertEqual(total(), 1)\n"
            "        self.assertEqual(tax(), 2)\n\n    def test_total(self):\n        self.check()\n",
        ),
        (PLAIN, HELPER),
        (HELPER, PLAIN),
        (
            PLAIN,
            "@pytest.mark.parametrize(('a', 'b'), [(1, 2), (2, 4)])\ndef test_total(a, b):\n"
            "    assert total(a) == b\n",
        ),
        (PLAIN, PLAIN.replace("    assert total(1)", "    run(['a'], timeout=10)\n    assert total(1)")),
        (
            PLAIN,
            PLAIN.replace(
                "    assert total(1) == 2",
                "    try:\n        total(0)\n    except ValueError as error:\n        pytest.fail(str(error))\n"
                "    assert total(1) == 2",
            ),
        ),
        (
            PLAIN,
            PLAIN.replace("    assert total(1)", "    def rate():\n        return 2\n\n    assert total(1)"),
        ),
        (PLAIN, "def order(**more):\n    return {'id': mock.ANY, **more}\n\n" + PLAIN),
    ],
)
def test_the_same_demand_in_other_words_is_not(before: str, after: str) -> None:
    assert weakened("test_a.py", before, after) == []


def test_assertions_are_counted_with_rows_and_helpers() -> None:
    assert [asserted(text) for text in (UNITTEST, RAISES, HELPER, PLAIN, "def f(:")] == [2, 2, 2, 2, 0]
