"""Experiments on scenarios: lazy proofs are caught, honest ones pass, and with the experiments off the lazy
ones come through."""

import pytest

from runners.verify.verdict import Verdict
from tests.support.workbench import BASE, FEATURE, SPEC, STEPS, WORK, Files, Workbench, codes

DOUBLE = WORK["calc.py"]
ADDS = STEPS + '\n\n@when("I double nothing")\ndef nothing(context):\n    context.result = calc.double(0)\n'


def _spec(*lines: str, name: str = "Doubling") -> dict[str, str]:
    body = "".join(f"    {line}\n" for line in lines)
    return {FEATURE: f"@issue-1\nFeature: Double\n\n  Scenario: {name}\n{body}"}


def _steps(*definitions: str, base: str = STEPS) -> str:
    return base.replace("import when", "import then, when") + "".join(f"\n\n{each}\n" for each in definitions)


def _then(pattern: str, body: str, *arguments: str) -> str:
    head = ", ".join(["context", *arguments])
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"@then('{pattern}')\ndef outcome({head}):\n{lines}"


# name -> (spec, work): what a model writes that does not look, or does not use what it has built.
LAZY: dict[str, tuple[Files, Files, str]] = {
    "an if around the assertion": (
        _spec("When I double 4", 'Then the answer is "8"'),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then(
                    'the answer is "{n}"', "if context.result is None:\n    assert context.result == n", "n"
                )
            ),
        },
        "scenario-blind",
    ),
    "a loop over nothing": (
        _spec("When I double 4", 'Then the answers are "8"'),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then(
                    'the answers are "{n}"',
                    "for each in getattr(context, 'answers', []):\n    assert each == n",
                    "n",
                )
            ),
        },
        "scenario-blind",
    ),
    "only that there is a result": (
        _spec("When I double 4", 'Then the answer is "8"'),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then('the answer is "{n}"', "assert context.result is not None", "n")
            ),
        },
        "scenario-blind",
    ),
    "a helper that does not assert": (
        _spec("When I double 4", 'Then the answer is "8"'),
        {
            "calc.py": DOUBLE,
            "features/steps/helping.py": "def check_it(one, other):\n    return one == other\n",
            "features/steps/double_steps.py": "from helping import check_it\n"
            + _steps(_then('the answer is "{n}"', "check_it(context.result, n)", "n")),
        },
        "scenario-blind",
    ),
    "a table that is not read": (
        _spec("When I double 4", "Then these come out", "  | n | twice |", "  | 4 | 8 |"),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then("these come out", "for row in context.table:\n    assert row['twice'] is not None")
            ),
        },
        "scenario-blind",
    ),
    "an unquoted word that is not looked at": (
        _spec("When I double 4", "Then the answer is even"),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then("the answer is {kind}", "assert context.result", "kind")
            ),
        },
        "scenario-blind",
    ),
    "the second Then looks at nothing": (
        _spec("When I double 4", "Then I get 8", 'And it is said "aloud"'),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                _then('it is said "{how}"', "assert hasattr(context, 'result')", "how")
            ),
        },
        "scenario-blind",
    ),
    "an implementation in the steps": (
        SPEC,
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": STEPS.replace("calc.double(n)", "n + n").replace(
                "import calc\n", "import calc\n\ncalc.double\n"
            ),
        },
        "scenario-unrelated",
    ),
    "an implementation in the steps that looks for the change": (
        SPEC,
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": STEPS.replace(
                "context.result = calc.double(n)",
                "assert hasattr(calc, 'double')\n    context.result = n + n",
            ),
        },
        "scenario-unrelated",
    ),
}


def _verdict(bench: Workbench, name: str, **more: object) -> Verdict:
    spec, work, _ = LAZY[name]
    return bench.verdict(work, spec={path: text or "" for path, text in spec.items()}, **more)


@pytest.mark.parametrize("name", LAZY)
def test_a_lazy_proof_is_caught(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, name)
    assert codes(verdict) == {LAZY[name][2]}, verdict.problems


@pytest.mark.parametrize(
    "name", ["only that there is a result", "an implementation in the steps that looks for the change"]
)
def test_without_the_experiments_it_comes_through(bench: Workbench, name: str) -> None:
    verdict = _verdict(bench, name, experiments=False)
    assert verdict.green, verdict.problems


HONEST: dict[str, tuple[Files, Files, str]] = {
    "a number": (SPEC, WORK, "flips 1/1 · sabotage 1/1"),
    "a refusal": (
        _spec('When I double "x"', "Then it is refused"),
        {
            "calc.py": BASE["calc.py"]
            + "\n\ndef half(n):\n    if n == 'x':\n        raise ValueError(n)\n    return n\n",
            "features/steps/double_steps.py": (
                "from behave import then, when\n\nimport calc\n\n\n@when('I double \"{n}\"')\ndef "
                "doubling(context, n):\n"
                "    context.error = None\n    try:\n        calc.half(n)\n    except Exception as "
                "error:\n        context.error = error\n\n\n"
                "@then('it is refused')\ndef refused(context):\n    assert context.error is not None\n"
            ),
        },
        "flips 1/1 · sabotage 2/2",
    ),
    "something that is not there any more": (
        _spec('When I drop "a"', 'Then "a" is not listed'),
        {
            "calc.py": BASE["calc.py"] + ("\n\ndef drop(items, item):\n    return [each for each in items " 
                "if each != item]\n"),
            "features/steps/double_steps.py": (
                "from behave import then, when\n\nimport calc\n\n\n@when('I drop \"{item}\"')\ndef "
                "dropping(context, item):\n"
                "    context.items = calc.drop(['a', 'b'], item)\n\n\n"
                "@then('\"{item}\" is not listed')\ndef absent(context, item):\n    assert item not in "
                "context.items\n"
            ),
        },
        "sabotage 1/1",
    ),
    "a limit and a tolerance": (
        _spec("When I double 4", "Then I get at least 7", "And it is about 8.2"),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": _steps(
                "@then('I get at least {n:d}')\ndef least(context, n):\n    assert context.result >= n\n",
                "@then('it is about {n:g}')\ndef about(context, n):\n    assert abs(context.result - n) < "
                "1.5\n",
            ),
        },
        "flips 2/2 · sabotage 1/1",
    ),
    "a command in a process of its own": (
        _spec("When I run it with 4", "Then it prints 8"),
        {
            "calc.py": DOUBLE + ("\n\nif __name__ == '__main__':\n    import sys\n\n    " 
                "print(double(int(sys.argv[1])))\n"),
            "features/steps/double_steps.py": (
                "import subprocess\nimport sys\n\nfrom behave import then, when\n\n\n"
                "@when('I run it with {n}')\ndef run(context, n):\n"
                "    context.said = subprocess.run([sys.executable, 'calc.py', n], capture_output=True, "
                "text=True, env={}).stdout\n\n\n"
                "@then('it prints {n}')\ndef prints(context, n):\n    assert context.said.strip() == n, "
                "context.said\n"
            ),
        },
        "flips 1/1 · sabotage 1/1",
    ),
    "a table": (
        _spec("When I double these", "  | n |", "  | 4 |", "  | 5 |", "Then I see", "  | n | twice |", "  | 4 | 8 |", "  | 5 | 10 |"),
        {
            "calc.py": DOUBLE,
            "features/steps/double_steps.py": (
                "from behave import then, when\n\nimport calc\n\n\n@when('I double these')\ndef "
                "doubling(context):\n"
                "    context.results = {row['n']: calc.double(int(row['n'])) for row in context.table}\n\n\n"
                "@then('I see')\ndef seen(context):\n    for row in context.table:\n"
                "        assert context.results[row['n']] == int(row['twice'])\n"
            ),
        },
        "flips 3/3 · sabotage 1/1",
    ),
    "a value outside of functions": (
        _spec("When I ask for the limit", "Then I get 50"),
        {
            "calc.py": BASE["calc.py"] + "\nLIMIT = 50\n",
            "features/steps/double_steps.py": (
                "from behave import when\n\nimport calc\n\n\n@when('I ask for the limit')\ndef "
                "ask(context):\n    context.result = calc.LIMIT\n"
            ),
        },
        "flips 1/1",
    ),
    "data beside the code": (
        _spec("When I ask for the greeting", 'Then I read "hello"'),
        {
            "greeting.txt": "hello",
            "features/steps/double_steps.py": (
                "from pathlib import Path\n\nfrom behave import then, when\n\n\n@when('I ask for the "
                "greeting')\ndef ask(context):\n"
                "    context.found = Path('greeting.txt').read_text()\n\n\n"
                "@then('I read \"{text}\"')\ndef read(context, text):\n    assert context.found == text\n"
            ),
        },
        "flips 1/1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_proof_passes(bench: Workbench, name: str) -> None:
    spec, work, line = HONEST[name]
    base = {**BASE, "calc.py": BASE["calc.py"] + "\n\ndef half(n):\n    return n\n"}
    verdict = bench.verdict(work, base=base, spec={path: text or "" for path, text in spec.items()})
    assert verdict.green, (verdict.problems, verdict.scenarios)
    proof = verdict.scenarios[0]
    assert proof.proven
    assert proof.findings.line == line, proof.findings


def test_a_scenario_that_needs_only_old_code_is_unchanged_although_its_steps_load_late(
    bench: Workbench,
) -> None:
    spec = {
        FEATURE: SPEC[FEATURE]
        + "\n  Scenario: Adding still works\n    When I add 2 and 2\n    Then I get 4\n"
    }
    steps = STEPS.replace("import calc\n", "from calc import double\n").replace("calc.double", "double")
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": steps}, spec=spec)
    assert verdict.green, verdict.problems
    assert [(each.base, each.proven, each.unchanged) for each in verdict.scenarios] == [
        ("error", True, False),
        ("error", False, True),
    ]


def test_a_scenario_that_uses_no_product_code_at_all_is_not_unchanged(bench: Workbench) -> None:
    spec = {FEATURE: SPEC[FEATURE] + "\n  Scenario: Tripling\n    When I triple 2\n    Then I get 6\n"}
    steps = STEPS.replace("import calc\n", "from calc import double\n").replace("calc.double", "double")
    steps += '\n\n@when("I triple {n:d}")\ndef tripling(context, n):\n    context.result = 3 * n\n'
    verdict = bench.verdict({**WORK, "features/steps/double_steps.py": steps}, spec=spec)
    assert codes(verdict) == {"scenario-unrelated"}, verdict.problems
    assert "Tripling" in verdict.problems[0].message


def test_an_outline_is_tried_by_its_rows(bench: Workbench) -> None:
    outline = (
        "@issue-1\nFeature: Double\n\n  Scenario Outline: Doubling\n    When I double <n>\n    Then I get "
        "<twice>\n\n"
        "    Examples:\n      | n | twice |\n      | 4 | 8 |\n      | 0 | 0 |\n      | 7 | 14 |\n"
    )
    verdict = bench.verdict(WORK, spec={FEATURE: outline})
    assert verdict.green, verdict.problems
    assert {each.findings.line for each in verdict.scenarios} == {"flips 1/1 · sabotage 1/1"}


def test_a_refactoring_is_tried_with_other_values_too(bench: Workbench) -> None:
    tidier = {"calc.py": "def add(first, second):\n    return first + second\n"}
    spec = {FEATURE: "Feature: Double\n\n  Scenario: Adding\n    When I add 2 and 2\n    Then I get 4\n"}
    verdict = bench.verdict(tidier, spec=spec, kind="refactoring")
    assert verdict.green, verdict.problems
    assert verdict.scenarios[0].findings.line == "flips 1/1"


def test_code_that_reads_its_own_feature_file_is_found(bench: Workbench) -> None:
    reads = (
        "\n\ndef double(n):\n    from pathlib import Path\n\n"
        f"    return int(Path('{FEATURE}').read_text().split()[-1])\n"
    )
    verdict = bench.verdict({**WORK, "calc.py": BASE["calc.py"] + reads})
    assert codes(verdict) == {"scenario-blind"}
    assert "the code or the steps read that file" in verdict.problems[0].message
    assert bench.verdict({**WORK, "calc.py": BASE["calc.py"] + reads}, experiments=False).green


@pytest.mark.slow
def test_a_scenario_that_passes_nowhere_else_is_a_warning(bench: Workbench) -> None:
    knows = (
        "\n\ndef double(n):\n    import __main__\n\n"
        "    return 2 * n if 'scenarist_behave' in __main__.__file__ else None\n"
    )
    verdict = bench.verdict({**WORK, "calc.py": BASE["calc.py"] + knows})
    assert (verdict.status, [each.code for each in verdict.doubts]) == ("warning", ["not-tried"])
