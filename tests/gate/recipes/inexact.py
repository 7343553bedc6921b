"""Lazy Then steps that compare a part of the outcome, the wrong thing or nothing; honest ones near each."""

from tests.gate.recipes.lazy import LAZY, TOLD_NUMBER, WHEN, lazy, spec, steps, then
from tests.gate.recipes.outcomes import exact
from tests.gate.recipes.proofs import PROOFS, honest
from tests.gate.recipes.table import DOUBLE
from tests.support.workbench import BASE

__all__ = ["LAZY", "PROOFS"]

_NAMED = spec("Given the target 8", "When I double 4", "Then the result is 8")
_GIVEN = "@given('the target {n:d}')\ndef target(context, n):\n    context.target = n\n\n\n"
for _name, _body in {
    "a tolerance of one": "assert abs(context.result - n) <= 1",
    "a tolerance by unittest": (
        "import unittest\nunittest.TestCase().assertAlmostEqual(context.result, n, delta=1.5)"
    ),
    "the last digit": "assert context.result % 10 == n % 10",
    "the remainder of three": "assert context.result % 3 == n % 3",
    "without its sign": "assert abs(context.result) == abs(n)",
    "rounded down": "assert context.result // 10 == n // 10",
}.items():
    exact(_name, _body)
lazy(
    "an exact value: at least what an earlier step names too",
    _NAMED,
    steps(_GIVEN, WHEN, then("the result is {n:d}", "assert context.result >= n", "n")),
)
honest(
    "an exact value: what an earlier step names too",
    _NAMED,
    steps(_GIVEN, WHEN, then("the result is {n:d}", "assert context.result == n", "n")),
)

_TEXT = BASE["calc.py"] + "\n\ndef turned(text):\n    return ' '.join(reversed(text.split()))\n"
_TURN = '@when("I turn {text}")\ndef turn(context, text):\n    context.result = calc.turned(text)\n\n\n'
_TURNED = spec('When I turn "new york"', 'Then I read "york new"')
_CASE = _TEXT.replace("' '.join(reversed(text.split()))", "text.title()")
for _name, _body in {
    "the first letters": "assert context.result.startswith(text[:3])",
    "the last letters": "assert context.result[-3:] == text[-3:]",
    "the first word": "assert context.result.split()[0] == text.split()[0]",
    "the letters in any order": "assert sorted(context.result) == sorted(text)",
}.items():
    body = _TURN.replace("{text}", '\\"{text}\\"')
    lazy(f"an exact text: {_name}", _TURNED, steps(body, then('I read "{text}"', _body, "text")), calc=_TEXT)
lazy(
    "an exact text: in any case",
    spec('When I turn "new york"', 'Then I read "New York"'),
    steps(
        _TURN.replace("{text}", '\\"{text}\\"'),
        then('I read "{text}"', "assert context.result.lower() == text.lower()", "text"),
    ),
    calc=_CASE,
)
honest(
    "an exact text: in any case, as the step says",
    spec('When I look for "NEW YORK"', 'Then "New York" is found, whatever its case'),
    steps(
        "@when('I look for \"{text}\"')\ndef look(context, text):\n    context.result = calc.look(text)\n\n\n",
        then(
            '"{text}" is found, whatever its case',
            "assert text.lower() in [each.lower() for each in context.result]",
            "text",
        ),
    ),
    calc=BASE["calc.py"] + "\n\ndef look(text):\n    return [text.title()]\n",
)

_DATES = BASE["calc.py"] + (
    "\n\ndef later(day, days):\n    from datetime import date, timedelta\n\n"
    "    return date.fromisoformat(day) + timedelta(days=days)\n"
)
_LATER = (
    '@when("I add {n:d} days to {day}")\ndef adding_days(context, n, day):\n'
    "    context.result = calc.later(day, n)\n\n\n"
)
_DAY = spec("When I add 10 days to 2024-02-25", "Then the date is 2024-03-06")
lazy(
    "an exact date: the day of the month",
    _DAY,
    steps(_LATER, then("the date is {day}", "assert context.result.day == int(day[-2:])", "day")),
    calc=_DATES,
)
honest(
    "an exact date",
    _DAY,
    steps(_LATER, then("the date is {day}", "assert str(context.result) == day", "day")),
    calc=_DATES,
)

# What is looked up by a number may be there for its neighbours as well.
_ALL = BASE["calc.py"] + "\n\ndef finish(tasks):\n    return [f'{each} done' for each in tasks]\n"
_FINISH = (
    '@when("I finish {names}")\ndef finishing(context, names):\n'
    '    context.done = calc.finish(names.split(", "))\n\n\n'
)
honest(
    "a number that something is looked up by",
    spec("When I finish a, b, c, d", "Then task 3 is done"),
    steps(_FINISH, then("task {n:d} is done", "assert context.done[n - 1].endswith('done')", "n")),
    calc=_ALL,
)
honest(
    "a number among others",
    spec("When I double 4", "Then 8 is among the results"),
    steps(
        WHEN, then("{n:d} is among the results", "assert n in (context.result - 1, context.result, 9)", "n")
    ),
)

_HIDING = (
    BASE["calc.py"] + "\n\ndef hide(names, name):\n    return [each for each in names if each != name]\n"
)
_HIDE = (
    "@when('I hide \"{name}\"')\ndef hiding(context, name):\n    context.log = []\n"
    '    context.shown = calc.hide(["Ann", "Bob"], name)\n\n\n'
)
for _what, _where, _add in (("another place", "log", lazy), ("the right place", "shown", honest)):
    _add(
        f"what is not so: looks at {_what}",
        spec('When I hide "Ann"', 'Then "Ann" is not shown'),
        steps(_HIDE, then('"{name}" is not shown', f"assert name not in context.{_where}", "name")),
        calc=_HIDING,
    )

_ROWS = '@when("I sort {names}")\ndef ordered(context, names):\n    context.given = names.split(", ")\n' + (
    "    context.kept = list(context.given)\n    context.rows = calc.ordered(context.given)\n\n\n"
)
_SORTED = BASE["calc.py"] + "\n\ndef ordered(names):\n    return sorted(names)\n"
_FIRST = "@then('the first is \"{name}\"')\ndef first(context, name):\n    assert context.rows[0] == name\n"
for _name, _text, _body, _add in (
    ("a list with its copy", "they are in order", "assert context.rows == list(context.rows)", lazy),
    ("both sides sorted", "they are in order", "assert sorted(context.rows) == sorted(context.rows)", lazy),
    ("a list with itself sorted", "they are in order", "assert context.rows == sorted(context.rows)", honest),
    (
        "a list with what was given",
        "the given list is as it was",
        "assert context.given == context.kept",
        honest,
    ),
    ("no name twice", "no name is there twice", "assert len(set(context.rows)) == len(context.rows)", honest),
    ("a kind of value", "they are a list", "assert type(context.rows) == list", honest),
):
    _add(
        f"beside the first: {_name}",
        spec("When I sort b, a", 'Then the first is "a"', f"And {_text}"),
        steps(_ROWS, _FIRST, then(_text, _body)),
        calc=_SORTED,
    )

_WHILE = "left = [each for each in [context.result] if each {}]\nwhile left:\n    assert left.pop() == 8"
_DONE = spec("When I double 4", "Then the result is doubled")
lazy("over nothing: while", _DONE, steps(WHEN, then("the result is doubled", _WHILE.format("is None"))))
honest(
    "a while loop over what is there",
    _DONE,
    steps(WHEN, then("the result is doubled", _WHILE.format("!= 9"))),
)
honest(
    "a while loop that waits and need not",
    _DONE,
    steps(
        WHEN,
        then(
            "the result is doubled",
            "import time\nend = time.monotonic() + 9\nwhile context.result != 8:\n"
            "    assert time.monotonic() < end\n    time.sleep(0.01)",
        ),
    ),
)

_CHECKED = spec("When I write the double of 4", "Then the checker accepts the file")
_WRITING = (
    "@when('I write the double of {n:d}')\ndef writing(context, n):\n    calc.write(n, 'double.txt')\n\n\n"
)
_WRITER = (
    DOUBLE + "\n\ndef write(n, path):\n    with open(path, 'w') as out:\n        out.write(str(double(n)))\n"
)
_CHECK = "import subprocess, sys\n{}subprocess.run([sys.executable, '-c', \"assert open('double.txt').read() == '{}'\"]{})"
_TESTED = (
    "import unittest\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n"
    "        self.assertEqual(open('double.txt').read(), '{}')\n\n"
    "{}unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(Test)){}"
)
for _name, _body, _add in (
    ("a process, ignored", _CHECK.format("", "9", ""), lazy),
    ("a process, kept and ignored", _CHECK.format("context.done = ", "9", ", capture_output=True"), lazy),
    ("a shell, ignored", "import os\nos.system('grep -q 9 double.txt')", lazy),
    ("tests, ignored", _TESTED.format("9", "", ""), lazy),
    ("a process, checked", _CHECK.format("", "8", ", check=True"), honest),
    ("a process, asserted", _CHECK.format("assert not ", "8", "") + ".returncode", honest),
    ("tests, asserted", _TESTED.format("8", "assert ", ".wasSuccessful()"), honest),
):
    _add(
        f"what a step starts: {_name}",
        _CHECKED,
        steps(_WRITING, then("the checker accepts the file", _body)),
        calc=_WRITER,
    )

_STORED = spec("When I write the double of 4", "Then the file is the stored one")
for _name, _body, _add in (
    ("made by the step", "golden.write_text(text)\nassert golden.read_text() == text", lazy),
    (
        "made where it is missing",
        "if not golden.exists():\n    golden.write_text(text)\nassert golden.read_text() == text",
        lazy,
    ),
    ("made of what is expected", "golden.write_text('8')\nassert golden.read_text() == text", honest),
):
    _add(
        f"a stored file: {_name}",
        _STORED,
        steps(
            "@when('I write the double of {n:d}')\ndef writing(context, n):\n"
            "    context.written = calc.written(n)\n\n\n",
            then(
                "the file is the stored one",
                "from pathlib import Path\ngolden = Path('golden.txt')\ntext = context.written\n" + _body,
            ),
        ),
        calc=DOUBLE + "\n\ndef written(n):\n    return str(double(n))\n",
    )

_COUNTED = spec(
    "When I count the letters of abca", "Then I see", "  | letter | n |", "  | a | 2 |", "  | b | 1 |"
)
_REMARKED = spec(
    *("When I count the letters of abca", "Then I see", "  | letter | n | remark |"),
    *("  | a | 2 | a vowel |", "  | b | 1 | none |"),
)
_KEYS = "assert {row['letter'] for row in context.table} <= set(context.counts)"
_COUNTS = "for row in context.table:\n    assert context.counts[row['letter']] == int(row['n'])"
for _name, _scenario, _body, _add in (
    ("without its numbers", _COUNTED, _KEYS, lazy),
    ("with its numbers", _COUNTED, _COUNTS, honest),
    ("with a remark", _REMARKED, _COUNTS, honest),
):
    _add(
        f"a table of counts: {_name}",
        _scenario,
        steps(
            "@when('I count the letters of {text}')\ndef counting(context, text):\n"
            "    context.counts = calc.letters(text)\n\n\n",
            then("I see", _body),
        ),
        calc=BASE["calc.py"]
        + "\n\ndef letters(text):\n    return {each: text.count(each) for each in text}\n",
    )

for _name, _body in {
    "by getattr": "assert getattr(context, 'error', None) is None",
    "by hasattr": "assert not hasattr(context, 'error')",
    "by in": "assert 'error' not in context",
}.items():
    for _what, _when, _add in (
        ("never there", WHEN, lazy),
        (
            "there after an error",
            '@when("I double {n:d}")\ndef doubling(context, n):\n    try:\n        calc.double(n)\n'
            "    except ValueError as error:\n        context.error = error\n\n\n",
            honest,
        ),
    ):
        _add(
            f"no error, {_name}: {_what}",
            spec("When I double 4", "Then no error is shown"),
            steps(_when, then("no error is shown", _body)),
        )
for _name, _hides in {
    "skips itself": "context.scenario.skip()\n    return",
    "is pending": "from behave.api.pending_step import PendingStepError\n    raise PendingStepError",
}.items():
    lazy(
        f"an exact value: a scenario that {_name} when it is wrong",
        TOLD_NUMBER,
        steps(WHEN, then("the result is {n:d}", f"if context.result != n:\n    {_hides}", "n")),
        "scenario-blind step-asserts-nothing",
    )
