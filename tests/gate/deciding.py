"""Changes of what decides, and honest changes near each: one table, judged without a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.workbench import BASE, WORK, Link

Tree = Mapping[str, str | Link | None]

_PROJECT = '[project]\nname = "calc"\nversion = "1"\n'
_NPM = '{"name": "calc", "scripts": {"test": "jest"}, "dependencies": {}}'
_MAKE = (
    "PYTEST = pytest\n\ntest: check\n\t$(PYTEST)\n\ncheck:\n\truff check .\n\ndocs:\n\tsphinx-build docs\n"
)
_TOX = "[testenv]\ncommands = pytest\n"
_CI = (
    "on: push\njobs:\n  test:\n    runs-on: x\n    steps:\n      - run: |\n          pip install tox\n"
    "          make test\n      - run: python -m tox -e py\n      - run: ./scripts/check.sh && just lint\n"
)
_WORKFLOW = {".github/workflows/ci.yml": _CI}


@dataclass(frozen=True)
class Change:
    """A change of `files` on a base with `there`; `code` is what it is refused for, empty where it is right."""

    code: str
    files: Tree
    there: Tree = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def base(self) -> dict[str, str | Link | None]:
        return {**BASE, **self.there}

    def work(self) -> dict[str, str | Link | None]:
        return {**WORK, **self.files}


def _protected(*paths: str) -> dict[str, Change]:
    return {f"{path} is new": Change("protected-changed", {path: "x: 1\n"}) for path in paths}


def _settings(**files: str) -> dict[str, Change]:
    return {f"{path} is new": Change("test-config-changed", {path: text}) for path, text in files.items()}


def _edited(path: str, before: str, after: str, code: str = "test-config-changed") -> Change:
    return Change(code, {path: after}, {path: before})


def _on_ci(path: str, before: str, after: str, code: str = "test-config-changed") -> Change:
    return Change(code, {path: after}, {path: before, **_WORKFLOW})


CHEATS: dict[str, Change] = {
    **_protected(
        *(".github/workflows/evil.yaml", ".github/actions/a/action.yml", ".GitHub/workflows/a.yml"),
        *(".husky/pre-commit", ".hooks/pre-push", "lefthook.yml", ".pre-commit-config.yaml", "sub/.envrc"),
        *(".envrc.", ".envrc ", ".vscode:x/tasks.json", ".vs\u200dcode/tasks.json", "pkg/.vscode/tasks.json"),
        *("shop.sublime-project", "agents.md", "docs/CLAUDE.md", ".claude/settings.json", ".mergify.yml"),
        *("sonar-project.properties", ".trivyignore", ".gitleaks.toml", ".goreleaser.yml", "fly.toml"),
        *(".gitmodules", "CODEOWNERS", ".devcontainer/devcontainer.json", ".scenarist.yml"),
        *(".readthedocs.yaml", ".github/CODEOWNERS", "CLAUDE.md", "AGENTS.md"),
    ),
    **_settings(
        **{
            "conftest.py": "def pytest_runtest_makereport():\n    pass\n",
            "more_tests/conftest.py": "collect_ignore = ['test_a.py']\n",
            "pytest.ini": "[pytest]\naddopts = -k add\n",
            ".pytest.toml": "[pytest]\naddopts = ['-k add']\n",
            "tests/pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k add'\n",
            "behave.ini": "[behave]\ntags = ~@issue-1\n",
            "features/environment.py": "def before_all(context):\n    pass\n",
            "sitecustomize.py": "import calc\n",
            "src/sitecustomize.py": "import calc\n",
            "calc.pth": "import calc\n",
            "calc.egg-info/entry_points.txt": "[pytest11]\nx = calc\n",
            "test_new.py": "pytest_plugins = ['calc']\n",
            ".coveragerc": "[run]\nomit = calc.py\n",
            "noxfile.py": "import nox\n",
            "pkg/ruff.toml": "exclude = ['*']\n",
            ".env": "PYTEST_ADDOPTS=--co\n",
            ".env.test": "A=1\n",
            ".flaskenv": "FLASK_APP=x\n",
            ".npmrc": "script-shell=./x.sh\n",
            ".yarnrc.yml": "yarnPath: x.js\n",
            "pip.conf": "[global]\nindex-url = https://evil.test\n",
            ".bazelrc": "test --test_filter=none\n",
            ".mvn/extensions.xml": "<extensions/>\n",
            ".cargo/config.toml": "[alias]\ntest = 'x'\n",
            "setup.cfg": "[aliases]\ntest = check\n",
            "more.py": "# ruff: noqa\nx = 1\n",
            "more.ts": "// @ts-nocheck\nexport {}\n",
        }
    ),
    "a table of pytest": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[tool.pytest.ini_options]\naddopts = '-k add'\n"
    ),
    "ruff leaves a file out": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[tool.ruff]\nexclude = ['calc.py']\n"
    ),
    "mypy leaves a file out": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[tool.mypy]\nexclude = ['calc.py']\n"
    ),
    "coverage leaves a file out": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[tool.coverage.run]\nomit = ['calc.py']\n"
    ),
    "coverage asks for less": _edited(
        "setup.cfg", "[coverage:report]\nfail_under = 90\n", "[coverage:report]\nfail_under = 10\n"
    ),
    "an entry point of pytest": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[project.entry-points.pytest11]\nx = 'calc'\n"
    ),
    "an entry point in setup.py": _edited(
        "setup.py", "setup()\n", "setup(entry_points={'pytest11': ['x = calc']})\n"
    ),
    "a hook of the build": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[tool.hatch.build.hooks.custom]\npath = 'b.py'\n"
    ),
    "a build back end of its own": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[build-system]\nrequires = []\nbackend-path = ['.']\n"
    ),
    "a script of npm": _edited("package.json", _NPM, _NPM.replace("jest", "true")),
    "a script of npm's own": _edited(
        "package.json", _NPM, _NPM.replace('"test"', '"postinstall": "node x.js", "test"')
    ),
    "a checker is switched off for a file": Change(
        "test-config-changed", {"calc.py": "# mypy: ignore-errors\n" + WORK["calc.py"]}
    ),
    "a target that the CI makes": _on_ci("Makefile", _MAKE, _MAKE.replace("\t$(PYTEST)", "\ttrue")),
    "a target below it": _on_ci("Makefile", _MAKE, _MAKE.replace("ruff check .", "true")),
    "a variable of it": _on_ci("Makefile", _MAKE, _MAKE.replace("PYTEST = pytest", "PYTEST = true")),
    "the shell of make": _on_ci("Makefile", _MAKE, "SHELL = ./x.sh\n" + _MAKE),
    "another makefile is read": _on_ci("Makefile", _MAKE, _MAKE + "include more.mk\n"),
    "what tox runs on the CI": _on_ci("tox.ini", _TOX, _TOX.replace("pytest", "true")),
    "what just runs on the CI": _on_ci("justfile", "lint:\n  ruff check\n", "lint:\n  true\n"),
    "a script that the CI runs": _on_ci("scripts/check.sh", "mypy .\n", "true\n"),
    "a target of the repository's commands": Change(
        "test-config-changed",
        {"Makefile": _MAKE.replace("\t$(PYTEST)", "\ttrue")},
        {"Makefile": _MAKE},
        {"commands": ("make test",)},
    ),
    "attributes that hide a file": Change(
        "protected-changed", {".gitattributes": "*.py linguist-generated\n"}
    ),
    "attributes that run a filter": Change("protected-changed", {".gitattributes": "*.py filter=evil\n"}),
    "attributes in a folder": Change("protected-changed", {"sub/.gitattributes": "*.py -diff\n"}),
    "a link in the place of a step": Change("unsafe-link", {"features/steps/more.py": Link("steps.py")}),
    "a link in the place of a protected folder": Change("protected-changed", {".vscode": Link("calc.py")}),
    "a link to an absolute path": Change("unsafe-link", {"data": Link("/etc")}),
    "a link above the tree": Change("unsafe-link", {"data": Link("../../etc")}),
    "a link in a folder above the tree": Change("unsafe-link", {"shop/data": Link("../../etc")}),
    "a link that leaves and comes back": Change("unsafe-link", {"data": Link("../tree/calc.py")}),
    "a link above the tree by another link": Change(
        "unsafe-link", {"shop/up": Link(".."), "shop/data": Link("up/../etc")}
    ),
    "a link into git's folder": Change("unsafe-link", {"data": Link(".git/config")}),
    "a link to itself": Change("unsafe-link", {"data": Link("data")}),
    "a module of Python's own": Change("module-shadowed", {"statistics.py": "x = 1\n"}),
    "one below src": Change("module-shadowed", {"src/linecache.py": "x = 1\n"}),
    "an installed package": Change(
        "module-shadowed", {"pytest.py": "x = 1\n"}, {}, {"installed": frozenset(["pytest"])}
    ),
    "the product's name among the steps": Change(
        "module-shadowed", {"features/steps/calc.py": "def double(n):\n    return 8\n"}
    ),
}

HONEST: dict[str, Change] = {
    "a product file": Change("", {"shop/checkout.py": "x = 1\n"}),
    "a document": Change("", {"docs/workflows/ci.yml.md": "Text.\n"}),
    "a folder with a similar name": Change("", {"github/workflows.py": "x = 1\n", "vscode/a.py": "x = 1\n"}),
    "an example of variables": Change("", {".env.example": "TOKEN=\n", ".env.sample": "TOKEN=\n"}),
    "attributes of line endings": Change("", {".gitattributes": "*.py text eol=lf\n"}),
    "a link to a product file": Change("", {"shop/latest.py": Link("../calc.py")}),
    "a link to a folder of the tree": Change("", {"shop/up": Link("..")}),
    "a new dependency": _edited("pyproject.toml", _PROJECT, _PROJECT + 'dependencies = ["attrs"]\n', ""),
    "a script of the product": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + "[project.scripts]\ncalc = 'calc:main'\n", ""
    ),
    "a dependency of npm": _edited(
        "package.json", _NPM, _NPM.replace('"dependencies": {}', '"dependencies": {"left": "1"}'), ""
    ),
    "a target that the CI does not make": _on_ci(
        "Makefile", _MAKE, _MAKE.replace("sphinx-build docs", "sphinx-build -W docs"), ""
    ),
    "a new target with a variable of its own": _on_ci(
        "Makefile", _MAKE, _MAKE + "\nOUT = dist\n\nbuild:\n\tpython -m build -o $(OUT)\n", ""
    ),
    "a makefile that nothing runs": _edited("Makefile", _MAKE, _MAKE.replace("\t$(PYTEST)", "\ttox"), ""),
    "a script that the CI does not run": _on_ci("scripts/seed.sh", "a\n", "b\n", ""),
    "fixtures of a new folder of tests": Change(
        "",
        {
            "more_tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n",
            "more_tests/test_two.py": "def test_two(two):\n    assert two == 2\n",
        },
    ),
    "a new marker": _edited(
        "pytest.ini", "[pytest]\nmarkers =\n    a: x\n", "[pytest]\nmarkers =\n    a: x\n    b: y\n", ""
    ),
    "one code is switched off in a line": Change(
        "", {"calc.py": WORK["calc.py"] + "\n\nimport os  # noqa: E402\n"}
    ),
    "one code is switched off in a file": Change("", {"shop/__init__.py": "# ruff: noqa: F401\nx = 1\n"}),
    "another build back end": _edited(
        "pyproject.toml", _PROJECT, _PROJECT + '[build-system]\nrequires = ["hatchling"]\n', ""
    ),
    "a product module called hooks": Change("", {"hooks/use_cart.ts": "export {}\n"}),
    "a module with a name of its own": Change("", {"src/statistic.py": "x = 1\n"}),
    "a new step file": Change("", {"features/steps/more_steps.py": "x = 1\n"}),
    "an ignored file": Change("", {".gitignore": "dist/\n"}),
    "a container": _edited("Dockerfile", "FROM python\n", "FROM python:3\n", ""),
    "settings that the issue asks for": Change(
        "", {"pytest.ini": "[pytest]\n"}, {}, {"asked": "Please add a pytest.ini with strict markers."}
    ),
}
