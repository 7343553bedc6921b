"""What other tools say of their tests, read from what they really wrote (`tests/corpus/test_reports`), and
runs in a sandbox."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from runners.sandbox.bubblewrap import Sandbox
from runners.sandbox.limits import CommandLimits
from runners.verify.suites.collector import Collector
from runners.verify.suites.foreign import PRESETS, TestSuite, Unreadable, read_results
from runners.verify.suites.run import SuiteRun, unique
from runners.verify.suites.suites import Suites
from tests.support.growth import assert_linear

REPORTS = Path(__file__).parents[4] / "corpus" / "test_reports"


def _read(name: str, report: str = "", printed: str = "") -> dict[str, str]:
    results = read_results(
        PRESETS[name],
        (REPORTS / printed).read_text() if printed else "",
        (REPORTS / report).read_bytes() if report else b"",
        1,
    )
    assert {each.test for each in results.failures} == {
        test for test, outcome in results.outcomes.items() if outcome in ("failed", "error")
    }
    return dict(results.outcomes)


def test_vitest() -> None:
    assert _read("vitest", "vitest.xml") == {
        "v/broken.test.ts::v/broken.test.ts": "failed",
        "v/sum.test.ts::sum > adds": "passed",
        "v/sum.test.ts::sum > doubles": "failed",
        "v/sum.test.ts::sum > later": "skipped",
        "v/sum.test.ts::alone": "passed",
    }


def test_jest() -> None:
    assert _read("jest", "jest.json") == {
        "test/broken.test.cjs": "error",
        "test/sum.test.cjs::sum adds": "passed",
        "test/sum.test.cjs::sum doubles": "failed",
        "test/sum.test.cjs::sum later": "skipped",
        "test/sum.test.cjs::alone": "passed",
    }


def test_cucumber_js() -> None:
    assert _read("cucumber-js", "cucumber-js.xml") == {
        "Sum::Adding": "passed",
        "Sum::Wrong": "failed",
        "Sum::Undefined": "failed",
    }


def test_cargo() -> None:
    assert _read("cargo", printed="cargo.txt") == {
        "src/lib.rs::tests::adds": "passed",
        "src/lib.rs::tests::doubles": "failed",
        "src/lib.rs::tests::later": "skipped",
        "tests/outer.rs::adds": "passed",
        "calc::src/lib.rs - add": "passed",
    }


def test_go() -> None:
    assert _read("go", printed="go.txt") == {
        "example.org/calc::TestAdds": "passed",
        "example.org/calc::TestDoubles/four": "failed",
        "example.org/calc::TestDoubles": "failed",
        "example.org/calc::TestLater": "skipped",
        "example.org/calc/sub": "error",
    }


@pytest.mark.parametrize("name", ["vitest", "jest"])
@pytest.mark.parametrize("report", [b"", b"nonsense", b'{"testResults": 1}', b"[" * 100_000])
def test_a_report_that_is_none(name: str, report: bytes) -> None:
    with pytest.raises(Unreadable):
        read_results(PRESETS[name], "", report, 1)


def test_an_exit_code_is_one_test() -> None:
    suite = TestSuite(name="smoke", command="true", format="exit-code")
    assert read_results(suite, "", b"", 0).outcomes == {"smoke": "passed"}
    assert read_results(suite, "boom", b"", 2).failures[0].message == "boom"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("cargo", "\n"),
        ("cargo", "---- a stdout ----\n"),
        ("cargo", "     Running tests/a.rs\ntest a ... FAILED\n"),
        ("cargo", "test a ... "),
        ("cargo", "---- a stdout ----\nfailed\ntest a ... FAILED\n"),
        ("go", "FAIL p [build failed]\n"),
        ("go", '{"Package": "p", "Test": "t", "Action": "fail"}\n{"Package": "q", "Action": "fail"}\n'),
    ],
)
def test_a_long_report_takes_linear_time(name: str, part: str) -> None:
    def text(size: int) -> str:
        return part * (size // len(part))

    assert_linear(text, lambda printed: read_results(PRESETS[name], printed, b"", 1))


def test_many_scenarios_of_one_name_take_linear_time() -> None:
    def named(text: str) -> dict[str, str]:
        taken: dict[str, str] = {}
        numbers: dict[str, int] = {}
        for name in text.split():
            taken[unique(name, taken, numbers)] = ""
        return taken

    assert list(named("a a a b a")) == ["a", "a (2)", "a (3)", "b", "a (4)"]
    assert_linear(lambda size: "a " * (size // 2), named)


def test_a_record_in_many_parts_takes_linear_time(tmp_path: Path) -> None:
    def collected(text: str) -> int:
        with Collector(tmp_path / "pipe") as collector:
            for _ in range(len(text)):
                collector._take(b"x" * 100)
        return len(collector.entries)

    assert_linear(lambda size: "x" * (size // 10), collected)


# -- in a sandbox ------------------------------------------------------------------------------------------

Run = Callable[[TestSuite], SuiteRun]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "test_sum.py").write_text(
        "import unittest\n\n\nclass TestSum(unittest.TestCase):\n    def test_adds(self):\n        "
        "self.assertEqual(1 + 2, 3)\n\n"
        '    def test_doubles(self):\n        """It says what it does."""\n        print("noise")\n'
        "        self.assertEqual(2 * 4, 9)\n\n    @unittest.skip('later')\n    def test_later(self):\n    "
        "    pass\n"
    )
    (root / "test_broken.py").write_text("import nowhere\n")
    suites = Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=CommandLimits(wall_s=20)),
        features="features",
    )
    return lambda suite: suites.foreign(suite, root)


def test_unittest_is_run_and_read(run: Run) -> None:
    done = run(PRESETS["unittest"])
    assert done.outcomes == {
        "test_sum.TestSum::test_adds": "passed",
        "test_sum.TestSum::test_doubles": "failed",
        "test_sum.TestSum::test_later": "skipped",
        "unittest.loader._FailedTest::test_broken": "error",
    }
    assert done.broken is None
    assert done.command == "python -m unittest discover"
    assert "8 != 9" in next(each.message for each in done.failures if "doubles" in each.test)


def test_a_script_that_runs_unittest_itself_is_read_test_by_test(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tree" / "runtests.py").write_text(
        "import sys\nimport unittest\n\nfrom test_sum import TestSum\n\n\n"
        "class Own(unittest.TextTestResult):\n    pass\n\n\n"
        "suite = unittest.defaultTestLoader.loadTestsFromTestCase(TestSum)\n"
        "result = unittest.TextTestRunner(resultclass=Own).run(suite)\n"
        "sys.exit(bool(result.failures) and sys.argv[1] == 'strict')\n"
    )
    suite = TestSuite(name="runtests.py", command="{python} runtests.py strict", format="unittest")
    done = run(suite)
    assert done.outcomes == {
        "test_sum.TestSum::test_adds": "passed",
        "test_sum.TestSum::test_doubles": "failed",
        "test_sum.TestSum::test_later": "skipped",
    }, done.log
    assert done.broken is None and done.command == "python runtests.py strict"
    lax = run(suite.model_copy(update={"command": "{python} runtests.py lax"}))
    assert lax.fault == "untrusted", "it ends well although tests fail"


def test_only_the_format_of_unittest_names_the_reporting_python() -> None:
    for command, kind in (("python runtests.py", "unittest"), ("{python} runtests.py", "exit-code")):
        with pytest.raises(ValidationError, match="belong together"):
            TestSuite.model_validate({"name": "x", "command": command, "format": kind})


@pytest.mark.parametrize(
    ("command", "fault", "words"),
    [
        ("echo '<testsuite/>' > {report}; echo no compiler; exit 1", "unusable", "no compiler"),
        ("exit 0", "unusable", "not JUnit XML"),
        ("ln -s /etc/passwd {report}", "unusable", "not JUnit XML"),
        ("mkfifo {report}", "unusable", "not JUnit XML"),
        ("sleep 60", "timed-out", "did not end"),
        (
            "echo '<testsuite><testcase name=\"a\"><failure/></testcase></testsuite>' > {report}",
            "untrusted",
            "its exit code says that it passed",
        ),
    ],
)
def test_results_that_mean_nothing_are_told(
    run: Run, command: str, fault: str, words: str, tmp_path: Path
) -> None:
    suites = Suites(
        lambda root, ro, rw: Sandbox(root, read_only=ro, writable=rw, limits=CommandLimits(wall_s=5)),
        features="features",
    )
    done = suites.foreign(TestSuite(name="own", command=command), tmp_path / "tree")
    assert done.fault == fault
    assert done.broken is not None and words in done.broken


def test_a_suite_of_ones_own_takes_the_place_of_pytest() -> None:
    own = TestSuite(name="smoke", command="true", format="exit-code")
    suites = Suites(lambda *_: pytest.fail("nothing is run"), features="features", tests=["unittest", own])
    assert [name for name, _ in suites.all()] == ["behave", "unittest", "smoke"]
