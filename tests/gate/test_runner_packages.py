"""A repository that is a package which the test runner itself uses is tried with its own code."""

from pathlib import Path

from tests.support.workbench import FEATURE, Workbench, sandboxed_suites

BASE = {"parse.py": 'def parse(text):\n    """Own."""\n    return text.split()\n'}
SPEC = {
    FEATURE: "@issue-1\nFeature: Parse\n\n  Scenario: Numbers\n    When I parse the numbers of 3 and 4\n"
    "    Then the sum is 7\n    And every number is found\n"
}
WORK = {
    "parse.py": BASE["parse.py"] + "\n\ndef numbers(text):\n    return [int(each) for each in parse(text)]\n",
    "test_parse.py": "import parse\n\n\ndef test_numbers():\n    assert parse.numbers('1 2') == [1, 2]\n",
    "features/steps/parse_steps.py": (
        "from behave import then, when\n\nimport parse\n\n\n"
        '@when("I parse the numbers of {a:d} and {b:d}")\ndef parsing(context, a, b):\n'
        '    context.numbers = f"{a} {b}"\n\n\n'
        '@then("the sum is {n:d}")\ndef total(context, n):\n    assert sum(parse.numbers(context.numbers)) == n\n\n\n'
        # It uses nothing but the product's code.
        '@then("every number is found")\ndef found(context):\n    assert parse.numbers("3 4") == [3, 4]\n'
    ),
}


def test_steps_import_the_repositorys_own_package_and_behave_keeps_the_installed_one(
    bench: Workbench,
) -> None:
    verdict = bench.verdict(WORK, base=BASE, spec=SPEC)
    assert verdict.green, (verdict.problems, verdict.scenarios)
    assert verdict.scenarios[0].findings.line == "flips 2/2 · sabotage 1/1"


def test_tests_import_the_repositorys_own_copy_of_what_pytest_uses(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['src']\n")
    for place, name in (("", "iniconfig"), ("src", "pluggy")):
        (tmp_path / place / f"{name}.py").write_text("OWN = True\n")
    (tmp_path / "test_own.py").write_text(
        "import iniconfig\nimport pluggy\nimport pygments\n\n\ndef test_own():\n"
        "    assert iniconfig.OWN and pluggy.OWN\n    assert not hasattr(pygments, 'OWN')\n"
    )
    # A folder of documents is no package.
    (tmp_path / "pygments").mkdir()
    run = sandboxed_suites().pytest(tmp_path)
    assert run.outcomes == {"test_own.py::test_own": "passed"}, run.log
    assert not run.broken
    tampered = "pluggy._manager.PluginManager.get_plugins"
    assert tampered not in run.replaced
    # pytest's own copy is compared as before.
    (tmp_path / "conftest.py").write_text(
        "from _pytest.config import PluginManager\n\nPluginManager.get_plugins = lambda self: set()\n"
    )
    assert tampered in sandboxed_suites().pytest(tmp_path).replaced
