"""Which failed jobs are worth a repair, and what of their logs a model is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.behaviours.red_ci import (
    MAX_JOBS,
    MAX_LOG,
    Left,
    clean,
    comment,
    result_of,
    shorten,
    split_by_log,
)
from bot.forges.ci import CiJob, JobState
from tests.support import gfm
from tests.support.strangers import EVIL, acts

_STATES = st.sampled_from(["running", "passed", "failed", "skipped"])


def job(number: int, name: str, state: JobState = "failed", **more: bool) -> CiJob:
    return CiJob(id=number, name=name, state=state, **more)


def test_a_failure_that_is_new_is_repaired() -> None:
    found = result_of([job(1, "test"), job(2, "lint", "passed")], [job(3, "test", "passed")])
    assert ([each.name for each in found.failed], found.left, found.passed) == (["test"], (), 1)


@pytest.mark.parametrize(
    ("head", "base", "ignore", "why"),
    [
        ([job(1, "test")], [job(2, "test")], (), "without this change too"),
        ([job(1, "test", "passed"), job(2, "test")], [], (), "flaky"),
        ([job(1, "test", broken=True)], [], (), "machine"),
        ([job(1, "test", optional=True)], [], (), "allowed to fail"),
        ([job(1, "test")], [], ("te*",), "ci.ignore"),
    ],
)
def test_what_is_left_alone(head: list[CiJob], base: list[CiJob], ignore: tuple[str, ...], why: str) -> None:
    found = result_of(head, base, ignore)
    assert found.failed == ()
    assert [each.name for each in found.left] == ["test"] and why in found.left[0].why


def test_the_newest_attempt_counts() -> None:
    assert result_of([job(1, "test"), job(2, "test", "passed")], []).failed == ()
    assert result_of([job(1, "test"), job(2, "test", "running")], []).running == ("test",)
    assert result_of([job(1, "test")], [job(2, "test"), job(3, "test", "passed")]).failed


@given(st.lists(st.tuples(st.sampled_from("abc"), _STATES, st.booleans(), st.booleans()), max_size=12))
def test_every_job_whose_newest_attempt_failed_is_named_once(
    attempts: list[tuple[str, JobState, bool, bool]],
) -> None:
    jobs = [
        job(number, name, state, broken=broken, optional=optional)
        for number, (name, state, broken, optional) in enumerate(attempts)
    ]
    found = result_of(jobs, [])
    newest = {each.name: each.state for each in jobs}
    named = [each.name for each in (*found.failed, *found.left)]
    assert sorted(named) == sorted(name for name, state in newest.items() if state == "failed")


def test_a_log_that_speaks_of_the_machine_is_no_reason_for_a_repair() -> None:
    logs = [(job(1, "a"), "E: No space left on device"), (job(2, "b"), "AssertionError: 1 != 2")]
    failed, left = split_by_log(logs)
    assert [each.name for each in failed] == ["b"] and [each.name for each in left] == ["a"]


def test_a_check_without_a_log_speaks_for_itself() -> None:
    checks = [CiJob(id=n, name=f"c{n}", state="failed", text=f"Coverage fell, {n}.") for n in range(9)]
    failed, _ = split_by_log([(each, "") for each in checks])
    assert len(failed) == MAX_JOBS and failed[0].log == "Coverage fell, 0."


def test_a_log_is_cleaned() -> None:
    raw = (
        "\ufeff2026-11-28T02:12:05.1234567Z \x1b[31mFAILED\x1b[0m tests/test_a.py\n"
        "section_start:1764295925:step\r\x1b[0Ka 10%\ra 100%\r\n"
        "export PASSWORD=hunter22\n"
        "##[error]Process completed with exit code 1.\n"
        "2026-11-28T02:12:06Z Post job cleanup.\n"
    )
    assert clean(raw) == (
        "FAILED tests/test_a.py\na 100%\nexport PASSWORD=[redacted]\n"
        "##[error]Process completed with exit code 1."
    )


def test_a_long_log_keeps_its_end_and_its_errors() -> None:
    lines = [f"line {number}" for number in range(5000)]
    lines[100] = "Traceback (most recent call last):"
    shown = shorten("\n".join(lines))
    assert "line 99\nTraceback" in shown and shown.endswith("line 4999") and "[…]" in shown
    assert "line 2000" not in shown and len(shown) <= MAX_LOG + 100


@given(st.text(alphabet="ab error\n", max_size=200), st.integers(0, 400))
def test_a_log_is_bounded(text: str, times: int) -> None:
    shown = shorten(clean(text * times))
    assert len(shown) <= MAX_LOG + 200


@given(EVIL)
def test_the_name_of_a_job_does_nothing_in_the_comment(name: str) -> None:
    text = comment(7, "a" * 40, [Left(name=name, why="it is flaky")]).partition("\n")[2].rpartition("\n")[0]
    assert acts(text) == []
    assert len(gfm.table_rows(text)) == 2
