"""Issues that say enough are let through, others get questions."""

import pytest

from gherkin.issue.coach import coach, says_enough
from gherkin.issue.story import story_from_issue

ENOUGH = [
    ("Double numbers", "4 becomes 8, please."),
    ("Free delivery for large orders", "Orders of 50 euros or more should be delivered free of charge."),
    ("Crash on empty cart", "`checkout([])` raises IndexError. Expected: an empty receipt."),
    ("Sort books", "As a customer I want books sorted by price so that I find cheap ones."),
    ("Vouchers", "## Acceptance criteria\n- A voucher is taken off once\n- An unknown voucher is refused"),
    ("Add CSV export", "The report page gets a link that downloads all rows: header first, then the orders."),
    ("Rabatt", "Ab 50 Euro soll die Lieferung nichts kosten."),
]
NOT_ENOUGH = [
    ("Fix it", "It is broken."),
    ("Improve performance", "Make everything faster and more robust, etc."),
    ("Refactor", "Clean up the code and make it nicer."),
    ("Better UI", "The UI is not user-friendly."),
    ("Make it better", "It should be nicer."),
    ("Search", "It must be fast and should be modern. It should also be robust."),
]


@pytest.mark.parametrize(("title", "body"), ENOUGH)
def test_an_issue_that_says_enough_is_let_through(title: str, body: str) -> None:
    assert coach(story_from_issue(1, title, body)).score >= 35


@pytest.mark.parametrize(("title", "body"), NOT_ENOUGH)
def test_one_that_does_not_gets_concrete_questions(title: str, body: str) -> None:
    advice = coach(story_from_issue(1, title, body))
    assert advice.score < 35
    assert 2 <= len(advice.questions) <= 5 and all(each.endswith("?") for each in advice.questions)
    assert "When …, then …" in advice.wording


def test_a_vague_wish_with_a_value_is_an_outcome() -> None:
    vague = coach(story_from_issue(1, "Search", "Search should be faster."))
    clear = coach(story_from_issue(1, "Search", "Search should be faster: 2 seconds instead of 10."))
    points = [next(part.points for part in each.parts if part.name == "testable") for each in (vague, clear)]
    assert points[0] == 0 < points[1]


def test_answers_in_comments_count_as_the_issue_does() -> None:
    asked = coach(story_from_issue(1, "Add CSV export", ""))
    answer = "When I click Export, a file `orders.csv` with 3 columns should be saved, so that I can open it."
    answered = coach(story_from_issue(1, "Add CSV export", "", [answer]))
    assert asked.score < 35 <= answered.score and len(answered.questions) < len(asked.questions)


@pytest.mark.parametrize(
    ("answer", "is_enough"),
    [
        ("The first column is the customer's name. OK?", True),
        ("It should be faster: 2 seconds instead of 10.", True),
        ("Please decide it yourself, I trust you.", True),
        ("It should be nicer and somehow more modern.", False),
        ("Yes.", False),
        ("", False),
    ],
)
def test_a_whole_sentence_that_is_not_only_vague_is_an_answer(answer: str, is_enough: bool) -> None:
    assert says_enough(answer) is is_enough


def test_each_vague_word_is_asked_for() -> None:
    advice = coach(story_from_issue(1, "Search", "Search should be fast and user-friendly."))
    assert [each for each in advice.questions if "“fast”" in each] and [
        each for each in advice.questions if "“user-friendly”" in each
    ]
    clear = next(part for part in advice.parts if part.name == "clear")
    assert clear.points == 6 and "fast, user-friendly" in clear.why


def test_a_large_one_is_asked_to_be_divided() -> None:
    body = "## Acceptance criteria\n" + "\n".join(
        f"- Rule {at} should hold for {at} euros" for at in range(12)
    )
    advice = coach(story_from_issue(1, "All of it", body))
    assert any("done first" in each for each in advice.questions)
    assert next(part for part in advice.parts if part.name == "small").points == 0


def test_the_wording_keeps_what_is_there() -> None:
    body = "As a customer I want vouchers so that I save.\n\n## Acceptance criteria\n- A voucher is taken off"
    wording = coach(story_from_issue(1, "Vouchers", body)).wording
    assert (
        wording.startswith("As a customer I want vouchers so that I save.")
        and "- A voucher is taken off" in wording
    )
    assert "I want to add CSV export, so" in coach(story_from_issue(1, "Add CSV export", "")).wording
    assert "I want vouchers for all, so" in coach(story_from_issue(1, "Vouchers for all.", "")).wording


def test_the_score_is_between_0_and_100() -> None:
    best = coach(story_from_issue(1, "A", ENOUGH[3][1] + ' It should and must show "x" for 3 and "y" for 4.'))
    worst = coach(story_from_issue(1, "", "stuff things etc maybe nice fast better " * 200))
    assert best.score == 100 and worst.score == 0 and sum(part.most for part in best.parts) == 100
