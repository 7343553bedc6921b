"""A repository's dependencies: installed from its own files, once, and only on the base commit."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.environment.prepare import EnvironmentBroken, Environments
from runners.git.workspaces import Workspaces
from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.foreign import PRESETS
from runners.verify.suites.suites import Suites
from tests.support.waiting import HANG_S
from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "state")


def environments(workspaces: Workspaces) -> Environments:
    return Environments(workspaces, CommandLimits(wall_s=HANG_S), unsafe=False)


def test_dependencies_are_installed_once_and_can_be_used_without_a_network(bench: Workbench) -> None:
    base = bench.commit(
        {
            "requirements.txt": "six==1.16.0\n",
            "src/shop/__init__.py": "import six\n",
            "tests/test_shop.py": (
                "import shop\nimport sys\n\n\ndef test_it():\n    assert '/env/' in sys.prefix\n"
            ),
            "pyproject.toml": "[tool.nothing]\n",
        }
    )
    made = environments(bench.workspaces)
    environment = made.prepare(bench.mirror, base, ())
    assert environment.folder is not None
    built = (environment.folder / "venv" / "pyvenv.cfg").stat().st_mtime_ns
    assert list(environment.folder.glob("venv/lib/*/site-packages/__pycache__/six.*.pyc")), (
        "it is read-only from now on, and would be compiled anew each time"
    )
    again = made.prepare(bench.mirror, base, ())
    assert again.folder == environment.folder
    assert (environment.folder / "venv" / "pyvenv.cfg").stat().st_mtime_ns == built

    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        suites = Suites(
            lambda root, ro, rw: Sandbox(
                root,
                read_only={**environment.mounts, **ro},
                writable=rw,
                env=environment.variables,
                limits=CommandLimits(wall_s=HANG_S),
            ),
            features="features",
        )
        run = suites.pytest(tree.root)
        assert run.outcomes == {"tests/test_shop.py::test_it": "passed"}, run.log
        sandbox = Sandbox(tree.root, read_only=environment.mounts, env=environment.variables)
        assert sandbox.run(["touch", "/env/x"]).exit_code != 0, "it is read-only"
        assert sandbox.run(["python", "-c", "import six, behave"]).exit_code == 0


def test_dependencies_that_cannot_be_installed_are_named(bench: Workbench) -> None:
    base = bench.commit({"requirements.txt": "six==99.99.99\n"})
    with pytest.raises(EnvironmentBroken, match="six"):
        environments(bench.workspaces).prepare(bench.mirror, base, ())
    mended = bench.commit({"requirements.txt": "six==1.16.0\n"})
    assert environments(bench.workspaces).prepare(bench.mirror, mended, ()).folder is not None


POETRY = {
    "pyproject.toml": (
        '[tool.poetry]\nname="x"\nversion="0.1"\ndescription=""\nauthors=[]\npackage-mode=false\n[tool.poetry.dependencies]\n'
        'python=">=3.11"\nsix="1.16.0"\n[tool.poetry.group.dev.dependencies]\niniconfig="2.0.0"\n'
    ),
    "poetry.lock": (
        '[[package]]\nname = "iniconfig"\nversion = "2.0.0"\ndescription = ""\noptional = '
        'false\npython-versions = ">=3.7"\n'
        'groups = ["dev"]\nfiles = []\n\n[[package]]\nname = "six"\nversion = "1.16.0"\ndescription = '
        '""\noptional = false\n'
        'python-versions = ">=2.7"\ngroups = ["main"]\nfiles = []\n\n[metadata]\nlock-version = "2.1"\n'
        'python-versions = ">=3.11"\ncontent-hash = '
        '"2da781155d62508b875562a840164cd72a45c8cfb9d1619fe390906441ae5404"\n'
    ),
}
PIPENV = {
    "Pipfile": '[packages]\nsix="*"\n[dev-packages]\niniconfig="*"\n',
    "Pipfile.lock": (
        '{"_meta": {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": [{"name": "pypi", '
        '"url": "https://pypi.org/simple", "verify_ssl": true}]}, "default": {"six": {"hashes": [], '
        '"version": "==1.16.0"}}, '
        '"develop": {"iniconfig": {"hashes": [], "version": "==2.0.0"}}}'
    ),
}
HATCH = {
    "pyproject.toml": (
        '[project]\nname="x"\nversion="0"\ndependencies=["six==1.16.0"]\n[tool.hatch.envs.test]\n'
        'extra-dependencies=["iniconfig==2.0.0", "{root:uri}/plugin"]\n'
    )
}
TOX = {
    "requirements.txt": "six==1.16.0\n",
    "tox.ini": (
        "[testenv]\ndeps =\n    -rrequirements.txt\n    iniconfig==2.0.0  # small\n    py39: "
        "tomli\n    {[base]deps}\n"
    ),
}


@pytest.mark.parametrize("files", [POETRY, PIPENV, HATCH, TOX], ids=["poetry", "pipenv", "hatch", "tox"])
def test_what_other_tools_declare_for_running_and_for_testing_is_there(
    bench: Workbench, files: dict[str, str]
) -> None:
    environment = environments(bench.workspaces).prepare(bench.mirror, bench.commit(files), ())
    with bench.workspaces.worktree(bench.mirror, bench.commit({}), "run", "x") as tree:
        sandbox = Sandbox(tree.root, read_only=environment.mounts, env=environment.variables)
        line = "import six, iniconfig, behave, sys; sys.exit(six.__version__ != '1.16.0')"
        result = sandbox.run(["python", "-c", line])
    assert result.exit_code == 0, result.output


def test_a_lock_that_does_not_fit_is_the_first_cause(bench: Workbench) -> None:
    stale = {**POETRY, "poetry.lock": POETRY["poetry.lock"].replace("2da7811", "2da7812")}
    with pytest.raises(EnvironmentBroken, match=r"poetry\.lock"):
        environments(bench.workspaces).prepare(bench.mirror, bench.commit(stale), ())


JAVASCRIPT = {
    "package.json": '{"type": "module", "devDependencies": {"vitest": "4.0.8"}}',
    "sum.js": "export const double = n => n + n\n",
    "sum.test.js": (
        "import { expect, test } from 'vitest'\nimport { double } from './sum.js'\n\n"
        "test('doubles', () => expect(double(4)).toBe(8))\ntest('is wrong', () => "
        "expect(double(4)).toBe(9))\n"
    ),
}


def test_the_tests_of_a_javascript_repository_are_run_with_its_own_packages(bench: Workbench) -> None:
    base = bench.commit(JAVASCRIPT)
    environment = environments(bench.workspaces).prepare(bench.mirror, base, ())

    def sandbox(root: Path, ro: Mapping[str, Path], rw: Mapping[str, Path]) -> Sandbox:
        mounts = {**environment.mounts, **ro}
        return Sandbox(
            root,
            read_only=mounts,
            writable=rw,
            env=environment.variables,
            limits=CommandLimits(wall_s=HANG_S),
        )

    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = Suites(sandbox, features="features").foreign(PRESETS["vitest"], tree.root)
    assert run.outcomes == {"sum.test.js::doubles": "passed", "sum.test.js::is wrong": "failed"}, run.log
    assert run.broken is None
