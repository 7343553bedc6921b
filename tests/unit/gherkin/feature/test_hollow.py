"""Step definitions that cannot fail."""

import pytest

from gherkin.feature.hollow import assertionless, equal_to_all

HELPERS = """
def nothing(value):
    return value == 1

def again(value):
    again(value)
    twice(value)

def twice(value):
    print(value)

def round(value):
    assert value == 1

def check(value):
    if value:
        assert value == 1
"""


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        '"""It is right."""',
        "x = 1",
        "x: int",
        "x = [1, None]",
        "return",
        "return True",
        "assert True",
        "assert (count, 'message')",
        "assert 1 == 1",
        "assert count == count",
        "assert not False",
        "assert count or True",
        "print(f'{count} books')",
        "'''doc'''\n    context.ok = True\n    assert 'yes'",
        "context.count == count",
        "_ = context.count == count",
        "context.count += count",
        "assert context.count == context.count",
        "assert len(context.books) >= 0",
        "assert 'it is ' + str(count)",
        "assert f'it is {count}'",
        "assert {'count': count}",
        "assert lambda: count",
        "assert (seen := True)",
        "return\n    assert count == 1",
        "if True: return\n    assert count == 1",
        "if False: assert count == 1",
        "while not True: assert count == 1",
        "for each in []: assert each",
        "try: assert count == 1\n    except AssertionError: pass",
        "try: assert count == 1\n    except (KeyError, AssertionError): print('well')",
        "try: check(count)\n    except: pass",
        "with contextlib.suppress(Exception): assert count == 1",
        "nothing(count)",
        "twice(nothing(count))",
        "again(count)",
        "def inner(): assert count == 1",
        "def inner(): return count == 1\n    inner()",
        "[str(each) for each in context.books]",
        "isinstance(context.count, int)",
        "context.logger.info(context.count)",
        "abs(context.count)",
    ],
)
def test_a_then_step_that_cannot_fail_is_named(body: str) -> None:
    source = f'from behave import then\n\n@then("x")\ndef see(context, count):\n    {body}\n{HELPERS}'
    assert [(each.function, each.line) for each in assertionless(source)] == [("see", 4)]


@pytest.mark.parametrize(
    "body",
    [
        "assert count == 1",
        "assert count",
        "assert context.count == count",
        "assert count or context.ok",
        "assert count != count",
        "assert False",
        "assert not True",
        "assert []",
        "raise NotImplementedError",
        "check_books(count)",
        "context.page.should_have(count)",
        "print(context.page.find(count))",
        "context.found = context.page.find(count)",
        "import shop",
        "if count: raise ValueError",
        "await context.check()",
        "with context.raises(): pass",
        "for book in context.books: assert book",
        "assert len(context.books) >= 1",
        "assert context.books",
        "assert context.find() == context.find()",
        "assert '' + context.text",
        "if count: return\n    assert count == 1",
        "if False: pass\n    else: assert count == 1",
        "try: assert count == 1\n    except AssertionError: raise ValueError from None",
        "try: context.do()\n    except KeyError: pass",
        "try: context.do()\n    except Exception: assert count == 1",
        "try: context.do()\n    except Exception: pass\n    else: assert count == 1",
        "with contextlib.suppress(KeyError): assert count == 1",
        "check(count)",
        "twice(check(count))",
        "def inner(): assert count == 1\n    inner()",
        "[check(each) for each in context.books]",
        "context.eq = check(count)",
        "context.books.all(count)",
        "round(count)",
    ],
)
def test_a_then_step_that_might_fail_is_left_alone(body: str) -> None:
    source = f'from behave import then\n\n@then("x")\nasync def see(context, count):\n    {body}\n{HELPERS}'
    assert assertionless(source) == []


def test_only_then_steps_have_to_assert() -> None:
    source = '@given("x")\ndef a(c): pass\n@when("x")\ndef b(c): pass\ndef then(c): pass\n'
    assert assertionless(source) == []
    nested = 'import behave\nif True:\n    @behave.then("x")\n    def a(c): pass\n'
    assert [(each.pattern, each.line) for each in assertionless(nested)] == [("x", 4)]


@pytest.mark.parametrize("source", ["def", "\0", "-" * 200_000 + "1", "if a: b\n" + "elif a: b\n" * 5_000])
def test_what_is_not_python_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        assertionless(source)


def test_steps_of_any_kind_are_named_too() -> None:
    source = 'from behave import given, step\n@step("x")\ndef x(c): pass\n@given("y")\ndef y(c): pass\n'
    assert [(each.kind, each.pattern) for each in assertionless(source)] == [("step", "x")]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("def __eq__(self, other): return True", True),
        ("def __eq__(self, other):\n        if other: return 1\n        return self is self", True),
        ("def __ne__(self, other): return False", True),
        ("__eq__ = lambda self, other: True", True),
        ("def __eq__(self, other): return self.x == other.x", False),
        (
            "def __eq__(self, other):\n        if other is self: return True\n        return NotImplemented",
            False,
        ),
        ("def __eq__(self, other): ...", False),
        ("def __ne__(self, other): return not self == other", False),
        ("__hash__ = None", False),
        ("eq = lambda self, other: True", False),
    ],
)
def test_a_class_that_equals_everything_is_found(body: str, found: bool) -> None:
    assert equal_to_all(f"class Any:\n    {body}\n") == ({"Any"} if found else set())


@pytest.mark.parametrize("source", ["from unittest.mock import ANY", "import mock\nx = mock.ANY"])
def test_the_mock_that_equals_everything_is_found(source: str) -> None:
    assert equal_to_all(source) == {"mock.ANY"}
    assert equal_to_all(source.replace("ANY", "Mock")) == set()


def test_what_is_not_python_equals_nothing() -> None:
    assert equal_to_all("class") == set()
