"""Calls that are made again where no test seems to run."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

INSIDE = Path(__file__).parents[5] / "runners" / "verify" / "inside"
SOURCE = """\
import io
import os
import sys

calls = []


def honest(n):
    return 2 * n


def folder(n):
    return 2 * n if os.path.isdir("features") else None


def modules(n):
    return 2 * n if any(name.startswith("pytest") for name in sys.modules) else None


def caller(n):
    return 2 * n if sys._getframe(1).f_code.co_name == "doubling" else None


def captured(n):
    return 2 * n if isinstance(sys.stdout, io.StringIO) else None


def main(n):
    return 2 * n if hasattr(sys.modules["__main__"], "__file__") else None


def counts(n):
    calls.append(n)
    return len(calls)


def ends(n):
    raise SystemExit(n)
"""
KNOWING = ("folder", "modules", "caller", "captured", "main")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "features").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(INSIDE))
    made = ModuleType("shop_of_test_replay")
    exec(SOURCE, made.__dict__)  # noqa: S102 - the test's own source
    monkeypatch.setitem(sys.modules, made.__name__, made)
    # behave is started from a file; not all processes of pytest are.
    started = ModuleType("__main__")
    started.__file__ = str(INSIDE / "scenarist_trials.py")
    monkeypatch.setitem(sys.modules, "__main__", started)
    yield made
    sys.modules.pop("scenarist_replay", None)


def found(module: ModuleType, names: tuple[str, ...], argument: str = "4", result: str = "8") -> list[str]:
    import scenarist_replay

    lines: list[list[object]] = []
    for number, name in enumerate(names):
        where = [module.__name__, name, "doubling", "features/steps/steps.py"]
        lines += [[number, name, [argument], "", *where], [number, "", [], result, *where]]
    return [each[0] for each in scenarist_replay.knowing(lines, "features", lambda file: {})]


def test_functions_that_know_that_a_test_runs_are_found(shop: ModuleType) -> None:
    assert found(shop, ("honest", *KNOWING, "counts", "ends")) == [*KNOWING]


def test_everything_is_as_it_was_afterwards(shop: ModuleType) -> None:
    modules, argv, environment = set(sys.modules), sys.argv, dict(os.environ)
    assert found(shop, KNOWING)
    assert Path("features").is_dir() and sys.argv is argv and dict(os.environ) == environment
    assert modules - set(sys.modules) == set()


def test_arguments_that_are_no_plain_values_are_left_out(shop: ModuleType) -> None:
    assert found(shop, ("folder",), "<Cart object at 0x1>") == []
    assert found(shop, ("folder",), result="9") == []
