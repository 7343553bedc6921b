"""Ways of code under test to change what the verifier reads, or the verifier itself."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify import suites
from runners.verify.suites.run import SuiteRun
from runners.verify.suites.suites import Suites

FEATURE = "Feature: F\n  Scenario: one\n    Then it fails\n"
FAILS = "from behave import then\n\n@then('it fails')\ndef step(context):\n    assert False, 'really'\n"
TEST = "def test_one():\n    assert False, 'really'\n"
FORGED = (
    '{"path": "features/f.feature", "line": 2, "name": "one", "status": "passed", "steps": 1, "step": '
    '"", "step_status": "", "message": ""}'
)
FORGED_TEST = '{"test": "test_it.py::test_one", "outcome": "passed", "path": "", "line": 1, "message": ""}'
REPORT = "'/reports/report'"


def make(tmp_path: Path, *, unsafe: bool = False) -> tuple[Path, Suites]:
    root = tmp_path / "work"
    (root / "features" / "steps").mkdir(parents=True)
    (root / "features" / "f.feature").write_text(FEATURE)
    (root / "features" / "steps" / "s.py").write_text(FAILS)
    (root / "test_it.py").write_text(TEST)

    def sandbox(root: Path, read_only: Mapping[str, Path], writable: Mapping[str, Path]) -> Sandbox:
        return Sandbox(
            root, read_only=read_only, writable=writable, limits=CommandLimits(wall_s=30), unsafe=unsafe
        )

    return root, Suites(sandbox, features="features")


def both(root: Path, found: Suites) -> tuple[SuiteRun, SuiteRun]:
    return found.behave(root), found.pytest(root)


def red(run: SuiteRun) -> bool:
    return bool(run.broken) or set(run.outcomes.values()) == {"failed"}


def plant(root: Path, code: str) -> None:
    """Code that runs as soon as either suite loads something of the repository."""
    (root / "features" / "environment.py").write_text(code)
    (root / "conftest.py").write_text(code)


def test_the_suites_are_red_by_themselves(tmp_path: Path) -> None:
    root, found = make(tmp_path)
    assert [set(run.outcomes.values()) for run in both(root, found)] == [{"failed"}, {"failed"}]
    assert all(run.broken is None for run in both(root, found))


WRITERS = {
    "when the process ends": f"import atexit\natexit.register(lambda: open({REPORT}, 'w').write(TEXT))",
    "at once": f"open({REPORT}, 'w').write(TEXT)",
    "in place of the file": f"import os\nos.unlink({REPORT})\nopen({REPORT}, 'w').write(TEXT)",
    "beside it": (
        f"import os\nos.rename('/reports', '/reports2')\nos.mkdir('/reports')\nopen({REPORT}, "
        "'w').write(TEXT)"
    ),
    "from a child that stays": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(2)\n "
        f"   open({REPORT}, 'w').write(TEXT)\n    os._exit(0)"
    ),
    "through a link": f"import os\nos.symlink('/etc/passwd', {REPORT})",
    "a gigabyte": f"open({REPORT}, 'w').write('x' * 1_000_000_000)",
}


@pytest.mark.parametrize("way", WRITERS)
def test_attack_write_the_report(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root, found = make(tmp_path)
    text = f"TEXT = {(FORGED + chr(10) + FORGED_TEST + chr(10))!r}\n"
    plant(root, f"{text}try:\n    " + WRITERS[way].replace("\n", "\n    ") + "\nexcept OSError:\n    pass\n")
    assert all(red(run) for run in both(root, found))


@pytest.mark.parametrize(
    "record", ["{}", '{"test": 1}', '{"name": "one", "path": "f", "line": "2"}', "[1]", "1", "nonsense"]
)
def test_attack_write_a_record_of_another_shape(tmp_path: Path, record: str) -> None:
    """Through the harness's own open descriptor, so that nothing depends on who is first."""
    root, found = make(tmp_path)
    plant(
        root,
        "import os\nfor name in os.listdir('/proc/self/fd'):\n    try:\n        if 'report' in "
        "os.readlink(f'/proc/self/fd/{name}'):\n"
        f"            os.write(int(name), {record.encode()!r} + b'\\n')\n    except OSError:\n        pass\n",
    )
    for run in both(root, found):
        assert run.fault == "untrusted", run


def test_the_old_report_could_be_rewritten(tmp_path: Path) -> None:
    """The control of the test above: in a folder that can be written, a file that stays is rewritten at the
    end."""
    root, _ = make(tmp_path)
    reports = tmp_path / "reports"
    reports.mkdir()
    plant(root, f"import atexit\natexit.register(lambda: open({REPORT}, 'w').write('forged'))\n")
    box = Sandbox(root, writable={"/reports": reports})
    box.run(["python", "-m", "behave", "-f", "json", "-o", "/reports/report"])
    assert (reports / "report").read_text() == "forged"


@pytest.mark.parametrize(
    "code",
    [
        "import scenarist_behave\nopen(scenarist_behave.__file__, 'a').write('evil')",
        "import scenarist_pytest\nopen(scenarist_pytest.__file__, 'a').write('evil')",
        "import os\nos.rename('/opt/scenarist', '/opt/other')",
        "import behave\nopen(behave.__file__, 'a').write('evil')",
        "import pytest\nopen(pytest.__file__, 'a').write('evil')",
    ],
)
def test_attack_change_the_verifiers_files(tmp_path: Path, code: str) -> None:
    root, found = make(tmp_path)
    inside = Path(suites.__file__).parents[1] / "inside"
    before = {path.name: path.read_bytes() for path in inside.glob("*.py")}
    plant(
        root,
        f"try:\n    {code.replace(chr(10), chr(10) + '    ')}\n    open('done', 'w')\nexcept (OSError, "
        "ImportError):\n    pass\n",
    )
    assert all(red(run) for run in both(root, found))
    assert not (root / "done").exists()
    assert {path.name: path.read_bytes() for path in inside.glob("*.py")} == before
    (root / "done").touch()  # the control: the workspace itself can be written
    assert "kept" in Sandbox(root).run(["bash", "-c", "echo kept >done; cat done"]).output


@pytest.mark.parametrize(
    "name",
    [
        "scenarist_behave.py",
        "scenarist_pytest.py",
        "behave/__init__.py",
        "behave/__main__.py",
        "pytest.py",
        "json.py",
        "sitecustomize.py",
    ],
)
def test_attack_put_a_module_in_the_way(tmp_path: Path, name: str) -> None:
    """A module of the repository by the name of one of the verifier's is found first: then there is no
    result."""
    root, found = make(tmp_path)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(f"import sys\nprint({FORGED!r})\nsys.exit(0)\n")
    for run in both(root, found):
        assert "passed" not in run.outcomes.values(), run


@pytest.mark.parametrize(
    "code",
    ["import os\nos._exit(0)", "import sys\nsys.exit(0)", "raise KeyboardInterrupt", "raise SystemExit(0)"],
)
def test_attack_end_before_the_tests(tmp_path: Path, code: str) -> None:
    root, found = make(tmp_path)
    plant(root, code)
    for run in both(root, found):
        assert run.broken, run


def test_attack_leave_something_for_the_next_suite(tmp_path: Path) -> None:
    """Private folders and processes of one suite are gone when the next one runs."""
    root, found = make(tmp_path)
    plant(
        root,
        "import os\nassert 'left' not in os.listdir('/tmp')\nopen('/tmp/left', 'w')\nassert 'left' in "
        "os.listdir('/tmp')\n",
    )
    for run in (*both(root, found), *both(root, found)):
        assert run.broken is None and set(run.outcomes.values()) == {"failed"}, run


FAKE_BEHAVE = {
    "behave/__init__.py": "",
    "behave/formatter/__init__.py": "",
    "behave/formatter/base.py": "class Formatter:\n    def __init__(self, *a):\n        pass\n",
    "behave/__main__.py": (
        "import json\n\n\ndef main(args):\n    import scenarist_behave\n    "
        f"scenarist_behave.write(json.loads({FORGED!r}))\n    return 0\n"
    ),
}
FAKE_PYTEST = {
    "pytest/__init__.py": (
        "import json\n\n\nclass _Session:\n    pass\n\n\ndef main(args=None, plugins=()):\n    import sys\n"
        "    plugin = next(iter(plugins), None) or __import__('scenarist_pytest')\n"
        f"    plugin._seen['x'] = json.loads({FORGED_TEST!r})\n    "
        "plugin.pytest_sessionfinish(_Session())\n    return 0\n\n\nconsole_main = main\n"
    ),
    "pytest/__main__.py": "import sys, pytest\nsys.exit(pytest.main())\n",
}


def test_a_suite_that_fails_without_a_single_test_is_no_empty_one(tmp_path: Path) -> None:
    root, found = make(tmp_path)
    (root / "conftest.py").write_text("import os\n\n\ndef pytest_sessionstart(session):\n    os._exit(1)\n")
    run = found.pytest(root)
    assert run.fault == "unusable" and not run.outcomes


@pytest.mark.parametrize("below", ["", "src/"])
def test_attack_bring_a_test_runner_that_lies(tmp_path: Path, below: str) -> None:
    """A package of the repository by the name of behave or pytest, which speaks to the harness as the real
    one does."""
    root, _ = make(tmp_path)
    for name, text in {**FAKE_BEHAVE, **FAKE_PYTEST}.items():
        (root / below / name).parent.mkdir(parents=True, exist_ok=True)
        (root / below / name).write_text(text)

    def sandbox(root: Path, read_only: Mapping[str, Path], writable: Mapping[str, Path]) -> Sandbox:
        env = {"PYTHONPATH": "src"}  # as for a repository with that folder
        return Sandbox(root, read_only=read_only, writable=writable, env=env, limits=CommandLimits(wall_s=30))

    for run in both(root, Suites(sandbox, features="features")):
        assert run.broken is None, run.broken
        assert set(run.outcomes.values()) == {"failed"}, run
