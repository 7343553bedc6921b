"""What the page of a run says of states that need somebody, and what it leaves out."""

import pytest

from bot.report.page.page import RunPage, run_page
from tests.support import logs
from tests.support.run_logs import DIFF_TEXT


def page(state: str, diff: str = "") -> RunPage:
    return run_page(
        "01RUN", logs.entries(logs.STATES[state]), feature=logs.FEATURE_TEXT, diff=diff, label="go"
    )


@pytest.mark.parametrize(
    ("state", "phase", "todo"),
    [
        ("failed", "prepare", "`/agent retry prepare`"),
        ("gave up", "implement", "Say more in the issue, then set the label `go` again."),
        ("never green", "implement", "finish it by hand with the change below."),
        ("asks", "implement", "Answer on the issue: a plain comment is enough."),
    ],
)
def test_an_ended_run_says_what_was_tried_and_the_one_thing_to_do(state: str, phase: str, todo: str) -> None:
    found = page(state)
    assert found.ended_in == phase and todo in found.todo and found.tried and found.found
    assert {step.mark for step in found.steps if not step.tries} == {"not run"}


def test_an_active_run_has_nothing_to_do_for_people() -> None:
    found = page("implementing")
    assert (found.todo, found.tried, found.found) == ("", "", "")
    assert [step.mark for step in found.steps][-2:] == ["to come", "to come"]


def test_the_change_is_shown_file_by_file() -> None:
    (file,) = page("implementing", DIFF_TEXT).files
    assert (file.path, file.added, file.removed) == ("shop/checkout.py", 1, 1)


@pytest.mark.parametrize("secret", ["ghp_" + "a" * 36, "AKIA" + "A" * 16])
def test_a_change_with_a_secret_is_not_shown_even_before_the_verdict(secret: str) -> None:
    diff = DIFF_TEXT.replace("goods > FREE_FROM", secret).replace("goods >= FREE_FROM", secret)
    assert page("implementing", diff).files == ()


def test_a_very_long_change_is_cut() -> None:
    lines = "".join(f"+line {number}\n" for number in range(5000))
    head = "diff --git a/big.py b/big.py\n--- a/big.py\n+++ b/big.py\n@@ -0,0 +1,5000 @@\n"
    found = page("implementing", head + lines)
    assert found.diff_is_cut and len(found.files[0].lines) == 3000 and found.files[0].added == 5000


def test_who_steered_a_run_is_said_in_words() -> None:
    titles = [each.title for each in page("retried").items]
    assert "wim began again with implement" in titles
    assert "Scenarist paused the run" in [each.title for each in page("waits for approval").items]


def test_earlier_verdicts_are_kept_apart_from_the_newest() -> None:
    log = [*logs.SENT_BACK, *logs.VERIFIED[len(logs.VERIFYING) :]]
    found = run_page("01RUN", logs.entries(log))
    assert [each.status for each in found.earlier] == ["red"]
    assert found.state.verdict is not None and found.state.verdict.green
