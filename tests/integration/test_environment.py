"""A repository's dependencies: installed from its own files, once, and only on the base commit."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.environment.dependencies import plan
from runners.environment.prepare import EnvironmentBroken, Environments
from runners.git.workspaces import Workspaces
from runners.sandbox.bubblewrap import Limits, Sandbox
from runners.verify.foreign import PRESETS
from runners.verify.suites import Suites
from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "state")


def environments(workspaces: Workspaces) -> Environments:
    return Environments(workspaces, Limits(wall_s=120), unsafe=False)


def test_what_is_installed_follows_from_the_files() -> None:
    assert plan({}, ()) == []
    assert plan({"pyproject.toml": "[tool.ruff]\n"}, ()) == []
    assert plan({"pyproject.toml": "not toml ["}, ()) == []
    assert "-r requirements.txt -r requirements-dev.txt" in " ".join(
        plan({"requirements.txt": "", "requirements-dev.txt": ""}, ())
    )
    assert "--all-extras --group test" in " ".join(
        plan({"pyproject.toml": "[dependency-groups]\ntest = ['six']\nlint = ['ruff']\n"}, ())
    )
    assert "uv export --quiet --frozen" in " ".join(plan({"uv.lock": "", "pyproject.toml": ""}, ()))
    node = {"package.json": '{"devDependencies": {"vitest": "^3"}}'}
    assert "npm install --no-package-lock" in " ".join(plan(node, ()))
    [command] = plan({**node, "package-lock.json": "{}"}, ())
    assert "npm ci --ignore-scripts" in command and "cp package.json package-lock.json /env/node/" in command
    assert (
        plan({"package.json": "{}"}, ())
        == plan({"package.json": "[1]"}, ())
        == plan({"package.json": "{"}, ())
        == []
    )
    assert len(plan({**node, "requirements.txt": ""}, ())) > 2, "both, where there is both"
    go = "module x\n\ngo 1.19\n\nrequire (\n\texample.org/dep v1.0.0\n)\n"
    assert "GOMODCACHE=/env/go" in " ".join(plan({"go.mod": go}, ()))
    assert plan({"go.mod": "module x\n// require nothing\n"}, ()) == []
    crate = '[package]\nname = "x"\n\n[dev-dependencies]\nproptest = "1"\n'
    assert plan({"Cargo.toml": crate}, ()) == ["CARGO_HOME=/env/cargo cargo fetch --quiet"]
    assert "--locked" in " ".join(plan({"Cargo.toml": "[workspace]\n", "Cargo.lock": ""}, ()))
    assert plan({"Cargo.toml": '[package]\nname = "dependencies"\n'}, ()) == []
    assert plan({"Cargo.toml": "[target.'cfg(unix)'.dependencies]\nlibc = '0.2'\n"}, ()) != []
    assert "make deps" in plan({"requirements.txt": ""}, ("make deps",))


def test_dependencies_are_installed_once_and_can_be_used_without_a_network(bench: Workbench) -> None:
    base = bench.commit(
        {
            "requirements.txt": "six==1.16.0\n",
            "src/shop/__init__.py": "import six\n",
            "tests/test_shop.py": "import shop\nimport sys\n\n\ndef test_it():\n    assert '/env/' in sys.prefix\n",
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
                limits=Limits(wall_s=60),
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
        '[[package]]\nname = "iniconfig"\nversion = "2.0.0"\ndescription = ""\noptional = false\npython-versions = ">=3.7"\n'
        'groups = ["dev"]\nfiles = []\n\n[[package]]\nname = "six"\nversion = "1.16.0"\ndescription = ""\noptional = false\n'
        'python-versions = ">=2.7"\ngroups = ["main"]\nfiles = []\n\n[metadata]\nlock-version = "2.1"\n'
        'python-versions = ">=3.11"\ncontent-hash = "2da781155d62508b875562a840164cd72a45c8cfb9d1619fe390906441ae5404"\n'
    ),
}
PIPENV = {
    "Pipfile": '[packages]\nsix="*"\n[dev-packages]\niniconfig="*"\n',
    "Pipfile.lock": (
        '{"_meta": {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": [{"name": "pypi", '
        '"url": "https://pypi.org/simple", "verify_ssl": true}]}, "default": {"six": {"hashes": [], "version": "==1.16.0"}}, '
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
    "tox.ini": "[testenv]\ndeps =\n    -rrequirements.txt\n    iniconfig==2.0.0  # small\n    py39: tomli\n    {[base]deps}\n",
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


def test_files_that_say_nothing_of_use_are_left_alone() -> None:
    assert plan({"tox.ini": "[tox\n"}, ()) == plan({"tox.ini": "[testenv]\ncommands = x\n"}, ()) == []
    assert plan({"pyproject.toml": "tool = 3\nproject = 4\ndependency-groups = 5\n"}, ()) == []
    assert plan({"pyproject.toml": "[tool.hatch.envs]\ntest = 3\n"}, ()) == []
    _, install, *_ = plan({"tox.ini": "[testenv]\ndeps = six; echo $(id)\n"}, ())
    assert shlex.split(install)[-1] == "six; echo $(id)", "one word, whatever is in it"
    assert "uv pip install --quiet --python /env/venv/bin/python ." in plan(
        {"pyproject.toml": '[tool.poetry]\nname = "x"\n'}, ()
    )


JAVASCRIPT = {
    "package.json": '{"type": "module", "devDependencies": {"vitest": "4.0.8"}}',
    "sum.js": "export const double = n => n + n\n",
    "sum.test.js": (
        "import { expect, test } from 'vitest'\nimport { double } from './sum.js'\n\n"
        "test('doubles', () => expect(double(4)).toBe(8))\ntest('is wrong', () => expect(double(4)).toBe(9))\n"
    ),
}


def test_the_tests_of_a_javascript_repository_are_run_with_its_own_packages(bench: Workbench) -> None:
    base = bench.commit(JAVASCRIPT)
    environment = environments(bench.workspaces).prepare(bench.mirror, base, ())

    def sandbox(root: Path, ro: Mapping[str, Path], rw: Mapping[str, Path]) -> Sandbox:
        mounts = {**environment.mounts, **ro}
        return Sandbox(
            root, read_only=mounts, writable=rw, env=environment.variables, limits=Limits(wall_s=60)
        )

    with bench.workspaces.worktree(bench.mirror, base, "run", "x") as tree:
        run = Suites(sandbox, features="features").foreign(PRESETS["vitest"], tree.root)
    assert run.outcomes == {"sum.test.js::doubles": "passed", "sum.test.js::is wrong": "failed"}, run.log
    assert run.broken is None
