"""Changes whose fault only a run shows, with the problems of which each must get one."""

from collections.abc import Mapping
from typing import Any

from tests.gate.recipes.rules import then
from tests.gate.recipes.table import DOUBLE, OUTCOME, STEPS_FILE, Recipe
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Link

TWO = {FEATURE: SPEC[FEATURE] + "\n  Scenario: Nothing\n    When I double 0\n    Then I get 5\n"}
WRONG = DOUBLE.replace("2 * n", "0")


def _code(before: str, codes: tuple[str, ...], code: str = WRONG, **more: Any) -> Recipe:
    return Recipe(
        {**then("assert context.result == n"), "calc.py": f"{before}\n\n\n{code}"},
        codes,
        spec=OUTCOME,
        base=BASE,
        **more,
    )


def _plain(files: Mapping[str, str | Link | None], *codes: str, **more: Any) -> Recipe:
    return Recipe({**WORK, **files}, codes, base=BASE, **more)


RUNS: dict[str, Recipe] = {
    "a step that skips its scenario": Recipe(then("context.scenario.skip()"), ("scenario-not-green",), spec=OUTCOME, base=BASE),
    "a step that ends the process": Recipe(
        then("raise SystemExit(0)"), ("untrusted", "no-scenario", "scenario-not-green"), spec=OUTCOME, base=BASE
    ),
    "code that ends the process": _code("import os, sys\n\nif {'beh' + 'ave'} & sys.modules.keys():\n    os._exit(0)", ("untrusted", "no-scenario")),
    "an exit code that is changed at the end": _code("import atexit, os\n\natexit.register(lambda: os._exit(0))", ("untrusted",)),
    "behave patched by the code": _code(
        "import sys\n\nif {'beh' + 'ave'} & sys.modules.keys():\n    from behave.model import Step\n    from "
        "behave.model_type import Status\n\n"
        "    def run(self, runner, *args, **kwargs):\n        self.status = Status.passed\n        return "
        "True\n\n    Step.run = run",
        ("untrusted",),
    ),
    "a runner's own function patched by the code": _code(
        "import sys\n\nsys.modules['__main__'].__dict__.get('write') and "
        "sys.modules['__main__'].__dict__.update(message_of=lambda thing: '')",
        ("untrusted",), DOUBLE, fools="tampered",
    ),
    "pytest's calls patched by the code": _plain(
        {"calc.py": ("import sys\n\nif {'py' + 'test'} & sys.modules.keys():\n    import _pytest.python\n\n    " 
            "_pytest.python.Function.runtest = lambda self: None\n\n\n")
         + DOUBLE.replace("a + b", "a - b")},
        "untrusted", fools="pytest",
    ),
    "a hook given to behave by a step": _plain(
        {STEPS_FILE: STEPS.replace("    context.result", ("    context._runner.hooks['after_step'] = lambda " 
            "c, s: None\n    context.result"))},
        "untrusted", fools="tampered",
    ),
    "a plugin registered by a test": _plain(
        {"tests/test_new.py": ("class P:\n    pass\n\n\ndef test_x(request):\n    getattr(request.config, " 
            "'plugin' + 'manager').register(P())\n")},
        "untrusted", fools="tampered",
    ),
    "a builtin replaced by the code": _plain({"calc.py": "import builtins\n\nbuiltins.divmod = lambda a, b: (0, 0)\n\n" + DOUBLE}, "untrusted", fools="tampered"),
    "scenarios dropped by a step": _plain(
        {STEPS_FILE: STEPS.replace("    context.result", ("    context._runner.feature.scenarios[1:] = []\n " 
            "   context._runner.feature.run_items[1:] = []\n    context.result"))},
        "scenario-not-run", spec=TWO,
    ),
    "steps dropped by a step": _plain(
        {"calc.py": WRONG, STEPS_FILE: STEPS.replace("    context.result", ("    context.scenario.steps[1:] " 
            "= []\n    context.result"))},
        "scenario-not-run",
    ),
    "results written by the code": _code(
        "import glob\n\nfor path in glob.glob('/reports/*'):\n    with open(path, 'a') as out:\n        "
        "out.write('{}\\n')",
        ("untrusted", "scenario-not-green", "no-scenario"), fools="nothing",
    ),
    "an implementation among the helpers of steps": _plain(
        {"calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    raise NotImplementedError\n", "features/support.py": "def double(n):\n    return 2 * n\n",
         STEPS_FILE: STEPS.replace("import calc", "from features import support as calc")},
        "scenario-not-red", "no-scenario",
    ),
    "an import loop": _plain({"calc.py": "from loop import add, double\n", "loop.py": "from calc import add, double\n"}, "no-scenario", fools="nothing"),
    "a broken test beside a wrong exit code": _plain(
        {"test_new.py": "import atexit, os\n\natexit.register(lambda: os._exit(0))\n\n\ndef test_new():\n    assert 1 == 2\n"}, "untrusted", fools="pytest"
    ),
}  # fmt: skip
