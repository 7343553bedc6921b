"""What is to be installed follows from what a repository's files say."""

from pathlib import Path

import pytest

from runners.environment.built import rebuild, sources_digest
from runners.environment.finding.interpreters import Interpreter, NoFittingPython, choose, from_caret
from runners.environment.finding.parts import Package
from runners.environment.finding.plan import Plan, as_seed, looks_like_dependencies, plan
from runners.environment.finding.sources import Sources
from runners.environment.finding.test_runners import make_nox, nox_session, nox_variables, tox_environment
from runners.environment.finding.unset import found_behave, found_services, found_suites
from runners.environment.install import Installer
from runners.sandbox.process import CommandResult
from runners.verify.suites.foreign import TestSuite

CODE = {"pkg/__init__.py": ""}
MACHINE = tuple(
    Interpreter(path=f"/opt/python3.{minor}", version=(3, minor, 1), prefix=f"/opt/{minor}")
    for minor in (13, 12, 11, 10, 9)
)


def planned(files: dict[str, str], **more: object) -> Plan:
    return plan(Sources.of_files({**CODE, **files}), MACHINE, **more)


def words(files: dict[str, str]) -> set[str]:
    """All that is installed at first, as words of ``uv pip install``."""
    return {word for part in planned(files).parts for word in part.words} - {"-r"}


def test_nothing_is_installed_where_no_file_says_so() -> None:
    assert planned({}).empty and planned({"pyproject.toml": "[tool.ruff]\n"}).empty
    assert planned({"pyproject.toml": "not toml ["}).empty
    assert planned({"pyproject.toml": "tool = 3\nproject = 4\ndependency-groups = 5\n"}).empty
    assert planned({"pyproject.toml": "[tool.hatch.envs]\ntest = 3\n"}).empty
    assert planned({"package.json": "[1]"}).empty and planned({"package.json": "{"}).empty
    assert planned({"go.mod": "module x\n// require nothing\n"}).empty


def test_requirement_files_and_the_dependencies_of_the_project_are_both_installed() -> None:
    found = planned(
        {
            "requirements.txt": "inflection\n",
            "pyproject.toml": '[build-system]\nrequires=["setuptools"]\n[project]\nname="pkg"\nversion="1"\ndependencies=["roman"]\n',
        }
    )
    assert [part.words for part in found.parts] == [("roman",), ("-r", "requirements.txt")]
    assert all(part.needed for part in found.parts)
    assert found.packages == (Package(name="pkg"),)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        pytest.param(
            {
                "pyproject.toml": "[tool.hatch.envs.dev]\ndependencies = ['pytest']\nscripts.check = 'pytest'\n"
                "[tool.hatch.envs.docs]\ndependencies = ['mkdocs']\n"
                "[tool.hatch.envs.dev.overrides]\nmatrix.django.dependencies = ["
                "{value = 'django<5', if = ['4']}, {value = 'django<6', if = ['5']}, 'roman']\n"
            },
            {"pytest", "django<6", "roman"},
            id="Hatch's matrix",
        ),
        pytest.param(
            {
                "environment.yml": "dependencies: [python=3.10, conda-forge::roman, pytorch>=2, numpy=1.2=py_0,"
                " {pip: [sqlparse, '-r more.txt']}]\n"
            },
            {"roman", "torch>=2", "numpy==1.2.*", "sqlparse"},
            id="conda only",
        ),
        pytest.param(
            {"environment.yml": "dependencies: [roman]\n", "requirements.txt": "x\n"},
            {"requirements.txt"},
            id="conda beside others",
        ),
        pytest.param(
            {"setup.cfg": "[options]\ninstall_requires =\n    roman\n"}, {"roman"}, id="setup.cfg only"
        ),
        pytest.param(
            {"Pipfile": '[packages]\nroman = "*"\n[dev-packages]\nsix = {version = ">=1", extras = ["a"]}\n'},
            {"roman", "six[a]>=1"},
            id="Pipfile without a lock",
        ),
        pytest.param(
            {
                "pyproject.toml": (
                    '[tool.poetry]\nname="x"\n[tool.poetry.group.dev.dependencies]\nroman = "^4.1"\n'
                )
            },
            {"roman>=4.1,<5"},
            id="Poetry's group without a lock",
        ),
        pytest.param(
            {
                "pyproject.toml": (
                    '[tool.poetry]\nname="x"\n[tool.poetry.dev-dependencies]\nroman = '
                    '{version="~4.1", markers="os_name"}\n'
                )
            },
            {"roman>=4.1,<4.2 ; os_name"},
            id="Poetry's older dev-dependencies",
        ),
        pytest.param(
            {"pyproject.toml": "[dependency-groups]\ntesting = ['roman']\n"}, {"roman"}, id="any group"
        ),
        pytest.param(
            {"pyproject.toml": "[dependency-groups]\na = [{include-group = 'B'}]\nb = ['roman']\n"},
            {"roman"},
            id="a group in a group",
        ),
        pytest.param(
            {
                "pyproject.toml": "[project]\nname='pkg'\n[project.optional-dependencies]\nall=['pkg[x]']\nx=['roman']\n"
            },
            {"roman"},
            id="an extra in an extra",
        ),
        pytest.param(
            {"tests/requirements.txt": "roman\n"}, {"tests/requirements.txt"}, id="beside the tests"
        ),
        pytest.param({"backend/requirements.txt": "roman\n"}, {"backend/requirements.txt"}, id="in a folder"),
        pytest.param(
            {"requirements/dev.in": "roman\n"}, {"requirements/dev.in"}, id="sources of pip-compile"
        ),
        pytest.param(
            {"requirements/dev.in": "roman\n", "requirements/dev.txt": "roman==1\n"},
            {"requirements/dev.txt"},
            id="results of pip-compile",
        ),
        pytest.param(
            {"requirements/dev.txt": "", "requirements/docs.txt": "", "requirements/production.txt": ""},
            {"requirements/dev.txt"},
            id="not those for other uses",
        ),
        pytest.param(
            {"requirements-py3.9.txt": "", "requirements-py3.11.txt": ""},
            {"requirements-py3.11.txt"},
            id="not those for another Python",
        ),
        pytest.param(
            {"pyproject.toml": '[tool.hatch.envs.test]\nextra-dependencies=["roman", "{root:uri}/plugin"]\n'},
            {"roman"},
            id="Hatch's environments",
        ),
        pytest.param(
            {"hatch.toml": '[envs.hatch-test]\nextra-dependencies=["roman"]\n'}, {"roman"}, id="hatch.toml"
        ),
        pytest.param(
            {"pyproject.toml": '[tool.pdm.dev-dependencies]\ntest=["roman"]\n'}, {"roman"}, id="PDM"
        ),
        pytest.param(
            {
                "pyproject.toml": '[project]\nname="x"\n[dependency-groups]\ntest=["iniconfig"]\n',
                "pdm.lock": (
                    '[[package]]\nname="roman"\nversion="4.1"\ngroups=["default"]\nmarker="os_name"\n'
                    '[[package]]\nname="x"\nversion="0"\npath="."\n'
                    '[[package]]\nname="b"\nversion="2"\ngit="https://e.org/b"\nrevision="1"\n'
                ),
            },
            {"roman==4.1 ; os_name", "b @ git+https://e.org/b@1", "iniconfig"},
            id="pdm.lock",
        ),
        pytest.param(
            {
                "noxfile.py": (
                    "import nox\nT = ['roman']\n\n@nox.session\ndef tests(session):\n    "
                    "session.install('-r', 'dev.txt', *T)\n"
                )
            },
            {"dev.txt", "roman"},
            id="nox",
        ),
        pytest.param(
            {"setup.py": "from setuptools import setup\nsetup(tests_require=['roman'])\n"},
            {"roman"},
            id="tests_require",
        ),
        pytest.param(
            {
                "pyproject.toml": "[project]\nname='x'\ndependencies=['a', 'b', 'c']\n[tool.uv.sources]\n"
                "a={workspace=true}\nb={git='https://e.org/b', rev='1'}\n"
            },
            {"b @ git+https://e.org/b@1", "c"},
            id="uv's sources",
        ),
    ],
)
def test_what_each_tool_declares_is_found(files: dict[str, str], wanted: set[str]) -> None:
    assert words(files) == wanted


def test_the_packages_of_a_repository_of_several_are_installed() -> None:
    manifest = '[build-system]\nrequires=["hatchling"]\n[project]\nname="{}"\ndependencies=["six"]\n'
    files = {f"packages/{name}/pyproject.toml": manifest.format(name) for name in "abc"}
    many = {f"packages/p{number:02}/pyproject.toml": manifest.format("x") for number in range(30)}
    assert planned(many, touched=["packages/p29/b.py"]).packages[0].folder == "packages/p29"
    files |= {"docs/pyproject.toml": manifest.format("docs"), "tests/fixtures/x/setup.py": "setup()"}
    found = planned(files, touched=["packages/b/b.py"])
    assert [package.folder for package in found.packages] == ["packages/a", "packages/b", "packages/c"]
    assert not any(package.needed for package in found.packages)
    assert planned({**files, "requirements.txt": ""}).packages == (), "the root says what is needed"


def test_extras_that_conflict_are_not_installed_together() -> None:
    pyproject = (
        "[project]\nname='x'\n[project.optional-dependencies]\ngpu=['a']\ncpu=['b']\nz=['c']\n"
        "[tool.uv]\nconflicts=[[{extra='gpu'}, {extra='cpu'}]]\n"
    )
    assert words({"pyproject.toml": pyproject}) == {"b", "c"}
    [step] = planned({"pyproject.toml": pyproject, "uv.lock": "version = 1"}).locks
    assert "--extra cpu" in step.line and "--extra z" in step.line and "gpu" not in step.line


def test_extras_of_a_package_that_only_its_build_knows_are_named() -> None:
    [package] = planned(
        {"setup.py": "E = {'test': ['six'], ':os_name': []}\nsetup(extras_require=E)\n"}
    ).packages
    assert package.extras == ("test",) and package.with_dependencies
    assert planned({"pyproject.toml": "[build-system]\nrequires=[]\n"}).packages == ()
    assert planned({"setup.py": "", "pyproject.toml": "[tool.uv]\npackage = false\n"}).packages == ()


def test_what_the_ci_installs_is_tried_later() -> None:
    workflow = (
        "jobs:\n  test:\n    steps:\n    - run: pip install -e '.[x]' roman\n    - run: |\n        python "
        "-m pip install \\\n"
        "          -r ci.txt\n        sudo apt install x\n        make build\n    - run: pytest\n    - "
        "run: pip install twine\n"
        "  lint:\n    steps:\n    - run: pip install ruff\n"
    )
    found = planned({".github/workflows/ci.yml": workflow, "requirements.txt": ""})
    assert [part.words for part in found.later_parts] == [(".[x]", "roman"), ("-r", "ci.txt")]
    assert [step.line for step in found.later_steps] == ["make build"]
    alone = planned({".github/workflows/ci.yml": workflow})
    assert [part.words for part in alone.parts] == [(".[x]", "roman"), ("-r", "ci.txt")]


def test_what_is_written_for_other_agents_is_tried_later() -> None:
    found = planned(
        {
            "requirements.txt": "",
            ".devcontainer/devcontainer.json": (
                '{ // a comment\n"postCreateCommand": "pip install a && make x", }'
            ),
            ".cursor/environment.json": '{"install": "pip install b"}',
            "AGENTS.md": "# About\n\n    pip install never\n\n## Set-up\n\n    $ pip install c\n",
            ".github/workflows/copilot-setup-steps.yml": (
                "jobs:\n  x:\n    steps:\n    - run: pip install d\n"
            ),
        }
    )
    assert [part.words for part in found.later_parts] == [("d",), ("a",), ("b",), ("c",)]
    assert [step.line for step in found.later_steps] == ["make x"]


def test_other_languages_are_installed_by_their_own_tools() -> None:
    node = {"package.json": '{"devDependencies": {"vitest": "^3"}}'}
    assert "npm install --no-package-lock" in planned(node).commands[0].line
    [step] = planned({**node, "package-lock.json": "{}"}).commands
    assert (
        "npm ci --ignore-scripts" in step.line and "cp package.json package-lock.json /env/node/" in step.line
    )
    assert planned({**node, "node_modules/x/index.js": ""}).empty, "it brings its packages itself"
    both = planned({**node, "requirements.txt": ""})
    assert both.commands and both.parts
    go = "module x\n\ngo 1.19\n\nrequire (\n\texample.org/dep v1.0.0\n)\n"
    assert "GOMODCACHE=/env/go" in planned({"go.mod": go}).commands[0].line
    crate = '[package]\nname = "x"\n\n[dev-dependencies]\nproptest = "1"\n'
    assert planned({"Cargo.toml": crate}).commands[0].line == "CARGO_HOME=/env/cargo cargo fetch --quiet"
    assert "--locked" in planned({"Cargo.toml": "[workspace]\n", "Cargo.lock": ""}).commands[0].line
    assert planned({"Cargo.toml": '[package]\nname = "dependencies"\n'}).empty
    assert planned({"Cargo.toml": "[target.'cfg(unix)'.dependencies]\nlibc = '0.2'\n"}).commands


def test_the_repositorys_own_commands_replace_all_of_that() -> None:
    found = planned(
        {"requirements.txt": "", "package.json": '{"dependencies": {"x": "1"}}'}, setup=["make deps"]
    )
    assert found.setup == ("make deps",) and not found.parts and not found.commands


def seed(files: dict[str, str], setup: tuple[str, ...] = ()) -> str:
    sources = Sources.of_files({**CODE, **files})
    return as_seed(plan(sources, MACHINE, setup), sources)


def test_files_that_others_include_are_part_of_the_environment() -> None:
    files = {
        "requirements.txt": "-r requirements/base.txt\n",
        "requirements/base.txt": "--constraint=../c.txt\nsix\n",
        "c.txt": "six<2\n",
        "README.md": "pip install six\n",
    }
    assert seed(files) == seed({**files, "README.md": "other\n"})
    assert seed(files) != seed({**files, "requirements/base.txt": "--constraint=../c.txt\nroman\n"})
    assert seed(files) != seed({**files, "c.txt": "six<3\n"})
    command = ("uv pip install -r dev.txt && sh setup.sh",)
    for name in ("dev.txt", "setup.sh", "uv.lock"):
        named = {"dev.txt": "", "setup.sh": "", "uv.lock": "", name: "more"}
        assert seed(named, command) != seed({**named, name: ""}, command), name


def test_a_message_names_the_files_that_look_like_dependencies() -> None:
    sources = Sources.of_files({"deep/down/here/env/requirements.in": "", "environment.yml": "", "a.py": ""})
    assert looks_like_dependencies(sources) == ["deep/down/here/env/requirements.in", "environment.yml"]


def chosen(files: dict[str, str], machine: tuple[Interpreter, ...] = MACHINE) -> int:
    return choose(Sources.of_files(files), machine).version[1]


def test_a_python_that_fits_is_chosen() -> None:
    assert chosen({}) == 11, "ours, where nothing is said"
    assert chosen({"pyproject.toml": '[project]\nrequires-python=">=3.12"\n'}) == 13
    assert (
        chosen({"pyproject.toml": '[project]\nrequires-python=">=3.12"\n', ".python-version": "3.12.99\n"})
        == 12
    )
    assert chosen({".python-version": "3.9\n"}) == 9
    assert chosen({"pyproject.toml": '[tool.poetry.dependencies]\npython="^3.8,<3.10"\n'}) == 9
    assert chosen({"setup.cfg": "[options]\npython_requires = <3.11\n"}) == 10
    assert chosen({"setup.py": "setup(python_requires='<3.10')"}) == 9
    assert chosen({"tox.ini": "[tox]\nenvlist = py{39,310}, lint\n"}) == 10
    assert chosen({"tox.ini": "[tox]\nenvlist = py3{9-14}\n"}) == 11, "ours is tested with"
    assert chosen({"tox.ini": "[tox]\nenvlist = py{37,38,39}\n"}) == 11, "the list is old"
    assert chosen({"setup.cfg": "Programming Language :: Python :: 3.9\n"}) == 11, "and so are classifiers"
    assert chosen({"setup.cfg": "Programming Language :: Python :: 3.13\n"}) == 13


def test_a_python_that_is_not_here_is_named_with_those_that_are() -> None:
    files = {"pyproject.toml": '[project]\nrequires-python=">=3.14"\n'}
    with pytest.raises(NoFittingPython, match=r"Python >=3\.14.*has 3\.13\.1, 3\.12\.1"):
        chosen(files)


def test_poetrys_constraints_are_read() -> None:
    given = {
        "^1.2": ">=1.2,<2",
        "^0.3": ">=0.3,<0.4",
        "~1.2": ">=1.2,<1.3",
        "1.0": "==1.0",
        "*": "",
        ">=1 || <3": ">=1",
        "~=1.1": "~=1.1",
    }
    assert {each: from_caret(each) for each in given} == given


def test_what_a_repository_has_not_set_is_found_in_its_files() -> None:
    assert found_suites(Sources.of_files({"a.py": ""})) == (), "pytest is the default"
    assert found_suites(
        Sources.of_files({"package.json": '{"devDependencies": {"jest": "1", "vitest": "1"}}'})
    ) == ("vitest",)
    both = {"package.json": '{"dependencies": {"jest": "1"}}', "a.py": "", "go.mod": "", "a_test.go": ""}
    assert found_suites(Sources.of_files(both)) == ("pytest", "jest", "go")
    workflow = "jobs:\n  t:\n    services:\n      db: {image: 'postgres:16'}\n      mail: {image: mailhog}\n"
    compose = "services:\n  cache:\n    image: bitnami/redis\n"
    served = {".github/workflows/ci.yml": workflow, "docker-compose.yml": compose}
    assert found_services(Sources.of_files(served)) == ("postgres", "redis")
    assert (
        found_services(Sources.of_files({"compose.yml": "- x", ".github/workflows/a.yml": "jobs: 3"})) == ()
    )
    django = {"tests/manage.py": "", "requirements-dev.txt": "behave-django\n"}
    assert found_behave(Sources.of_files(django)) == "python tests/manage.py behave"
    assert found_behave(Sources.of_files({"manage.py": "", "requirements-dev.txt": "django\n"})) == ""


RUNTESTS = "from django.test.utils import get_runner\n\nrunner = get_runner(settings)()\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"runtests.py": RUNTESTS}, "{python} runtests.py"),
        ({"tests/runtests.py": "import unittest\nunittest.main()\n"}, "{python} tests/runtests.py"),
        ({"runtests.py": RUNTESTS, "tests/conftest.py": ""}, ""),
        ({"runtests.py": RUNTESTS, "pytest.ini": ""}, ""),
        ({"runtests.py": "import pytest\npytest.main()\n", "tox.ini": "commands = python runtests.py"}, ""),
        (
            {
                "runtests.py": RUNTESTS,
                "tox.ini": "[testenv]\ncommands = coverage run ./runtests.py shop -v 2\n",
            },
            "{python} runtests.py shop -v 2",
        ),
        (
            {
                "a.py": "",
                "tox.ini": "[testenv]\ncommands =\n  {envpython} -W error -m django test -j 4 tests\n",
            },
            "{python} -m django test tests",
        ),
        (
            {
                "a.py": "",
                "noxfile.py": "session.run('django-admin', 'test', '--settings=tests.settings', 'tests')\n",
            },
            "{python} -m django test --settings=tests.settings tests",
        ),
        (
            {"web/manage.py": "import django\n", "web/shop/tests.py": ""},
            "cd web && {python} manage.py test",
        ),
        ({"manage.py": "import django\n", "tox.ini": "[testenv]\ncommands = pytest\n"}, ""),
        ({"a.py": "", "tox.ini": "[testenv]\ncommands = python run_tests.py\n"}, ""),
    ],
)
def test_the_command_that_a_repository_runs_its_tests_by_is_found(files: dict[str, str], wanted: str) -> None:
    found = found_suites(Sources.of_files(files))
    assert [each.command for each in found if isinstance(each, TestSuite)] == ([wanted] if wanted else [])


def test_the_session_of_nox_for_this_python_is_chosen() -> None:
    said = (
        'nox > hello\n[{"session": "lint", "name": "lint", "python": null}, '
        '{"session": "tests-3.9", "name": "tests", "python": "3.9"}, '
        '{"session": "tests-3.11", "name": "tests", "python": "3.11"}]'
    )
    assert nox_session(said, (3, 11)) == "tests-3.11"
    assert nox_session(said, (3, 12)) == ""
    assert nox_session("Traceback: no module named nox_poetry", (3, 11)) == ""
    assert "/env/nox/tests-3-11/bin/python" in make_nox("tests-3.11")


def test_what_tox_passes_and_nox_sets_is_read() -> None:
    said = "[testenv:py311]\ndeps = six\npass_env =\n  #\n  CC\n  SHOP_*\ncommands = pytest\n"
    found = tox_environment(said, (3, 11))
    assert found is not None and found.passed == ("CC", "SHOP_*")
    nox = "import nox\n\n@nox.session\ndef tests(s):\n    s.run('pytest', env={'A': 'b', 'C': s.name})\n"
    assert nox_variables(Sources.of_files({"noxfile.py": nox})) == {"A": "b"}


def test_extras_that_tox_names_are_installed_where_only_the_build_knows_them() -> None:
    files = {"setup.py": "setup(name='x', extras_require=made())\n", "tox.ini": "[testenv]\nextras = fancy\n"}
    lines: list[str] = []

    def run(line: str) -> CommandResult:
        lines.append(line)
        said = "[testenv:py311]\nextras =\n  fancy\ncommands = pytest\n" if "tox config" in line else ""
        return CommandResult(exit_code=0, output=said)

    found = planned(files)
    Installer(found, run, lambda _line: CommandResult(exit_code=0, output=""), "").install()
    assert any("--editable '.[fancy]'" in line for line in lines)


def test_compiled_packages_are_known_with_commands_of_ones_own_too() -> None:
    files = {
        "pyproject.toml": '[build-system]\nbuild-backend="maturin"\n[project]\nname="x"\n',
        "src/lib.rs": "",
    }
    for setup in ((), ("pip install .",)):
        planned = plan(Sources.of_files(files), MACHINE, setup)
        assert [(each.compiled, each.builder) for each in planned.packages] == [(True, "maturin")]
    files["pyproject.toml"] = files["pyproject.toml"].replace("maturin", "setuptools.build_meta")
    assert [each.builder for each in plan(Sources.of_files(files), MACHINE).packages] == [""]


def test_what_only_another_tool_can_compile_is_no_quiet_success_when_it_changes(tmp_path: Path) -> None:
    package = Package(name="x", compiled=True, builder="maturin")
    (tmp_path / "lib.rs").write_text("fn main() {}")
    before = sources_digest(tmp_path, [package])
    (tmp_path / "pyproject.toml").write_text("")
    assert sources_digest(tmp_path, [package]) == before, "a manifest is about much else"
    (tmp_path / "lib.rs").write_text("fn main() { }")
    assert sources_digest(tmp_path, [package]) != before
    failed = rebuild([package], "python", lambda line: pytest.fail(line))
    assert failed is not None and failed.exit_code == 1 and "maturin" in failed.output


def test_a_lock_file_whose_versions_are_gone_has_its_project_to_fall_back_on() -> None:
    files = {
        "pyproject.toml": (
            '[project]\nname="x"\ndependencies=["roman"]\n[dependency-groups]\ndev=["iniconfig>=2"]\n'
        ),
        "uv.lock": "",
    }
    assert [part.unlocked for part in planned(files).parts] == [("roman",), ("iniconfig>=2",)]
    said: list[str] = []

    def run(line: str) -> CommandResult:
        said.append(line)
        return CommandResult(
            exit_code=int("/env/locks/" in line and "uv pip" in line), output="no version of x"
        )

    installer = Installer(planned(files), run, lambda _line: CommandResult(exit_code=0, output=""), "")
    installer.install()
    assert any("uv pip install" in line and line.endswith("python roman") for line in said)
    assert any("iniconfig>=2" in line for line in said)
    assert all("exact versions cannot be installed" in note for note in installer.notes)
    assert len(installer.notes) == 2


def test_files_that_pin_other_versions_of_the_same_are_installed_with_what_is_there() -> None:
    names = ("ci-tests.txt", "dev.txt", "docs.txt", "tests.txt")
    found = planned({f"requirements/{name}": "packaging==23\n" for name in names})
    order = [part.source.rpartition("/")[2] for part in found.parts]
    assert order == ["tests.txt", "ci-tests.txt", "dev.txt"]
    said: list[str] = []

    def run(line: str) -> CommandResult:
        said.append(line)
        conflict = line.count("-r ") > 1 or ("dev.txt" in line and "-c " in line)
        return CommandResult(exit_code=int(conflict), output="unsatisfiable")

    installer = Installer(found, run, lambda _line: CommandResult(exit_code=0, output=""), "")
    installer.install()
    (overridden,) = (line for line in said if "--override" in line)
    assert "-r requirements/dev.txt" in overridden
    (note,) = installer.notes
    assert note.startswith("requirements/dev.txt: its exact versions cannot be installed, others were")
    assert any("uv venv" in line and "/env/seed.txt" in line for line in said)


@pytest.mark.parametrize(
    "files",
    [
        {".tool-versions": "nodejs 20.1\npython 3.10.4\n"},
        {"Pipfile": '[requires]\npython_version = "3.10"\n'},
        {"runtime.txt": "python-3.10.9\n"},
        {"environment.yml": "dependencies:\n  - python=3.10\n"},
        {"Dockerfile": "FROM docker.io/library/python:3.10-slim AS base\n"},
    ],
)
def test_files_that_name_one_python_choose_it(files: dict[str, str]) -> None:
    assert choose(Sources.of_files(files), MACHINE).version[:2] == (3, 10)
    assert choose(Sources.of_files(dict.fromkeys(files, "3.7")), MACHINE).version[:2] == (3, 11)


def test_tools_that_run_tests_set_their_variables() -> None:
    files = {
        "pyproject.toml": "[tool.hatch.envs.test.env-vars]\nMODE = 'test'\nROOT = '{root}'\n"
        "[tool.hatch.envs.docs.env-vars]\nMODE = 'docs'\n[tool.pdm.scripts]\n"
        "test = {cmd = 'pytest', env = {LEVEL = '1'}}\n",
    }
    assert planned(files).variables == {"MODE": "test", "LEVEL": "1"}


def test_plugins_that_pytest_misses_one_after_another_are_all_installed() -> None:
    lines: list[str] = []

    def run(line: str) -> CommandResult:
        lines.append(line)
        return CommandResult(exit_code=int("pytest-trio" in line), output="")

    def offline(line: str) -> CommandResult:
        said = "'trio' not found in `markers` configuration option\n"
        if not any("pytest-asyncio" in each for each in lines):
            said = "ERROR: Unknown config option: asyncio_mode\n"
        return CommandResult(exit_code=4, output=said)

    installer = Installer(planned({"requirements.txt": "x\n"}), run, offline, "")
    installer.install()
    assert any("pytest-asyncio" in line for line in lines)
    (note,) = installer.notes
    assert note.startswith("pytest-trio, which pytest needs, was left out"), "it is tried once"


def test_an_old_setup_py_gets_what_it_imports() -> None:
    lines: list[str] = []

    def run(line: str) -> CommandResult:
        lines.append(line)
        lacking = "--editable" in line and "--no-build-isolation" not in line
        return CommandResult(exit_code=int(lacking), output="ModuleNotFoundError: No module named 'numpy'")

    def offline(line: str) -> CommandResult:
        said = "No module named 'pkg_resources'\nModuleNotFoundError: No module named 'unheard_of'"
        return CommandResult(exit_code=1, output=f"ModuleNotFoundError: {said}")

    Installer(planned({"setup.py": "import numpy\n"}), run, offline, "").install()
    assert any("--build-constraint" in line for line in lines)
    assert any("wheel numpy" in line and "setuptools<82" in line for line in lines)
    assert any("'setuptools<82' -c" in line for line in lines), "the tests import pkg_resources"
    assert not any("unheard" in line for line in lines), "no package is guessed"


def test_files_with_packages_from_git_can_be_installed_without_them() -> None:
    files = {
        "requirements.txt": "-r dev.txt\nroman  # numbers\n",
        "dev.txt": "pytest\ngit+https://example.org/x\n-e git+https://example.org/y#egg=y\n",
        "requirements-more.txt": "six\n",
    }
    found = {part.source: part.unlocked for part in planned(files).parts}
    assert found == {"requirements.txt": ("roman", "pytest"), "requirements-more.txt": ()}


def test_the_ci_sets_variables_for_tests() -> None:
    workflow = """
env: {FORCE_COLOR: 1, MODE: ci}
jobs:
  lint: {env: {LEVEL: 9}, steps: [{run: ruff check}]}
  test:
    env: {DATABASE_URL: "postgres://a@b/c", SECRET_KEY: "${{ secrets.KEY }}", CACHE_URL: "redis://h"}
    steps:
    - {run: pip install ., env: {LEVEL: 8}}
    - {run: pytest, env: {MODE: test, DEBUG: false, DJANGO_SETTINGS_MODULE: shop.settings}}
"""
    found = planned({"requirements.txt": "x\n", ".github/workflows/ci.yml": workflow}).variables
    assert found == {"MODE": "test", "DEBUG": "false", "DJANGO_SETTINGS_MODULE": "shop.settings"}
    pipeline = (
        "variables: {MODE: ci}\ntest: {script: [pytest], variables: {LEVEL: 1}}\ndocs: {script: [make]}\n"
    )
    found = planned({"requirements.txt": "x\n", ".gitlab-ci.yml": pipeline}).variables
    assert found == {"MODE": "ci", "LEVEL": "1"}


def test_packages_in_folders_are_kept_for_tests_that_miss_them() -> None:
    project = "[build-system]\nrequires = []\n[project]\nname = '{}'\ndependencies = [{}]\n"
    files = {
        "requirements-dev.txt": "pytest\n",
        "packages/a/pyproject.toml": project.format("a", ""),
        "packages/b/pyproject.toml": project.format("b", "'a', 'roman'"),
    }
    found = planned(files)
    assert [each.folder for each in found.later_packages] == ["packages/a", "packages/b"]
    assert not found.packages
    lines: list[str] = []

    def run(line: str) -> CommandResult:
        lines.append(line)
        return CommandResult(exit_code=0, output="")

    def offline(line: str) -> CommandResult:
        installed = any("--editable ./packages/a" in each for each in lines)
        said = "" if installed else "ModuleNotFoundError: No module named 'a'"
        return CommandResult(exit_code=0, output=said)

    Installer(found, run, offline, "", frozenset({"a", "b"})).install()
    assert any("--editable ./packages/b" in line for line in lines)
    words = [word for line in lines if "uv pip install" in line for word in line.split()]
    assert "a" not in words, "a package of the repository is not taken from a registry"
