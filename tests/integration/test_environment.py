"""A repository's dependencies: installed from its own files, once, and only on the base commit."""

from pathlib import Path

import pytest

from runners.environment import EnvironmentBroken, Environments, plan
from runners.sandbox import Limits, Sandbox
from runners.verify.suites import Suites
from runners.workspace import Workspaces
from tests.integration.test_gate import Workbench


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
