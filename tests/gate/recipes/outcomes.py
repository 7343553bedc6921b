"""How exactly Then steps look at the outcome: lazy ones, and honest ones near each."""

from tests.gate.recipes.lazy import LAZY, TOLD_NUMBER, WHEN, lazy, second, spec, steps, then
from tests.gate.recipes.proofs import PROOFS, honest
from tests.gate.recipes.table import DOUBLE
from tests.support.workbench import BASE, Files


def exact(name: str, body: str, scenario: Files = TOLD_NUMBER, pattern: str = "the result is {n:d}") -> None:
    """A lazy comparison with the value that the step names."""
    lazy(f"an exact value: {name}", scenario, steps(WHEN, then(pattern, body, "n")))


exact("at most", "assert context.result <= n")
exact("at least", "assert context.result >= n")
exact("at most, with unittest", "import unittest\nunittest.TestCase().assertLessEqual(context.result, n)")
exact("one of many", "assert context.result in range(n + 1)")
exact("a tolerance of half of it", "assert abs(context.result - n) <= n / 2 + 1")
exact("rounded to ten", "assert round(context.result, -1) == round(n, -1)")
exact("as a condition", "assert bool(context.result) == bool(n)")
exact(
    "without what stands behind the point",
    "assert int(context.result) == int(n)",
    spec("When I double 4", "Then the result is 8.00"),
    "the result is {n:g}",
)

_GREET = '@when("I greet {name}")\ndef greet(context, name):\n    context.result = calc.greet(name)\n\n\n'
GREETING = BASE["calc.py"] + "\n\ndef greet(name):\n    return f'Hello, {name}'\n"
for _name, _body in {
    "only as long": "assert len(context.result) == len(text)",
    "only as many words": "assert len(context.result.split()) == len(text.split())",
    "only as many letters": "assert len(set(context.result)) == len(set(text))",
}.items():
    lazy(
        f"an exact text: {_name}",
        spec("When I greet Ann", 'Then I read "Hello, Ann"'),
        steps(_GREET, then('I read "{text}"', _body, "text")),
        calc=GREETING,
    )
_SORT = (
    '@when("I sort {names}")\ndef ordered(context, names):\n'
    '    context.result = calc.ordered(names.split(", "))\n\n\n'
)
SORTING = BASE["calc.py"] + "\n\ndef ordered(names):\n    return sorted(names)\n"
for _name, _body in {
    "as a set": "assert set(context.result) == set(names.split(', '))",
    "both sides sorted": "assert sorted(context.result) == sorted(names.split(', '))",
}.items():
    lazy(
        f"an order: {_name}",
        spec("When I sort b, a", 'Then the order is "a, b"'),
        steps(_SORT, then('the order is "{names}"', _body, "names")),
        calc=SORTING,
    )
_TABLE = spec(
    "When I double these",
    "  | n |",
    "  | 4 |",
    "  | 5 |",
    "Then I see",
    "  | n | twice |",
    "  | 4 | 8 |",
    "  | 5 | 10 |",
)
_THESE = (
    '@when("I double these")\ndef these(context):\n'
    '    context.results = {int(row["n"]): calc.double(int(row["n"])) for row in context.table}\n\n\n'
)
for _name, _body in {
    "the first row": "row = context.table[0]\nassert context.results[int(row['n'])] == int(row['twice'])",
    "at most": "for row in context.table:\n    assert context.results[int(row['n'])] <= int(row['twice'])",
    "a sum that is large enough": (
        "assert sum(context.results.values()) >= sum(int(row['twice']) for row in context.table)"
    ),
}.items():
    lazy(f"a table: {_name}", _TABLE, steps(_THESE, then("I see", _body)))

_LISTING = WHEN.replace("    context.result", "    context.rows = []\n    context.result")
for _name, _body in {
    "a loop": "for row in context.rows:\n    assert row == 9",
    "a loop over what is filtered": "for row in [each for each in context.rows if each]:\n    assert row == 9",
    "a loop over numbers and rows": "for number, row in enumerate(context.rows):\n    assert row == number",
    "all of them": "assert all(row == 9 for row in context.rows)",
    "not any of them": "assert not any(row == 9 for row in context.rows)",
    "under a condition": "if context.rows:\n    assert context.rows[0] == 9",
}.items():
    lazy(
        f"over nothing: {_name}",
        spec("When I double 4", "Then I get 8", "And every row is right"),
        steps(_LISTING, then("every row is right", _body)),
    )
lazy(
    "over nothing: a list of the program's",
    spec("When I double 4", "Then I get 8", "And every row is right"),
    steps(WHEN, then("every row is right", "for row in calc.rows():\n    assert row == 9")),
    calc=DOUBLE + "\n\ndef rows():\n    return []\n",
)
for _name, _body in {
    "never awaited": "async def check():\n    assert context.result == 9\ncheck()\nassert calc",
    "in tasks that are only waited for": (
        "import asyncio\nasync def check():\n    assert context.result == 9\n"
        "async def main():\n    await asyncio.wait([asyncio.create_task(check())])\nasyncio.run(main())"
    ),
    "in a pool that is not asked": (
        "from concurrent.futures import ThreadPoolExecutor\ndef check():\n    assert context.result == 9\n"
        "with ThreadPoolExecutor() as pool:\n    pool.submit(check)"
    ),
}.items():
    second(f"assertions {_name}", _body)
for _name, _body in {
    "something else": "assert context is not None",
    "another kind of thing": "assert context.shown != name",
    "the thing itself": "assert context.shown is not name",
    "a list of its own": "if name in []:\n    raise AssertionError",
}.items():
    lazy(
        f"what is not so: {_name}",
        spec("When I hide Ann", 'Then "Ann" is not shown'),
        steps(
            '@when("I hide {name}")\ndef hide(context, name):\n'
            '    context.shown = calc.hide(["Ann", "Bob"], name)\n\n\n',
            then('"{name}" is not shown', _body, "name"),
        ),
        calc=BASE["calc.py"]
        + "\n\ndef hide(names, name):\n    return [each for each in names if each != name]\n",
    )

# Honest ones.
for _name, _body in {
    "as a text": "assert str(context.result) == str(n)",
    "in what is printed": "assert str(n) in f'4 doubled is {context.result}.'",
    "by a message": "if context.result != n:\n    raise AssertionError(context.result)",
    "with half a unit to spare": "assert abs(context.result - n) < 0.5",
    "in a coroutine": (
        "import asyncio\nasync def check():\n    assert context.result == n\nasyncio.run(check())"
    ),
}.items():
    honest(f"an exact value {_name}", TOLD_NUMBER, steps(WHEN, then("the result is {n:d}", _body, "n")))
_DISCOUNT = (
    '@when("I take {n:d} percent off")\ndef discount(context, n):\n'
    "    context.result = calc.discount(n)\n\n\n"
)
for _pattern, _body in {
    "the discount is capped at {n:d}": "assert context.result <= n",
    "no more than {n:d} are taken off": "assert context.result <= n",
    "the discount is {n:d} or less": "assert context.result <= n",
    "there is room for {n:d}": "assert context.result >= n",
}.items():
    honest(
        f"a limit: {_pattern}",
        spec("When I take 50 percent off", f"Then {_pattern.replace('{n:d}', '20')}"),
        steps(_DISCOUNT, then(_pattern, _body, "n")),
        calc=BASE["calc.py"] + "\n\ndef discount(n):\n    return min(n, 20)\n",
    )
_BLOCK = (
    '@when("I block the user")\ndef block(context):\n'
    "    context.user = calc.User()\n    context.user.block()\n\n\n"
)
_USER = (
    "\n\nclass User:\n    def __init__(self):\n        self.active = True\n\n"
    "    def block(self):\n        self.active = False\n"
)
honest(
    "a word for a state",
    spec("When I block the user", 'Then the user is "blocked"'),
    steps(
        _BLOCK, then('the user is "{state}"', "assert context.user.active == (state == 'active')", "state")
    ),
    calc=BASE["calc.py"] + _USER,
)
_HIDE = (
    '@when("I hide {name}")\ndef hide(context, name):\n'
    '    context.shown = calc.hide(["Ann", "Bob"], name)\n\n\n'
)
_HIDING = BASE["calc.py"] + (
    "\n\ndef hide(names, name):\n    return [each for each in names if each != name]\n"
)
for _name, _body in {
    "not in it": "assert name not in context.shown",
    "all differ": "assert all(each != name for each in context.shown)",
    "a loop": "for each in context.shown:\n    assert each != name",
    "in a text": "assert name not in ', '.join(context.shown)",
    "as a line": "assert f'- {name}' not in [f'- {each}' for each in context.shown]",
    "the whole rest": "assert context.shown == ['Bob']",
}.items():
    honest(
        f"what is not so: {_name}",
        spec("When I hide Ann", 'Then "Ann" is gone'),
        steps(_HIDE, then('"{name}" is gone', _body, "name")),
        calc=_HIDING,
    )
honest(
    "what is not so: another name",
    spec("When I hide Ann", 'Then the first one is not "Ann"'),
    steps(
        _HIDE.replace("context.shown =", "context.first, =").replace('"Bob"]', '"Bob"]'),
        then('the first one is not "{name}"', "assert context.first != name", "name"),
    ),
    calc=_HIDING,
)
_LOGGED = (
    "\n\n_SEEN = []\n\n\ndef double(n):\n    _SEEN.append(2 * n)\n    return 2 * n\n\n\n"
    "def seen():\n    return list(_SEEN)\n\n\ndef errors():\n    return []\n"
)
for _text, _body in {
    "every number is right": "for each in calc.seen():\n    assert each == 8",
    "all numbers are right": "assert all(each == 8 for each in calc.seen())",
    "no error is left": "for error in calc.errors():\n    assert error is None",
    "the errors are empty": "for error in calc.errors():\n    assert error is None",
    "it is remembered": (
        "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end:\n"
        "    if calc.seen():\n        return\nassert False, 'it is not'"
    ),
    "a word cannot be doubled": (
        "try:\n    calc.double(None)\nexcept TypeError:\n    return\nraise AssertionError('no error')"
    ),
}.items():
    honest(
        f"a loop: {_text}",
        spec("When I double 4", "Then I get 8", f"And {_text}"),
        steps(WHEN, then(_text, _body)),
        calc=BASE["calc.py"] + _LOGGED,
    )
honest(
    "coroutines as steps",
    TOLD_NUMBER,
    "from behave import then, when\n\nimport calc\n\n\n"
    '@when("I double {n:d}")\nasync def doubling(context, n):\n    context.result = await calc.double(n)\n\n\n'
    '@then("the result is {n:d}")\nasync def result(context, n):\n    assert context.result == n\n',
    calc=BASE["calc.py"] + "\n\nasync def double(n):\n    return 2 * n\n",
)

__all__ = ["LAZY", "PROOFS"]
