"""Further examples that the driver has not seen: code that knows its examples fails on them."""

import json

import pytest

from runners.contract.events import VerdictReached
from runners.phases.examples import failed_examples
from runners.verify.gate.feedback import feedback
from tests.support.workbench import BASE, WORK, Workbench, codes

EXAMPLES = (
    "Feature: Double\n\n"
    "  Scenario: Doubling\n    When I double 5\n    Then I get 10\n\n"
    "  Scenario: Doubling\n    When I double 0\n    Then I get 0\n"
)
KNOWS = {**WORK, "calc.py": BASE["calc.py"] + "\n\ndef double(n):\n    return 8\n"}


def test_honest_work_passes_them(bench: Workbench) -> None:
    verdict = bench.verdict(WORK, examples=EXAMPLES)
    assert verdict.green, verdict.problems
    assert [(each.outcome, each.scenario) for each in verdict.held_out] == [("passed", "Doubling")] * 2
    assert verdict.scenarios[0].findings.line == "flips 1/1 · sabotage 1/1 · held-out 2/2"


def test_code_that_knows_its_example_fails_and_is_not_told_the_values(bench: Workbench) -> None:
    verdict = bench.verdict(KNOWS, examples=EXAMPLES)
    assert codes(verdict) == {"held-out-failed"}, verdict.problems
    text = feedback(verdict)
    assert "“Doubling” does not hold" in text
    assert "double 5" not in text and "10" not in text
    assert codes(bench.verdict(KNOWS)) == {"only-the-example"}, "without examples its constant is found"


def test_after_the_second_time_the_example_is_shown(bench: Workbench) -> None:
    first = bench.verdict(KNOWS, examples=EXAMPLES)
    failed = failed_examples([VerdictReached(verdict=first)])
    assert len(failed) == 2
    second = bench.verdict(KNOWS, examples=EXAMPLES, failed_examples=frozenset(each.text for each in failed))
    assert "When I double 5\nThen I get 10" in feedback(second)


def test_steps_without_a_definition_do_not_count(bench: Workbench) -> None:
    other = EXAMPLES.replace("I double 0", "I multiply by two 0")
    verdict = bench.verdict(WORK, examples=other)
    assert verdict.green, verdict.problems
    assert [each.outcome for each in verdict.held_out] == ["passed", "unmatched"]
    assert verdict.scenarios[0].findings.line.endswith("held-out 1/1")


def test_the_examples_cannot_be_found_by_the_code_under_test(bench: Workbench) -> None:
    spy = (
        "\n\ndef _look():\n    import glob, os, sys\n    seen = [' '.join(sys.argv), str(os.environ)]\n"
        "    for place in glob.glob('/reports/*') + glob.glob('/workspace/**/*', recursive=True):\n"
        "        try:\n            seen.append(place)\n            fd = os.open(place, os.O_RDONLY | "
        "os.O_NONBLOCK)\n"
        "            seen.append(os.read(fd, 100000).decode(errors='replace'))\n        except OSError:\n  "
        "          pass\n"
        "    return ' '.join(seen)\n\n\ndef double(n):\n    assert 'I double ' + '77' not in _look()\n    "
        "return 2 * n\n"
    )
    work = {**WORK, "calc.py": BASE["calc.py"] + spy}
    verdict = bench.verdict(work, examples=EXAMPLES.replace("double 5", "double 77").replace("10", "154"))
    assert verdict.green, (verdict.problems, json.dumps([each.model_dump() for each in verdict.held_out]))
    assert [each.outcome for each in verdict.held_out] == ["passed", "passed"]


@pytest.mark.parametrize(
    "rest", ["", pytest.param("    raise NotImplementedError\n", marks=pytest.mark.slow)]
)
def test_code_that_only_knows_its_example_is_found_without_others(bench: Workbench, rest: str) -> None:
    knows = f"\n\ndef double(n):\n    if n == 4:\n        return 8\n{rest}"
    work = {**WORK, "calc.py": BASE["calc.py"] + knows}
    verdict = bench.verdict(work)
    assert codes(verdict) == {"only-the-example"}, verdict.problems
    assert "`n == 4`" in verdict.problems[0].message
    # A test with another value shows that it is meant so.
    test = "import calc\n\n\ndef test_others():\n    try:\n        assert calc.double(5) is None\n"
    test += "    except NotImplementedError:\n        pass\n"
    assert bench.verdict({**work, "test_others.py": test}).green
