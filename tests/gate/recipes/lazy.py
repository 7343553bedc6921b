"""Proofs as a lazy model writes them: they look right and notice nothing, or hide where the code is.

`lazy` makes a recipe of a specification, its steps, and the problems of which the change must get one. Most
are of a function that doubles a number, and that works: only the proof is bad.
"""

from tests.gate.recipes.table import DOUBLE, STEPS_FILE, Recipe
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, Files

HELPING = "features/steps/helping.py"
_HEAD = "from behave import given, then, when\n\nimport calc\n\n\n"
WHEN = (
    '@when("I double {n:d}")\ndef doubling(context, n):\n    context.n = n\n'
    "    context.result = calc.double(n)\n\n\n"
)
LAZY: dict[str, Recipe] = {}


def spec(*lines: str) -> dict[str, str]:
    """A feature of one scenario with these lines."""
    text = "".join(f"    {line}\n" for line in lines)
    return {FEATURE: f"@issue-1\nFeature: Double\n\n  Scenario: Doubling\n{text}"}


def steps(*definitions: str) -> str:
    """A file of step definitions."""
    return _HEAD + "\n\n".join(definitions)


def then(pattern: str, body: str, *arguments: str) -> str:
    """The definition of a Then step."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"@then('{pattern}')\ndef outcome({', '.join(['context', *arguments])}):\n{lines}"


def lazy(
    name: str,
    scenario: Files,
    definitions: str,
    codes: str = "scenario-blind",
    calc: str = DOUBLE,
    files: Files | None = None,
) -> None:
    work = {"calc.py": calc, STEPS_FILE: definitions, **(files or {})}
    LAZY[name] = Recipe(work, tuple(codes.split()), spec=scenario, base=BASE)


def untold(name: str, body: str, codes: str = "scenario-blind") -> None:
    """A lazy Then step in whose text no value stands."""
    definitions = steps(WHEN, then("the result is doubled", body))
    lazy(f"without a value: {name}", UNTOLD, definitions, codes)


TOLD = spec("When I double 4", 'Then the result is "8"')
TOLD_NUMBER = spec("When I double 4", "Then the result is 8")
UNTOLD = spec("When I double 4", "Then the result is doubled")

lazy(
    "with a value: compares the code with itself",
    TOLD,
    steps(WHEN, then('the result is "{n}"', "assert context.result == calc.double(context.n)", "n")),
)
lazy(
    "with a value: try except around",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            ("try:\n    assert context.result == int(n)\nexcept Exception as error:\n    print(error)"),
            "n",
        ),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: except that logs and returns",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            (
                "try:\n    assert context.result == int(n)\n"
                "except (AssertionError, ValueError):\n    context.failed = True"
            ),
            "n",
        ),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: context with itself",
    TOLD,
    steps(
        WHEN, then('the result is "{n}"', "expected = context.result\nassert context.result == expected", "n")
    ),
)
lazy(
    "with a value: a mock",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            (
                "from unittest.mock import Mock\ndouble = Mock(return_value=8)\n"
                "assert double(4) == 8\ndouble.assert_called_once_with(4)"
            ),
            "n",
        ),
    ),
)
lazy(
    "with a value: reimplementation in the step",
    TOLD,
    steps(WHEN, then('the result is "{n}"', "assert 2 * context.n == int(n)", "n")),
    "scenario-unrelated scenario-blind",
)
lazy(
    "with a value: regex that matches everything",
    TOLD,
    steps(WHEN, then('the result is "{n}"', "import re\nassert re.match(r'.*', str(context.result))", "n")),
)
lazy(
    "with a value: or True",
    TOLD,
    steps(WHEN, then('the result is "{n}"', "assert context.result == int(n) or context", "n")),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: generator never consumed",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            ("def check(each):\n    assert each == int(n)\n(check(each) for each in [context.result])"),
            "n",
        ),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: map never consumed",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            "def check(each):\n    assert each == int(n)\nmap(check, [context.result])",
            "n",
        ),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: all of nothing",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            "assert all(each == int(n) for each in getattr(context, 'results', []))",
            "n",
        ),
    ),
)
lazy(
    "with a value: async never awaited",
    TOLD,
    steps(
        WHEN,
        then('the result is "{n}"', "async def check():\n    assert context.result == int(n)\ncheck()", "n"),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: thread",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            (
                "import threading\ndef check():\n    assert context.result == int(n)\n"
                "thread = threading.Thread(target=check)\nthread.start()\nthread.join()"
            ),
            "n",
        ),
    ),
)
lazy(
    "with a value: parsed but unused",
    TOLD,
    steps(WHEN, then('the result is "{n}"', "expected = int(n)\nassert context.result == 8", "n")),
)
lazy(
    "with a value: prints and asserts it is a number",
    TOLD,
    steps(
        WHEN,
        then('the result is "{n}"', "print(context.result, n)\nassert isinstance(context.result, int)", "n"),
    ),
)
lazy(
    "with a value: stores the value in When too",
    spec('When I double 4 to get "8"', 'Then the result is "8"'),
    steps(
        (
            "@when('I double {n:d} to get \"{e}\"')\ndef doubling(context, n, e):\n"
            "    calc.double(n)\n    context.result = e\n\n\n"
        ),
        then('the result is "{n}"', "assert context.result == n", "n"),
    ),
)
lazy(
    "with a value: When step stores the expectation",
    TOLD,
    steps(
        "EXPECTED = {4: 8}\n\n\n",
        (
            '@when("I double {n:d}")\ndef doubling(context, n):\n    calc.double(n)\n'
            "    context.result = EXPECTED[n]\n\n\n"
        ),
        then('the result is "{n}"', "assert context.result == int(n)", "n"),
    ),
    "scenario-unrelated scenario-blind",
)
lazy(
    "with a value: falls back to own computation",
    TOLD,
    steps(
        (
            '@when("I double {n:d}")\ndef doubling(context, n):\n    try:\n'
            "        context.result = calc.double(n)\n    except Exception:\n"
            "        context.result = n * 2\n\n\n"
        ),
        then('the result is "{n}"', "assert context.result == int(n)", "n"),
    ),
    "scenario-unrelated scenario-blind scenario-not-red",
)
lazy(
    "with a value: falls back to own computation on None",
    TOLD,
    steps(
        (
            '@when("I double {n:d}")\ndef doubling(context, n):\n'
            '    context.result = getattr(calc, "double", None) and n * 2 or None\n\n\n'
        ),
        then('the result is "{n}"', "assert context.result == int(n)", "n"),
    ),
    "scenario-unrelated",
)
lazy(
    "with a value: docstring ignored",
    spec("When I double 4", "Then I see", '  """', "  The double is 8", '  """'),
    steps(WHEN, then("I see", "assert context.text")),
)
lazy(
    "with a value: docstring compared with itself",
    spec("When I double 4", "Then I see", '  """', "  The double is 8", '  """'),
    steps(WHEN, then("I see", "shown = context.text\nassert shown.strip() == context.text.strip()")),
)
lazy(
    "with a value: table only counted",
    spec("When I double 4", "Then these come out", "  | n | twice |", "  | 4 | 8 |", "  | 5 | 10 |"),
    steps(WHEN, then("these come out", "assert len(context.table.rows) == 2")),
)
lazy(
    "with a value: table first column only",
    spec("When I double 4", "Then these come out", "  | n | twice |", "  | 4 | 8 |"),
    steps(WHEN, then("these come out", "for row in context.table:\n    assert int(row['n']) == context.n")),
)
lazy(
    "with a value: table zip truncated",
    spec("When I double 4", "Then these come out", "  | n | twice |", "  | 4 | 8 |"),
    steps(
        WHEN,
        then(
            "these come out",
            (
                "for row, seen in zip(context.table, getattr(context, 'results', [])):\n"
                "    assert int(row['twice']) == seen"
            ),
        ),
    ),
)
lazy(
    "with a value: support module check returns",
    TOLD,
    "from helping import verify\n"
    + steps(WHEN, then('the result is "{n}"', "verify(context.result, n)", "n")),
    files={
        HELPING: (
            "def verify(seen, wanted):\n    if seen != wanted:\n        return False\n    return True\n"
        )
    },
)
lazy(
    "with a value: unittest assertion on types",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            "import unittest\nunittest.TestCase().assertIsInstance(context.result, int)",
            "n",
        ),
    ),
)
lazy(
    "with a value: warns instead of asserts",
    TOLD,
    steps(
        WHEN,
        then(
            'the result is "{n}"',
            "import warnings\nif context.result != int(n):\n    warnings.warn('wrong')",
            "n",
        ),
    ),
    "scenario-blind step-asserts-nothing",
)
lazy(
    "with a value: approx with a huge tolerance",
    TOLD_NUMBER,
    steps(
        WHEN,
        then("the result is {n:d}", "import math\nassert math.isclose(context.result, n, abs_tol=10)", "n"),
    ),
    "scenario-blind",
)
untold("compares the code with itself", "assert context.result == calc.double(context.n)")
untold(
    "expected from the same code first",
    ("expected = calc.double(4)\nassert context.result == expected, (context.result, expected)"),
)
untold(
    "context with itself", "assert context.result == context.result", "scenario-blind step-asserts-nothing"
)
untold("context with itself via a name", "expected = context.result\nassert context.result == expected")
lazy(
    "without a value: try except around a helper of another file",
    UNTOLD,
    "from helping import check\n"
    + steps(
        WHEN,
        then(
            "the result is doubled",
            "try:\n    check(context.result, 8)\nexcept Exception as error:\n    print(error)",
        ),
    ),
    "scenario-blind step-asserts-nothing",
    files={HELPING: "def check(a, b):\n    assert a == b\n"},
)
lazy(
    "without a value: helper of another file does not assert",
    UNTOLD,
    "from helping import check\n" + steps(WHEN, then("the result is doubled", "check(context.result, 8)")),
    "scenario-blind",
    files={HELPING: "def check(a, b):\n    return a == b\n"},
)
untold(
    "mock",
    (
        "from unittest.mock import Mock\ndouble = Mock(return_value=8)\n"
        "assert double(4) == 8\ndouble.assert_called_once_with(4)"
    ),
)
untold("regex that matches everything", "import re\nassert re.match(r'.*', str(context.result))")
untold("or context", "assert context.result == 9 or context", "scenario-blind step-asserts-nothing")
untold(
    "generator never consumed",
    "def check(each):\n    assert each == 8\n(check(each) for each in [context.result])",
    "scenario-blind step-asserts-nothing",
)
untold("all of nothing", "assert all(each == 8 for each in getattr(context, 'results', []))")
untold("all of an empty list", "assert all([])")
untold(
    "async never awaited",
    "async def check():\n    assert context.result == 9\ncheck()",
    "scenario-blind step-asserts-nothing",
)
untold(
    "thread",
    (
        "import threading\ndef check():\n    assert context.result == 9\n"
        "thread = threading.Thread(target=check)\nthread.start()\nthread.join()"
    ),
)
untold(
    "add_cleanup swallowed",
    (
        "def check():\n    assert context.result == 9\ncontext.check = check\n"
        "context.later = getattr(context, 'later', [])\n"
        "context.later.append(check)"
    ),
    "scenario-blind step-asserts-nothing",
)
untold("if around that is false", "if not hasattr(context, 'result'):\n    assert context.result == 8")
untold("a loop over nothing", "for each in getattr(context, 'results', []):\n    assert each == 8")
untold("reimplementation", "assert 2 * context.n == 8")
untold("a constant by a name", "expected = 8\nassert expected == 8")
untold("something else about the program", "assert callable(calc.double)")
untold("hasattr", "assert hasattr(calc, 'double')")
untold("the type of context", "assert context is not None")
untold("len at least nothing", "assert len(str(context.result)) >= 0", "scenario-blind step-asserts-nothing")
untold("isinstance object", "assert isinstance(context.result, object)")
untold(
    "suppress by name",
    ("from contextlib import suppress as quiet\nwith quiet(AssertionError):\n    assert context.result == 9"),
)
untold(
    "suppress in a generator context manager",
    (
        "import contextlib\n@contextlib.contextmanager\ndef soft():\n    try:\n"
        "        yield\n    except AssertionError:\n        pass\nwith soft():\n"
        "    assert context.result == 9"
    ),
)
lazy(
    "an implementation elsewhere: product imports from features",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"] + "\n\nfrom features.support import double  # noqa\n",
    files={"features/__init__.py": "", "features/support.py": "def double(n):\n    return 2 * n\n"},
)
lazy(
    "an implementation elsewhere: steps patch the program",
    SPEC,
    STEPS.replace("import calc\n", "import calc\n\ncalc.double = lambda n: 2 * n\n"),
    "scenario-unrelated scenario-not-red",
    calc=BASE["calc.py"] + "\n\ndef double(n):\n    raise NotImplementedError\n",
)
lazy(
    "an implementation elsewhere: environment fixture",
    SPEC,
    STEPS,
    "test-config-changed",
    calc=BASE["calc.py"] + "\n\ndef double(n):\n    raise NotImplementedError\n",
    files={
        "features/environment.py": "import calc\n\n\ndef before_all(context):\n    calc.double = lambda n: 2 * n\n"
    },
)
lazy(
    "an implementation elsewhere: product falls back to tests helper",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"]
    + ("\n\ndef double(n):\n    from tests.fakes import fake_double\n\n    return fake_double(n)\n"),
    files={"tests/__init__.py": "", "tests/fakes.py": "def fake_double(n):\n    return 2 * n\n"},
)
lazy(
    "code that knows: behave in sys.modules",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"]
    + (
        "\n\ndef double(n):\n    import sys\n\n    if 'behave' in sys.modules:\n"
        "        return 2 * n\n    return None\n"
    ),
)
lazy(
    "code that knows: the call stack",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"]
    + (
        "\n\ndef double(n):\n    import inspect\n\n"
        "    if any('steps' in frame.filename for frame in inspect.stack()):\n"
        "        return 2 * n\n    raise NotImplementedError\n"
    ),
)
lazy(
    "code that knows: the environment",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"]
    + (
        "\n\nimport os\n\n\ndef double(n):\n"
        "    if os.environ.get('PYTEST_CURRENT_TEST') is None:\n"
        "        return 8\n    return n\n"
    ),
)
lazy(
    "code that knows: argv",
    SPEC,
    STEPS,
    "code-knows-tests",
    calc=BASE["calc.py"]
    + (
        "\n\nimport sys\n\n\ndef double(n):\n    if 'behave' in sys.argv[0]:\n"
        "        return 8\n    return n\n"
    ),
)


def second(name: str, body: str) -> None:
    """A lazy Then step behind one that looks at the outcome."""
    definitions = steps(WHEN, then("it is done well", body))
    told = spec("When I double 4", "Then I get 8", "And it is done well")
    lazy(f"a second Then: {name}", told, definitions, "scenario-blind step-asserts-nothing")


second(
    "thread",
    "import threading\ndef check():\n    assert context.result == 9\n"
    "thread = threading.Thread(target=check)\nthread.start()\nthread.join()",
)
second("a false condition", "if not hasattr(context, 'result'):\n    assert context.result == 9")
second(
    "suppress by another name",
    "from contextlib import suppress as quiet\nwith quiet(AssertionError):\n    assert context.result == 9",
)
second("a constant by a name", "expected = 8\nassert expected == 8")
second("context with itself", "seen = context.result\nassert seen == context.result")
