"""What belongs to an environment beyond packages: built files, tox's variables, services, the command for
behave."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.environment.prepare import Environment, EnvironmentBroken, Environments
from runners.git.command import git
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.suites import Suites
from tests.support.workbench import Workbench

LIMITS = CommandLimits(wall_s=120)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "state")


def prepared(bench: Workbench, commit: str, **more: object) -> Environment:
    made = Environments(bench.workspaces, LIMITS, unsafe=False)
    return made.prepare(bench.mirror, commit, (), **more)


def suites(environment: Environment, behave: str = "") -> Suites:
    def sandbox(root: Path, ro: Mapping[str, Path], rw: Mapping[str, Path]) -> Sandbox:
        return environment.sandbox(root, ro, rw, limits=LIMITS)

    return Suites(sandbox, features="features", behave=behave)


EXTENSION = {
    "setup.py": (
        "from setuptools import Extension, setup\n\n"
        "setup(name='pkg', version='1', packages=['pkg'], ext_modules=[Extension('pkg._fast', "
        "['src_c/_fast.c'])])\n"
    ),
    "pkg/__init__.py": "from pkg._fast import answer\n",
    "src_c/_fast.c": (
        "#include <Python.h>\n"
        "static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(41); }\n"
        'static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};\n'
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", "", -1, methods};\n'
        "PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }\n"
    ),
    "test_pkg.py": "import pkg\n\n\ndef test_answer():\n    assert pkg.answer() == 41\n",
}


def test_a_compiled_extension_is_in_each_checkout_and_follows_its_sources(bench: Workbench) -> None:
    base = bench.commit(EXTENSION)
    environment = prepared(bench, base)
    assert [path.rpartition(".")[2] for path in environment.built] == ["so"]
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = suites(environment).pytest(tree.root)
        assert run.outcomes == {"test_pkg.py::test_answer": "passed"}, run.log
        assert tree.commit("x") is None, "what was built enters no commit"

        source = tree.root / "src_c/_fast.c"
        source.write_text(source.read_text().replace("41", "42"))
        run = suites(environment).pytest(tree.root)
        assert run.outcomes == {"test_pkg.py::test_answer": "failed"}, "it runs what is there now"
        assert "assert 42 == 41" in run.failures[0].message
        assert tree.commit("x") is not None
        assert (
            git("show", "--name-only", "--format=", tree.head, git_dir=bench.mirror.path) == "src_c/_fast.c"
        )

        source.write_text(source.read_text().replace("42", "nonsense"))
        broken = suites(environment).pytest(tree.root)
        assert broken.broken and "nonsense" in broken.log, "the compiler says why"
        source.write_text(source.read_text().replace("nonsense", "41"))
        assert suites(environment).pytest(tree.root).counts.passed == 1


VERSIONED = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["setuptools>=64", "setuptools-scm>=8"]\n[project]\nname = '
        '"pkg"\ndynamic = ["version"]\n'
        '[tool.setuptools_scm]\nversion_file = "pkg/_version.py"\n[tool.setuptools]\npackages = ["pkg"]\n'
    ),
    ".gitignore": "_version.py\n",
    "pkg/__init__.py": "from ._version import __version__\n",
    "test_pkg.py": "import pkg\n\n\ndef test_version():\n    assert pkg.__version__ == '1.5.dev1'\n",
}


def test_a_version_file_that_is_made_from_tags_is_in_each_checkout(bench: Workbench) -> None:
    first = bench.commit({"README.md": ""})
    git("tag", "v1.4", first, git_dir=bench.mirror.path)
    base = bench.commit(VERSIONED)
    environment = prepared(bench, base)
    assert "pkg/_version.py" in environment.built
    head = bench.commit({"pkg/more.py": ""})
    with bench.workspaces.worktree(bench.mirror, head, "run", "x") as tree:
        run = suites(environment).pytest(tree.root)
    assert run.outcomes == {"test_pkg.py::test_version": "passed"}, run.log


def test_a_package_that_cannot_be_installed_is_an_error_with_its_cause(bench: Workbench) -> None:
    base = bench.commit({"setup.py": "raise SystemExit('needs a frobnicator')\n", "pkg/__init__.py": ""})
    with pytest.raises(EnvironmentBroken, match="needs a frobnicator"):
        prepared(bench, base)


PYPROJECT = (
    '[project]\nname = "x"\nversion = "1"\ndependencies = ["six"]\n[project.optional-dependencies]\n'
    'broken = ["six==99.99"]\nworks = ["iniconfig"]\n'
)


def test_an_extra_that_cannot_be_installed_is_left_out_and_named(bench: Workbench) -> None:
    base = bench.commit({"pyproject.toml": PYPROJECT, "x.py": ""})
    environment = prepared(bench, base)
    [note] = environment.notes
    assert "extra `broken` of pyproject.toml was left out" in note and "six" in note
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        sandbox = environment.sandbox(tree.root, {}, {}, limits=LIMITS)
        assert sandbox.run(["python", "-c", "import six, iniconfig"]).exit_code == 0


SEVERAL = {
    "requirements.txt": "inflection\n",
    "pyproject.toml": '[build-system]\nrequires=["setuptools"]\n[project]\nname="pkg"\nversion="1"\ndependencies=["roman"]\n',
    "pkg/__init__.py": "import roman\n",
    "tox.ini": (
        "[tox]\nenvlist = lint, py3\n[testenv]\nset_env = WHO = tox\ndeps = pytest\n    six\ncommands = "
        "pytest\n"
        "[testenv:lint]\ndeps = ruff\nskip_install = true\n"
    ),
    "pytest.ini": "[pytest]\naddopts = --timeout 50\n",
    ".github/workflows/ci.yml": (
        "jobs:\n  t:\n    steps:\n    - run: pip install iniconfig cowsay\n    - run: pytest\n"
    ),
    "tests/test_pkg.py": (
        "import os\n\nimport cowsay\nimport inflection\nimport pkg\nimport six\n\n\n"
        "def test_who():\n    assert os.environ['WHO'] == 'tox' and os.environ['ME'] == 'env'\n"
    ),
}


def test_what_tox_the_tests_and_the_ci_need_is_found_by_trying(bench: Workbench) -> None:
    base = bench.commit(SEVERAL)
    environment = prepared(bench, base, env={"ME": "env"})
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = suites(environment).pytest(tree.root)
    assert run.outcomes == {"tests/test_pkg.py::test_who": "passed"}, run.log
    assert environment.notes == ()


NOX = {
    "noxfile.py": (
        "import nox\n\n\n@nox.session\ndef tests(session):\n"
        "    session.install(*open('wanted').read().split())\n"
        "    session.run('pytest', env={'WHO': 'nox'})\n"
    ),
    "wanted": "six\n",
    "test_it.py": (
        "import os\n\nimport six\n\n\n"
        "def test_who():\n    assert (os.environ['WHO'], os.environ['REGION']) == ('nox', 'eu')\n"
    ),
}


def test_nox_makes_the_environment_that_nobody_can_read_in_its_file(bench: Workbench) -> None:
    made = Environments(bench.workspaces, LIMITS, unsafe=False, variables={"REGION": "eu"})
    base = bench.commit(NOX)
    environment = made.prepare(bench.mirror, base, ())
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = suites(environment).pytest(tree.root)
    assert run.outcomes == {"test_it.py::test_who": "passed"}, run.log
    assert environment.notes == ()


DJANGO = {
    "requirements.txt": "Django>=5\nbehave-django\n",
    "manage.py": (
        "import os\nimport sys\n\nfrom django.core.management import execute_from_command_line\n\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', "
        "'site_settings')\nexecute_from_command_line(sys.argv)\n"
    ),
    "site_settings.py": (
        "import os\nSECRET_KEY = 'x'\nSTATIC_URL = '/static/'\nROOT_URLCONF = 'site_settings'\nurlpatterns "
        "= []\nINSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'behave_django']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': "
        "os.environ['DATABASE']}}\nUSE_TZ = True\n"
    ),
    "features/users.feature": (
        "Feature: Users\n\n  Scenario: One\n    When ada joins\n    Then there is 1 user\n"
    ),
    "features/steps/steps.py": (
        "from behave import then, when\nfrom django.contrib.auth.models import User\n\n\n"
        "@when('ada joins')\ndef join(context):\n    User.objects.create(username='ada')\n\n\n"
        "@then('there is {n:d} user')\ndef count(context, n):\n    assert User.objects.count() == n\n"
    ),
}


def test_behave_is_run_by_the_repositorys_own_command(bench: Workbench) -> None:
    base = bench.commit(DJANGO)
    environment = prepared(bench, base, env={"DATABASE": ":memory:"})
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = suites(environment, behave="python manage.py behave").behave(tree.root)
        plain = suites(environment).behave(tree.root)
    assert run.outcomes == {"features/users.feature::One": "passed"}, run.log
    assert not run.broken and run.command.startswith("python manage.py behave")
    assert plain.broken, "behave alone cannot load the settings"


SERVED = {
    "test_services.py": (
        "import os\nimport socket\nimport subprocess\n\n\n"
        "def test_postgres():\n    out = subprocess.run(['psql', '-tAc', 'select 6 * 7'], "
        "capture_output=True, text=True)\n"
        "    assert out.stdout.strip() == '42', out.stderr\n\n\n"
        "def test_redis():\n    with socket.create_connection((os.environ['REDIS_HOST'], "
        "int(os.environ['REDIS_PORT']))) as s:\n"
        "        s.sendall(b'PING\\r\\n')\n        assert s.recv(20) == b'+PONG\\r\\n'\n"
    ),
}


def test_services_run_beside_the_tests_and_nowhere_else(bench: Workbench) -> None:
    base = bench.commit(SERVED)
    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        with_them = suites(prepared(bench, base, services=("postgres", "redis"))).pytest(tree.root)
        without = suites(prepared(bench, base)).pytest(tree.root)
    assert with_them.counts.passed == 2, with_them.log
    assert without.counts.failed == 2, "nothing else answers there"


def test_an_old_behave_that_knows_no_rules_says_so(bench: Workbench) -> None:
    scenario = "    Scenario: S\n      When I go\n\n"
    files = {
        "requirements.txt": "behave==1.2.6\nsetuptools\n",
        "features/steps/steps.py": "from behave import when\n\n\n@when('I go')\ndef go(context):\n    pass\n",
    }
    plain = f"Feature: A\n\n{scenario}"
    ruled = f"Feature: A\n\n  Rule: One\n\n{scenario}  Rule: Two\n\n{scenario}"
    for feature, told in ((plain, ""), (ruled, "does not know `Rule:`: use behave 1.3")):
        base = bench.commit({**files, "features/a.feature": feature})
        environment = prepared(bench, base)
        with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
            run = suites(environment).behave(tree.root)
        assert told in (run.broken or "") and bool(run.broken) == bool(told), run.log
