"""Honest proofs: their scenarios look at the outcome, many without a value in the text of a step."""

from tests.gate.recipes.lazy import HELPING, TOLD, TOLD_NUMBER, UNTOLD, WHEN, spec, steps, then
from tests.gate.recipes.table import DOUBLE, STEPS_FILE, Recipe
from tests.support.workbench import BASE, FEATURE, STEPS, Files

HALF = {
    **BASE,
    "calc.py": BASE["calc.py"]
    + ("\n\ndef half(n):\n    return n / 2\n\n\ndef mean(values):\n    return sum(values) / len(values)\n"),
}
PROOFS: dict[str, Recipe] = {}


def honest(
    name: str,
    scenario: Files,
    definitions: str | None,
    calc: str = DOUBLE,
    base: Files = BASE,
    files: Files | None = None,
) -> None:
    own = {STEPS_FILE: definitions} if definitions is not None else {}
    PROOFS[name] = Recipe({"calc.py": calc, **own, **(files or {})}, spec=scenario, base=base)


honest(
    "then without value, assert inside",
    UNTOLD,
    steps(WHEN, then("the result is doubled", "assert context.result == 2 * context.n")),
)
honest(
    "then without value, constant",
    UNTOLD,
    steps(WHEN, then("the result is doubled", "assert context.result == 8")),
)
honest(
    "crash fix, direct",
    spec("When I take the mean of nothing", "Then I get nothing"),
    steps(
        ('@when("I take the mean of nothing")\ndef mean(context):\n    context.result = calc.mean([])\n\n\n'),
        then("I get nothing", "assert context.result is None"),
    ),
    calc=HALF["calc.py"].replace(
        "def mean(values):\n", "def mean(values):\n    if not values:\n        return None\n"
    ),
    base=HALF,
)
honest(
    "crash fix, caught",
    spec("When I take the mean of nothing", "Then no error is shown"),
    steps(
        (
            '@when("I take the mean of nothing")\ndef mean(context):\n'
            "    context.error = None\n    try:\n        calc.mean([])\n"
            "    except ZeroDivisionError as error:\n"
            "        context.error = error\n\n\n"
        ),
        then("no error is shown", "assert context.error is None"),
    ),
    calc=HALF["calc.py"].replace(
        "def mean(values):\n", "def mean(values):\n    if not values:\n        return 0\n"
    ),
    base=HALF,
)
honest(
    "crash fix in a process, exit code",
    spec("When I run the mean of nothing", "Then it exits with 0"),
    (
        "import subprocess\nimport sys\n\nfrom behave import then, when\n\n\n"
        '@when("I run the mean of nothing")\ndef mean(context):\n'
        '    context.run = subprocess.run([sys.executable, "calc.py"], capture_output=True, text=True)\n\n\n'
        '@then("it exits with {code:d}")\ndef exits(context, code):\n'
        "    assert context.run.returncode == code, context.run.stderr\n"
    ),
    calc=HALF["calc.py"].replace(
        "def mean(values):\n", "def mean(values):\n    if not values:\n        return 0\n"
    )
    + (
        "\n\nif __name__ == '__main__':\n    import sys\n\n"
        "    print(mean([float(each) for each in sys.argv[1:]]))\n"
    ),
    base={
        **HALF,
        "calc.py": HALF["calc.py"]
        + (
            "\n\nif __name__ == '__main__':\n    import sys\n\n"
            "    print(mean([float(each) for each in sys.argv[1:]]))\n"
        ),
    },
)
honest(
    "a refusal without values",
    spec("When I double a word", "Then I am told that it is not a number"),
    steps(
        (
            '@when("I double a word")\ndef word(context):\n    context.error = None\n'
            '    try:\n        calc.double("x")\n    except TypeError as error:\n'
            "        context.error = error\n\n\n"
        ),
        then("I am told that it is not a number", 'assert "not a number" in str(context.error)'),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\ndef double(n):\n    if not isinstance(n, int):\n"
        '        raise TypeError("that is not a number")\n    return 2 * n\n'
    ),
)
honest(
    "valid input accepted, invalid refused",
    spec("When I check 4", "Then it is accepted"),
    steps(
        (
            '@when("I check {n:d}")\ndef check(context, n):\n'
            "    context.error = None\n    try:\n        calc.check(n)\n"
            "    except Exception as error:\n        context.error = error\n\n\n"
        ),
        then("it is accepted", "assert context.error is None, context.error"),
    ),
    calc=BASE["calc.py"] + "\n\ndef check(n):\n    if n < 0:\n        raise ValueError(n)\n",
)
honest(
    "file written",
    spec("When I save the double of 4", "Then the file is there"),
    steps(
        '@when("I save the double of {n:d}")\ndef save(context, n):\n    calc.save(n)\n\n\n',
        then("the file is there", 'from pathlib import Path\nassert Path("double.txt").exists()'),
    ),
    calc=BASE["calc.py"]
    + ("\n\ndef save(n):\n    with open('double.txt', 'w') as out:\n        out.write(str(2 * n))\n"),
)
honest(
    "can be opened again",
    spec("When I save the double of 4", "Then it can be read again"),
    steps(
        '@when("I save the double of {n:d}")\ndef save(context, n):\n    calc.save(n)\n\n\n',
        then("it can be read again", "calc.load()"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\ndef save(n):\n    with open('double.txt', 'w') as out:\n"
        "        out.write(str(2 * n))\n\n\ndef load():\n"
        "    with open('double.txt') as file:\n        return int(file.read())\n"
    ),
)
honest(
    "idempotence",
    spec("When I normalise a name", "Then normalising it again changes nothing"),
    steps(
        (
            '@when("I normalise a name")\ndef norm(context):\n'
            '    context.result = calc.normalise(" Ann ")\n\n\n'
        ),
        then(
            "normalising it again changes nothing", "assert calc.normalise(context.result) == context.result"
        ),
    ),
    calc=BASE["calc.py"] + "\n\ndef normalise(name):\n    return name.strip().lower()\n",
)
honest(
    "determinism",
    spec("When I shuffle with seed 4", "Then shuffling with it once more gives the same order"),
    steps(
        (
            '@when("I shuffle with seed {n:d}")\ndef shuffle(context, n):\n'
            "    context.n = n\n    context.result = calc.shuffle(n)\n\n\n"
        ),
        then(
            "shuffling with it once more gives the same order",
            "assert calc.shuffle(context.n) == context.result",
        ),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\ndef shuffle(seed):\n    import random\n\n"
        "    items = list(range(9))\n    random.Random(seed).shuffle(items)\n"
        "    return items\n"
    ),
)
honest(
    "round trip",
    spec("When I pack a name", "Then unpacking it gives the name back"),
    steps(
        (
            '@when("I pack a name")\ndef pack(context):\n    context.name = "Ann"\n'
            '    context.result = calc.pack("Ann")\n\n\n'
        ),
        then("unpacking it gives the name back", "assert calc.unpack(context.result) == context.name"),
    ),
    calc=BASE["calc.py"]
    + ("\n\ndef pack(name):\n    return name[::-1]\n\n\ndef unpack(packed):\n    return packed[::-1]\n"),
)
honest(
    "approx",
    spec("When I double 4.1", "Then the result is about 8.2"),
    steps(
        ('@when("I double {n:g}")\ndef doubling(context, n):\n    context.result = calc.double(n)\n\n\n'),
        then(
            "the result is about {n:g}",
            "import math\nassert math.isclose(context.result, n, rel_tol=1e-6)",
            "n",
        ),
    ),
)
honest(
    "approx without the word",
    spec("When I double 4.1", "Then the result is 8.2"),
    steps(
        ('@when("I double {n:g}")\ndef doubling(context, n):\n    context.result = calc.double(n)\n\n\n'),
        then("the result is {n:g}", "assert abs(context.result - n) < 0.05", "n"),
    ),
)
honest(
    "within seconds",
    spec("When I double 4", "Then it takes less than 5 seconds"),
    steps(
        (
            'import time\n\n\n@when("I double {n:d}")\ndef doubling(context, n):\n'
            "    start = time.monotonic()\n    context.result = calc.double(n)\n"
            "    context.took = time.monotonic() - start\n\n\n"
        ),
        then("it takes less than {n:d} seconds", "assert context.took < n\nassert context.result == 8", "n"),
    ),
)
honest(
    "notified within 5 seconds",
    spec('When I invite "Ann"', 'Then "Ann" is notified within 5 seconds'),
    steps(
        (
            "@when('I invite \"{name}\"')\ndef invite(context, name):\n"
            "    context.told = calc.invite(name)\n\n\n"
        ),
        then('"{name}" is notified within {n:d} seconds', "assert name in context.told", "name", "n"),
    ),
    calc=BASE["calc.py"] + "\n\ndef invite(name):\n    return [name]\n",
)
honest(
    "docstring",
    spec("When I ask for help", "Then I read", '  """', "  usage: double N", "  prints 2 * N", '  """'),
    steps(
        ('@when("I ask for help")\ndef ask(context):\n    context.result = calc.helping()\n\n\n'),
        then("I read", "assert context.result.strip() == context.text.strip()"),
    ),
    calc=BASE["calc.py"] + "\n\ndef helping():\n    return 'usage: double N\\nprints 2 * N\\n'\n",
)
honest(
    "table",
    spec(
        "When I double these",
        "  | n |",
        "  | 4 |",
        "  | 5 |",
        "Then I see",
        "  | n | twice | note |",
        "  | 4 | 8 | even |",
        "  | 5 | 10 | odd |",
    ),
    steps(
        (
            '@when("I double these")\ndef these(context):\n'
            '    context.results = {int(row["n"]): calc.double(int(row["n"])) for row in context.table}\n\n\n'
        ),
        then(
            "I see",
            ("for row in context.table:\n    assert context.results[int(row['n'])] == int(row['twice'])"),
        ),
    ),
)
honest(
    "outline",
    {
        FEATURE: (
            "@issue-1\nFeature: Double\n\n  Scenario Outline: Doubling\n"
            "    When I double <n>\n    Then I get <r>\n\n    Examples:\n"
            "      | n | r |\n      | 4 | 8 |\n      | 0 | 0 |\n"
        )
    },
    STEPS,
)
honest(
    "deletion",
    spec("When I add 1 and 1", "Then I get 2"),
    None,
    calc="def add(a, b):\n    return a + b\n",
    base={
        **BASE,
        "calc.py": "def add(a, b):\n    if a == b:\n        return 0\n    return a + b\n",
        "test_calc.py": BASE["test_calc.py"],
    },
)
honest(
    "deletion of a special case in the middle",
    spec("When I add 1 and 1", "Then I get 2"),
    None,
    calc="def add(a, b):\n    total = a + b\n    return total\n",
    base={
        **BASE,
        "calc.py": (
            "def add(a, b):\n    total = a + b\n    if a == b:\n        total = 0\n    return total\n"
        ),
    },
)
honest(
    "async code",
    UNTOLD,
    "import asyncio\n\n"
    + steps(
        (
            '@when("I double {n:d}")\ndef doubling(context, n):\n    context.n = n\n'
            "    context.result = asyncio.run(calc.double(n))\n\n\n"
        ),
        then("the result is doubled", "assert context.result == 8"),
    ),
    calc=BASE["calc.py"] + "\n\nasync def double(n):\n    return 2 * n\n",
)
honest(
    "async steps",
    TOLD_NUMBER,
    (
        "from behave import given, then, when\n"
        "from behave.api.async_step import async_run_until_complete\n\n"
        'import calc\n\n\n@when("I double {n:d}")\n@async_run_until_complete\n'
        "async def doubling(context, n):\n"
        "    context.result = await calc.double(n)\n\n\n"
        '@then("the result is {n:d}")\n@async_run_until_complete\n'
        "async def result(context, n):\n    assert context.result == n\n"
    ),
    calc=BASE["calc.py"] + "\n\nasync def double(n):\n    return 2 * n\n",
)
honest(
    "generator",
    spec("When I count to 3", 'Then I hear "1 2 3"'),
    steps(
        (
            '@when("I count to {n:d}")\ndef count(context, n):\n'
            '    context.result = " ".join(map(str, calc.count(n)))\n\n\n'
        ),
        then('I hear "{text}"', "assert context.result == text", "text"),
    ),
    calc=BASE["calc.py"] + "\n\ndef count(n):\n    for each in range(n):\n        yield each + 1\n",
)
honest(
    "a context manager",
    spec("When I work in a session", "Then it is closed afterwards"),
    steps(
        (
            '@when("I work in a session")\ndef work(context):\n'
            "    with calc.session() as session:\n"
            "        context.session = session\n\n\n"
        ),
        then("it is closed afterwards", "assert context.session['closed']"),
    ),
    calc="import contextlib\n\n"
    + BASE["calc.py"]
    + (
        "\n\n@contextlib.contextmanager\ndef session():\n"
        "    found = {'closed': False}\n    yield found\n"
        "    found['closed'] = True\n"
    ),
)
honest(
    "a class",
    spec("Given an empty cart", "When I add a book", "Then the cart is not empty any more"),
    steps(
        (
            '@given("an empty cart")\ndef cart(context):\n'
            '    context.cart = calc.Cart()\n\n\n@when("I add a book")\n'
            'def add(context):\n    context.cart.add("book")\n\n\n'
        ),
        then("the cart is not empty any more", "assert context.cart.items"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\nclass Cart:\n    def __init__(self):\n        self.items = []\n\n"
        "    def add(self, item):\n        self.items.append(item)\n"
    ),
)
honest(
    "clearing",
    spec("Given a cart with 3 books", "When I clear it", "Then it is empty"),
    steps(
        (
            '@given("a cart with {n:d} books")\ndef cart(context, n):\n'
            "    context.cart = calc.Cart()\n    for each in range(n):\n"
            '        context.cart.add("book")\n\n\n@when("I clear it")\n'
            "def clear(context):\n    context.cart.clear()\n\n\n"
        ),
        then("it is empty", "assert context.cart.items == []"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\nclass Cart:\n    def __init__(self):\n        self.items = []\n\n"
        "    def add(self, item):\n        self.items.append(item)\n\n"
        "    def clear(self):\n        self.items.clear()\n"
    ),
)
honest(
    "printing",
    spec("When I show the double of 4", 'Then I see "8"'),
    steps(
        (
            'import contextlib\nimport io\n\n\n@when("I show the double of {n:d}")\n'
            "def show(context, n):\n    out = io.StringIO()\n"
            "    with contextlib.redirect_stdout(out):\n        calc.show(n)\n"
            "    context.out = out.getvalue()\n\n\n"
        ),
        then('I see "{text}"', "assert text in context.out", "text"),
    ),
    calc=BASE["calc.py"] + "\n\ndef show(n):\n    print(2 * n)\n",
)
honest(
    "nothing printed",
    spec("When I add 1 and 2 quietly", "Then nothing is printed"),
    steps(
        (
            "import contextlib\nimport io\n\n\n"
            '@when("I add {a:d} and {b:d} quietly")\ndef quiet(context, a, b):\n'
            "    out = io.StringIO()\n    with contextlib.redirect_stdout(out):\n"
            "        calc.add(a, b, quiet=True)\n"
            "    context.out = out.getvalue()\n\n\n"
        ),
        then("nothing is printed", "assert context.out == ''"),
    ),
    calc=("def add(a, b, quiet=False):\n    if not quiet:\n        print(a, b)\n    return a + b\n"),
    base={**BASE, "calc.py": "def add(a, b):\n    print(a, b)\n    return a + b\n"},
)
honest(
    "helper in a support module with raise",
    TOLD,
    "from helping import verify\n"
    + steps(WHEN, then('the result is "{n}"', "verify(context.result, n)", "n")),
    files={
        HELPING: (
            "def verify(seen, wanted):\n    if str(seen) != wanted:\n"
            "        raise AssertionError(f'{seen} is not {wanted}')\n"
        )
    },
)
honest(
    "unittest assertions without value",
    UNTOLD,
    steps(
        WHEN,
        then(
            "the result is doubled",
            "import unittest\nunittest.TestCase().assertEqual(context.result, 2 * context.n)",
        ),
    ),
)
honest(
    "second then guards old behaviour",
    spec("When I double 4", "Then I get 8", "And adding still works"),
    STEPS.replace("import when", "import then, when")
    + ("\n\n@then('adding still works')\ndef adds(context):\n    assert calc.add(1, 2) == 3\n"),
)
honest(
    "raises in when with pytest-like manager",
    spec("When I double a word", "Then a TypeError is raised"),
    steps(
        ('@when("I double a word")\ndef word(context):\n    context.call = lambda: calc.double("x")\n\n\n'),
        then(
            "a TypeError is raised",
            (
                "try:\n    context.call()\nexcept TypeError:\n    return\n"
                "raise AssertionError('nothing was raised')"
            ),
        ),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\ndef double(n):\n    if not isinstance(n, int):\n"
        '        raise TypeError("no")\n    return 2 * n\n'
    ),
)
honest(
    "valid json",
    spec("When I export 4", "Then it is valid JSON"),
    "import json\n\n"
    + steps(
        ('@when("I export {n:d}")\ndef export(context, n):\n    context.out = calc.export(n)\n\n\n'),
        then("it is valid JSON", "json.loads(context.out)"),
    ),
    calc=BASE["calc.py"]
    + "\n\ndef export(n):\n    import json\n\n    return json.dumps({'double': 2 * n})\n",
)
honest(
    "property and dataclass",
    spec("Given a price of 4", "Then its label is set"),
    steps(
        ('@given("a price of {n:d}")\ndef price(context, n):\n    context.price = calc.Price(n)\n\n\n'),
        then("its label is set", "assert context.price.label == '4 EUR'"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\nimport dataclasses\n\n\n@dataclasses.dataclass\nclass Price:\n"
        "    amount: int\n\n    @property\n    def label(self):\n"
        "        return f'{self.amount} EUR'\n"
    ),
)
honest(
    "cached",
    spec("When I double 4 twice", "Then it is worked out 1 time"),
    steps(
        (
            '@when("I double {n:d} twice")\ndef twice(context, n):\n'
            "    calc.CALLS.clear()\n    calc.double(n)\n    calc.double(n)\n\n\n"
        ),
        then("it is worked out {n:d} time", "assert len(calc.CALLS) == n", "n"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\nimport functools\n\nCALLS = []\n\n\n@functools.cache\n"
        "def double(n):\n    CALLS.append(n)\n    return 2 * n\n"
    ),
)
honest(
    "constant changed",
    spec("When I ask for the limit", "Then the limit has been raised"),
    steps(
        ('@when("I ask for the limit")\ndef ask(context):\n    context.limit = calc.LIMIT\n\n\n'),
        then("the limit has been raised", "assert context.limit > 10"),
    ),
    calc=BASE["calc.py"] + "\nLIMIT = 50\n",
    base={**BASE, "calc.py": BASE["calc.py"] + "\nLIMIT = 10\n"},
)
honest(
    "logging",
    spec("When I double 4", "Then the call is logged"),
    "import logging\n\n"
    + steps(
        (
            '@when("I double {n:d}")\ndef doubling(context, n):\n'
            "    context.records = []\n    handler = logging.Handler()\n"
            "    handler.emit = context.records.append\n"
            '    logging.getLogger("calc").addHandler(handler)\n'
            '    logging.getLogger("calc").setLevel("INFO")\n    calc.double(n)\n'
            '    logging.getLogger("calc").removeHandler(handler)\n\n\n'
        ),
        then(
            "the call is logged", "assert any('double' in record.getMessage() for record in context.records)"
        ),
    ),
    calc="import logging\n\n"
    + BASE["calc.py"]
    + ("\n\ndef double(n):\n    logging.getLogger('calc').info('double %s', n)\n    return 2 * n\n"),
    base={**BASE, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return 2 * n\n"},
)
honest(
    "a comparison of two outcomes",
    spec("When I double 4 and triple 4", "Then the second is larger"),
    steps(
        (
            '@when("I double {n:d} and triple {m:d}")\ndef both(context, n, m):\n'
            "    context.first, context.second = calc.double(n), calc.triple(m)\n\n\n"
        ),
        then("the second is larger", "assert context.second > context.first"),
    ),
    calc=DOUBLE + "\n\ndef triple(n):\n    return 3 * n\n",
)
honest(
    "sorted",
    spec("When I sort some names", "Then they are in order"),
    steps(
        (
            '@when("I sort some names")\ndef sort(context):\n'
            '    context.result = calc.ordered(["b", "c", "a"])\n\n\n'
        ),
        then("they are in order", "assert context.result == ['a', 'b', 'c']"),
    ),
    calc=BASE["calc.py"] + "\n\ndef ordered(names):\n    return sorted(names)\n",
)
honest(
    "sorted, by property",
    spec("When I sort some names", "Then they are in order"),
    steps(
        (
            '@when("I sort some names")\ndef sort(context):\n'
            '    context.result = calc.ordered(["b", "c", "a"])\n\n\n'
        ),
        then("they are in order", "assert all(a <= b for a, b in zip(context.result, context.result[1:]))"),
    ),
    calc=BASE["calc.py"] + "\n\ndef ordered(names):\n    return sorted(names)\n",
)
honest(
    "uniqueness",
    spec("When I make two ids", "Then they differ"),
    steps(
        (
            '@when("I make two ids")\ndef ids(context):\n'
            "    context.one, context.two = calc.new_id(), calc.new_id()\n\n\n"
        ),
        then("they differ", "assert context.one != context.two"),
    ),
    calc="import uuid\n\n" + BASE["calc.py"] + "\n\ndef new_id():\n    return str(uuid.uuid4())\n",
)
honest(
    "type of result",
    spec("When I halve 4", "Then I get a whole number"),
    steps(
        ('@when("I halve {n:d}")\ndef halve(context, n):\n    context.result = calc.half(n)\n\n\n'),
        then("I get a whole number", "assert isinstance(context.result, int)"),
    ),
    calc=HALF["calc.py"].replace("n / 2", "n // 2"),
    base=HALF,
)
honest(
    "range",
    spec("When I roll a die", "Then I get between 1 and 6"),
    steps(
        '@when("I roll a die")\ndef roll(context):\n    context.result = calc.roll()\n\n\n',
        then("I get between {a:d} and {b:d}", "assert a <= context.result <= b", "a", "b"),
    ),
    calc="import random\n\n" + BASE["calc.py"] + "\n\ndef roll():\n    return random.randint(1, 6)\n",
)

_AND = spec("When I double 4", "Then I get 8", "And it is done well")
for _name, _body in {
    "a constant of the program": "assert calc.LIMIT > 10",
    "a constant that is imported": "from calc import LIMIT\nassert LIMIT > 10",
    "a list that the program fills": "assert calc.SEEN",
    "an error that may be on the context": "assert getattr(context, 'error', None) is None",
    "that there is something": "assert context.result",
    "a file": "import os\nassert os.path.exists('calc.py')",
}.items():
    honest(
        f"a second Then that looks at {_name}",
        _AND,
        steps(WHEN, then("it is done well", _body)),
        calc=BASE["calc.py"]
        + "\n\nLIMIT = 50\nSEEN = []\n\n\ndef double(n):\n    SEEN.append(n)\n    return 2 * n\n",
    )
