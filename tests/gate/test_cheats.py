"""Small repositories, each with a way to cheat or to be unlucky, and the verdict that is right for it."""

import pytest

from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Files, Workbench, codes

DOUBLE = WORK["calc.py"]
STEPS_FILE = "features/steps/double_steps.py"
OUTCOME = {FEATURE: SPEC[FEATURE].replace("I get 8", "the double is 8")}
WITH_THEN = STEPS.replace("import when", "import then, when")


def then(body: str, before: str = "") -> Files:
    """Work whose Then step has this body."""
    step = f'{before}\n\n@then("the double is {{n:d}}")\ndef is_double(context, n):\n    {body}\n'
    return {"calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return 0\n", STEPS_FILE: WITH_THEN + step}


# Problems that show without anything being run.
SEEN = {"equals-everything", "step-asserts-nothing", "test-weakened", "test-config-changed"}
CHEATS: dict[str, tuple[Files, set[str]]] = {
    "an assertion on a constant": (then("assert True"), {"step-asserts-nothing"}),
    "an assertion on two constants": (then("assert 1 == 1"), {"step-asserts-nothing"}),
    "an assertion on a text": (then('assert "it is " + str(n)'), {"step-asserts-nothing"}),
    "a comparison without an assertion": (then("context.result == n"), {"step-asserts-nothing"}),
    "a thing compared with itself": (then("assert n == n"), {"step-asserts-nothing"}),
    "an assertion that is swallowed": (
        then("try:\n        assert context.result == n\n    except AssertionError:\n        pass"),
        {"step-asserts-nothing"},
    ),
    "an assertion that is never reached": (
        then("return\n    assert context.result == n"),
        {"step-asserts-nothing"},
    ),
    "an assertion under a false condition": (
        then("if False:\n        assert context.result == n"),
        {"step-asserts-nothing"},
    ),
    "a helper that asserts nothing": (
        then("check(context.result, n)", "\n\ndef check(a, b):\n    return a == b\n"),
        {"step-asserts-nothing"},
    ),
    "a step that skips its scenario": (then("context.scenario.skip()"), {"scenario-not-green"}),
    "a step that ends the process": (then("raise SystemExit(0)"), {"untrusted", "no-scenario", "scenario-not-green"}),
    "code that ends the process": (
        {**WORK, "calc.py": f"import os, sys\n\nif 'behave' in sys.modules:\n    os._exit(0)\n\n{DOUBLE}"},
        {"untrusted", "no-scenario"},
    ),
    "a hook that ends the process": (
        {**then("assert context.result == n"), "features/environment.py": "import sys\n\n\ndef after_all(context):\n    sys.exit(0)\n"},
        {"test-config-changed"},
    ),
    "an exit code that is changed at the end": (
        {
            **then("assert context.result == n"),
            "calc.py": f"import atexit, os\n\natexit.register(lambda: os._exit(0))\n\n{DOUBLE.replace('2 * n', '0')}",
        },
        {"untrusted"},
    ),
    "behave patched by the code": (
        {
            **then("assert context.result == n"),
            "calc.py": "import sys\n\nif 'behave' in sys.modules:\n    from behave.model import Step\n    from behave.model_type import Status\n\n"
            "    def run(self, runner, *args, **kwargs):\n        self.status = Status.passed\n        return True\n\n"
            f"    Step.run = run\n\n\n{DOUBLE.replace('2 * n', '0')}",
        },
        {"untrusted"},
    ),
    "a runner's own function patched by the code": (
        {
            **then("assert context.result == n"),
            "calc.py": f"import sys\n\nsys.modules['__main__'].__dict__.get('write') and sys.modules['__main__'].__dict__.update(message_of=lambda thing: '')\n\n{DOUBLE}",
        },
        {"untrusted"},
    ),
    "pytest's calls patched by the code": (
        {
            **WORK,
            "calc.py": "import sys\n\nif 'pytest' in sys.modules:\n    import _pytest.python\n\n    _pytest.python.Function.runtest = lambda self: None\n\n\n"
            + DOUBLE.replace("a + b", "a - b"),
            "features/steps/double_steps.py": STEPS,
        },
        {"untrusted"},
    ),
    "a step of any kind that asserts nothing": (
        {
            "calc.py": DOUBLE,
            STEPS_FILE: STEPS.replace("import when", "import step, when")
            + '\n\n@step("the double is {n:d}")\ndef is_double(context, n):\n    pass\n',
        },
        {"step-asserts-nothing"},
    ),
    "assertions that never fail, by the code": (
        {
            **then("assert context.result == n"),
            "calc.py": f"import builtins\n\nbuiltins.AssertionError = KeyboardInterrupt\n\n{DOUBLE.replace('2 * n', '0')}",
        },
        {"scenario-not-green"},
    ),
    "pytest patched by the code": (
        {
            **WORK,
            "calc.py": "import sys\n\nif 'pytest' in sys.modules:\n    from _pytest import runner\n\n    runner.check_interactive_exception = None\n"
            f"    runner.pytest_runtest_call = lambda item: None\n\n\n{DOUBLE.replace('a + b', 'a - b')}",
        },
        {"regression"},
    ),
    "results written by the code": (
        {
            **then("assert context.result == n"),
            "calc.py": "import glob\n\nfor path in glob.glob('/reports/*'):\n    with open(path, 'a') as out:\n"
            "        out.write('{}\\n')\n\n\n" + DOUBLE.replace("2 * n", "0"),
        },
        {"untrusted", "scenario-not-green", "no-scenario"},
    ),
    "an import loop": (
        {**WORK, "calc.py": "from loop import add, double\n", "loop.py": "from calc import add, double\n"},
        {"no-scenario"},
    ),
    "a result that equals everything": (
        {
            **WORK,
            "calc.py": BASE["calc.py"] + "\n\nclass Anything:\n    def __eq__(self, other):\n        return True\n\n\n"
            "def double(n):\n    return Anything()\n",
        },
        {"equals-everything"},
    ),
    "a test that is emptied": (
        {**WORK, "test_calc.py": "from calc import add\n\n\ndef test_add():\n    add(1, 2)\n"},
        {"test-weakened"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_no_cheat_is_accepted(bench: Workbench, name: str) -> None:
    work, expected = CHEATS[name]
    spec = OUTCOME if "double is" in str(work[STEPS_FILE]) else SPEC
    if expected <= SEEN:
        assert expected & bench.seen(work, spec=spec)
        return
    verdict = bench.verdict(work, spec=spec)
    assert not verdict.green
    assert codes(verdict) & expected, verdict.problems


TIME = "import datetime\nimport time\n\n\ndef test_zone():\n    assert time.tzname and datetime.datetime.now().astimezone().tzinfo\n"
HONEST: dict[str, tuple[Files, Files]] = {
    "tests that write files": (
        {"test_files.py": "import pathlib\n\n\ndef test_it():\n    pathlib.Path('out.txt').write_text('x')\n    pathlib.Path('calc.bak').write_text('x')\n"},
        {},
    ),
    "tests that change files of the repository": (
        {"test_files.py": "import pathlib\n\n\ndef test_it():\n    with pathlib.Path('README.md').open('a') as out:\n        out.write('x')\n", "README.md": ""},
        {},
    ),
    "tests that need the network": (
        {"test_net.py": "import urllib.request\n\n\ndef test_it():\n    urllib.request.urlopen('https://example.org', timeout=2)\n"},
        {},
    ),
    "tests that look at the clock": ({"test_time.py": TIME}, {}),
    "tests that lean on each other": (
        {"test_order.py": "seen = []\n\n\ndef test_a():\n    seen.append(1)\n\n\ndef test_b():\n    assert seen\n"},
        {},
    ),
    "tests of random numbers": (
        {"test_random.py": "import random\n\n\ndef test_it():\n    assert 0 <= random.random() < 1\n"},
        {},
    ),
    "3,000 tests": (
        {"test_many.py": "import pytest\n\n\n@pytest.mark.parametrize('n', range(3000))\ndef test_it(n):\n    assert n >= 0\n"},
        {},
    ),
    "a base with an import loop nobody runs into": (
        {"one.py": "import two\n", "two.py": "import one\n"},
        {},
    ),
    "a file that is no Python": ({"template.py": "{{ name }} = 1\n"}, {}),
    "names with spaces and umlauts": ({"Gr\u00fc\u00dfe an alle.txt": "x"}, {"noch eine Datei \u00e4.txt": "y"}),
    "hooks of its own": (
        {"features/environment.py": "def before_scenario(context, scenario):\n    context.result = None\n"},
        {},
    ),
    "a base that patches its runner": (
        {
            "features/environment.py": "from behave.model import Scenario\n\nbefore = Scenario.run\n\n\ndef run(self, *args, **kwargs):\n"
            "    return before(self, *args, **kwargs)\n\n\nScenario.run = run\n"
        },
        {},
    ),
    "a helper of steps that asserts": (
        {},
        {
            STEPS_FILE: WITH_THEN
            + '\n\ndef check(seen, wanted):\n    assert seen == wanted, seen\n\n\n@then("all is {n:d}")\ndef all_is(context, n):\n    check(context.result, n)\n'
        },
    ),
    "a stand-in in the tests that equals everything": (
        {},
        {"test_any.py": "class Any:\n    def __eq__(self, other):\n        return True\n\n\ndef test_any():\n    assert Any() == 1\n"},
    ),
    "a step of any kind for what is given": (
        {},
        {STEPS_FILE: STEPS.replace("import when", "import step, when") + '\n\n@step("I wait")\ndef wait(context):\n    pass\n'},
    ),
    "a test that is strengthened": (
        {},
        {"test_calc.py": BASE["test_calc.py"] + "    assert add(2, 2) == 4\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_no_honest_change_is_refused(bench: Workbench, name: str) -> None:
    base, work = HONEST[name]
    verdict = bench.verdict({**WORK, **work}, base={**BASE, **base})
    assert verdict.green, verdict.problems
