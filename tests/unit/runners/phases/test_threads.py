"""The remarks of a review: suggestions that are applied as they are, and answers that are asked for once."""

import pytest

from runners.contract.events import ToolCalled
from runners.contract.workorder import OrderComment, OrderThread, WorkOrder
from runners.loop.agent import Ended
from runners.models.chat import ToolCall
from runners.phases.threads import UNANSWERED, Suggestion, incomplete, replaced, suggestions

TEXT = "one\ntwo\nthree\nfour\n"


def thread(body: str, line: int | None = 2, start: int | None = None, number: int = 7) -> OrderThread:
    said = OrderComment(author="wim", body=body)
    return OrderThread(id=number, path="a.py", line=line, start=start, commit="c", comments=(said,))


def order(*threads: OrderThread, body: str = "") -> WorkOrder:
    return WorkOrder(
        kind="revise",
        number=1,
        title="T",
        body="",
        requested_by="wim",
        requested_at="",
        pull=2,
        review_body=body,
        threads=threads,
    )


@pytest.mark.parametrize(
    ("body", "line", "start", "expected"),
    [
        ("```suggestion\nTWO\n```", 2, None, "one\nTWO\nthree\nfour\n"),
        ("Better:\n```suggestion\nX\nY\n```\nno?", 3, 2, "one\nX\nY\nfour\n"),
        ("```suggestion\n```", 2, None, "one\nthree\nfour\n"),
        ("```suggestion:-1+1\nX\n```", 2, None, "X\nfour\n"),
        ("````suggestion\n```\n````", 2, None, "one\n```\nthree\nfour\n"),
    ],
)
def test_a_suggestion_takes_the_place_of_its_lines(
    body: str, line: int, start: int | None, expected: str
) -> None:
    (found,) = suggestions(order(thread(body, line, start)))
    assert replaced(TEXT, [found]) == expected


@pytest.mark.parametrize(
    ("body", "line"),
    [("Call it value.", 2), ("```python\nTWO\n```", 2), ("```suggestion\nTWO\n```", None)],
)
def test_other_remarks_suggest_nothing(body: str, line: int | None) -> None:
    assert suggestions(order(thread(body, line))) == []


def test_several_suggestions_are_applied_together_unless_they_overlap() -> None:
    def suggested(first: int, last: int, text: str) -> Suggestion:
        return Suggestion(1, "a.py", first, last, "c", text)

    assert replaced(TEXT, [suggested(1, 1, "1\n1b\n"), suggested(3, 4, "3\n")]) == "1\n1b\ntwo\n3\n"
    assert replaced(TEXT, [suggested(1, 2, "x\n"), suggested(2, 3, "y\n")]) is None
    assert replaced(TEXT, [suggested(4, 5, "x\n")]) is None, "a line that is not there"


def test_line_ends_stay_what_they_are() -> None:
    assert replaced("a\r\nb\r\n", [Suggestion(1, "a.py", 2, 2, "c", "B\n")]) == "a\r\nB\r\n"


def finish(answers: dict[int, str]) -> Ended:
    return Ended(reason="finish", text="Done.", answers=answers)


def test_each_thread_and_the_review_are_answered_or_asked_for_once() -> None:
    wanted = order(thread("a"), thread("b", number=8), body="Nearly.")
    complete = {0: "Yes.", 7: "Done.", 8: "Done."}
    assert incomplete(wanted, finish(complete), []) == ""
    missing = incomplete(wanted, finish({7: "Done."}), [])
    assert missing.startswith(UNANSWERED) and "its own text (thread 0), thread 8" in missing
    assert "no review thread 9" in incomplete(wanted, finish({**complete, 9: "What?"}), [])
    told = ToolCalled(call=ToolCall(id="1", name="finish", arguments="{}"), ok=False, text=missing, seconds=0)
    assert incomplete(wanted, finish({7: "Done."}), [told]) == ""


def test_an_order_without_a_review_wants_no_answers() -> None:
    assert incomplete(order(), finish({}), []) == ""
