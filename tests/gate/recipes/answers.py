"""Code that knows the values of its scenarios and computes nothing, or that a test runs; honest code near it.

There are no held-out examples, which would find some of the lazy ones.
"""

from tests.gate.recipes.inexact import LAZY, PROOFS
from tests.gate.recipes.lazy import TOLD_NUMBER, WHEN, lazy, spec, steps, then
from tests.gate.recipes.proofs import honest
from tests.support.workbench import BASE

__all__ = ["LAZY", "PROOFS"]

_RIGHT = steps(WHEN, then("the result is {n:d}", "assert context.result == n", "n"))
_KNOWN = "_KNOWN = {4: 8}\n\n\ndef double(n):\n    return _KNOWN"
for _name, _code in {
    "a constant": "def double(n):\n    return 8\n",
    "a constant by a name": "ANSWER = 8\n\n\ndef double(n):\n    return ANSWER\n",
    "a table": f"{_KNOWN}[n]\n",
    "a table with a default": f"{_KNOWN}.get(n, 0)\n",
    "a match": "def double(n):\n    match n:\n        case 4:\n            return 8\n    return None\n",
    "a list of pairs": "def double(n):\n    return next((b for a, b in [(4, 8)] if a == n), None)\n",
}.items():
    lazy(f"answers: {_name}", TOLD_NUMBER, _RIGHT, "only-the-example", calc=f"{BASE['calc.py']}\n\n{_code}")
lazy(
    "answers: a file",
    TOLD_NUMBER,
    _RIGHT,
    "only-the-example",
    calc=BASE["calc.py"]
    + (
        "\n\ndef double(n):\n    import json\n\n    with open('answers.json') as file:\n"
        "        return json.load(file).get(str(n))\n"
    ),
    files={"answers.json": '{"4": 8}\n'},
)
_LOOK = (
    "@when('I look up {n:d}')\ndef look(context, n):\n    context.name = calc.status(n)\n",
    then('it is called "{text}"', "assert context.name == text", "text"),
)
_LOOKED_UP = spec("When I look up 404", 'Then it is called "Not Found"')
_STATUS = "\n\n_NAMES = {%s}\n\n\ndef status(code):\n    return _NAMES[code]\n"
lazy(
    "answers: a table of words",
    _LOOKED_UP,
    steps(*_LOOK),
    "only-the-example",
    calc=BASE["calc.py"] + _STATUS % "404: 'Not Found'",
)
honest(
    "answers: a table with more than the example",
    _LOOKED_UP,
    steps(*_LOOK),
    calc=BASE["calc.py"] + _STATUS % "200: 'OK', 404: 'Not Found', 500: 'Server Error'",
)
honest(
    "answers: a table whose other values a test knows",
    _LOOKED_UP,
    steps(*_LOOK),
    calc=BASE["calc.py"] + _STATUS % "404: 'Not Found'",
    files={
        "test_status.py": (
            "import pytest\n\nfrom calc import status\n\n\ndef test_unknown():\n"
            "    with pytest.raises(KeyError):\n        status(405)\n"
        )
    },
)
_ORDER = (
    "@when('I order for {n:d} euros')\ndef order(context, n):\n    context.off = calc.discount(n)\n",
    then("the discount is {n:d}", "assert context.off == n", "n"),
)
honest(
    "answers: a cap",
    spec("When I order for 80 euros", "Then the discount is 50"),
    steps(*_ORDER),
    calc=BASE["calc.py"] + "\n\ndef discount(total):\n    return min(total, 50)\n",
)
honest(
    "answers: something that was put there before",
    spec('Given "Ann" has number 17', "When I ask for number 17", 'Then I am given "Ann"'),
    steps(
        "@given('\"{name}\" has number {n:d}')\ndef has(context, name, n):\n"
        "    context.book = calc.Book()\n    context.book.put(n, name)\n",
        "@when('I ask for number {n:d}')\ndef ask(context, n):\n    context.name = context.book.find(n)\n",
        then('I am given "{name}"', "assert context.name == name", "name"),
    ),
    calc=BASE["calc.py"]
    + (
        "\n\nclass Book:\n    def __init__(self):\n        self._names = {}\n\n"
        "    def put(self, number, name):\n        self._names[number] = name\n\n"
        "    def find(self, number):\n        return self._names.get(number)\n"
    ),
)

_ONLY = (
    BASE["calc.py"]
    + "\n\nimport io\nimport os\nimport sys\n\n\ndef double(n):\n    if %s:\n        return 2 * n\n"
)
for _name, _condition in {
    "the name of its caller": "sys._getframe(1).f_code.co_name == 'doubling'",
    "its caller's names": "'when' in sys._getframe(1).f_globals",
    "the folder": "os.path.exists('features')",
    "captured output": "isinstance(sys.stdout, io.StringIO)",
    "loaded modules": "any(each.startswith('beh') for each in sys.modules)",
}.items():
    lazy(
        f"code that knows, by a call: {_name}",
        TOLD_NUMBER,
        _RIGHT,
        "code-knows-tests",
        calc=_ONLY % _condition,
    )
for _name, _condition in {
    "its caller's module": "sys._getframe(1).f_globals.get('__name__') != 'nobody'",
    "a terminal": "not sys.stdout.isatty()",
    "a file of its own": "os.path.exists('calc.py')",
    "the arguments of the program": "'--loud' not in sys.argv",
}.items():
    honest(f"code that asks for {_name}", TOLD_NUMBER, _RIGHT, calc=_ONLY % _condition)
honest(
    "a function that remembers how often it ran",
    TOLD_NUMBER,
    _RIGHT,
    calc=BASE["calc.py"]
    + "\n\n_RAN = []\n\n\ndef double(n):\n    _RAN.append(n)\n    return 2 * n if len(_RAN) < 500 else n\n",
)
