"""Tests that need what no sandbox has are counted, and their reason is named."""

from runners.verify.gate.out_of_reach import out_of_reach
from runners.verify.suites.run import SuiteRun
from runners.verify.verdict import Failure

POSTGRES = (
    'OperationalError: could not translate host name "db.example.org" to address: Name or service not known'
)
REDIS = "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused."
MODULE = "FileNotFoundError: [Errno 2] No such file or directory: 'vendor/lib/data.json'"
POINTER = "ValueError: bad header: version https://git-lfs.github.com/spec/v1"


def ran(**messages: str) -> SuiteRun:
    """A run in which `ok` passed and these tests failed."""
    return SuiteRun(
        command="pytest",
        outcomes={"ok": "passed", **dict.fromkeys(messages, "failed")},
        failures=tuple(Failure(test=test, message=message) for test, message in messages.items()),
    )


def test_what_cannot_be_reached_is_said_with_the_number_of_tests() -> None:
    run = ran(a=POSTGRES, b=REDIS, c=MODULE, d=POINTER, e="assert 1 == 2")
    services, modules, pointers = out_of_reach("pytest", run, run, ["vendor/lib"])
    assert services.startswith("2 tests of pytest could not run on either side")
    assert "db.example.org, cache" in services and "another host is out of reach" in services
    assert modules.startswith("1 test of pytest") and "vendor/lib" in modules
    assert "Git LFS" in pointers


def test_what_only_the_change_breaks_is_no_such_thing() -> None:
    assert out_of_reach("pytest", ran(), ran(a=POSTGRES), []) == []
    assert out_of_reach("pytest", ran(a=POSTGRES), ran(), []) == [], "the change mends it"
    assert out_of_reach("pytest", ran(a="assert 1 == 2"), ran(a="assert 1 == 2"), ["x"]) == []
