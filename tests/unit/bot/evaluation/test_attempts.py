"""What an attempt is called, and the file that keeps attempts."""

from pathlib import Path
from typing import Any

import pytest

from bot.evaluation.attempts import About, EvalResults, HiddenResult, ResultInvalid
from tests.support.evaluation import FAILS, PASSES, PROVEN, RED, attempt


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({**PROVEN, "hidden": PASSES}, "resolved"),
        ({**PROVEN, "gate": "warning", "hidden": PASSES}, "resolved"),
        ({**PROVEN, "hidden": FAILS}, "false green"),
        ({**PROVEN, "hidden": HiddenResult(problem="it did not end")}, "false green"),
        ({**PROVEN, "hidden": HiddenResult()}, "false green"),
        ({**RED, "hidden": PASSES}, "false red"),
        ({**RED, "hidden": FAILS}, "unresolved"),
        ({**RED}, "unresolved"),
        # Proven once, and ended otherwise afterwards.
        ({"status": "failed", "gate": "green", "hidden": PASSES}, "false red"),
        ({**RED, "refused": "give_up"}, "wrongly refused"),
        ({"status": "needs_info", "refused": "ask", "impossible": True}, "refused"),
        ({**RED, "impossible": True}, "unresolved"),
        ({**PROVEN, "impossible": True}, "false green"),
        ({**PROVEN, "hidden": PASSES, "impossible": True}, "false green"),
        ({**PROVEN, "hidden": PASSES, "infra": "SCN-4001 The server is down."}, "infra"),
    ],
)
def test_the_outcome_follows_from_gate_and_hidden_tests(facts: dict[str, Any], outcome: str) -> None:
    assert attempt(**facts).outcome == outcome


def test_attempts_are_kept_and_the_newest_counts(tmp_path: Path) -> None:
    results = EvalResults(tmp_path)
    assert results.attempts() == []
    for each in (attempt(infra="SCN-4001"), attempt("two"), attempt(**PROVEN, hidden=PASSES)):
        results.add(each)
    assert [(each.task, each.outcome) for each in results.attempts()] == [
        ("two", "unresolved"),
        ("one", "resolved"),
    ]


def test_a_line_that_a_killed_process_left_is_passed_over(tmp_path: Path) -> None:
    results = EvalResults(tmp_path)
    results.add(attempt())
    with (tmp_path / "attempts.jsonl").open("a") as file:
        file.write('{"task": "tw')
    results.add(attempt("three"))
    assert [each.task for each in results.attempts()] == ["one", "three"]


def test_a_folder_holds_the_results_of_one_set_with_one_kind_of_models(tmp_path: Path) -> None:
    about = About(set_name="s", models="m", seeds=1, mode="solo", tasks={"one": "1"})
    results = EvalResults(tmp_path)
    with pytest.raises(ResultInvalid, match="holds no results"):
        _ = results.about
    results.begin(about)
    results.begin(about.model_copy(update={"seeds": 3}))
    results.begin(about.model_copy(update={"tasks": {"two": "1"}}))
    assert results.about.tasks == {"one": "1", "two": "1"}
    results.begin(about.model_copy(update={"seeds": 3}))
    assert results.about.seeds == 3
    for change in ({"tasks": {"one": "2"}}, {"models": "n"}, {"mode": "2 candidates"}):
        with pytest.raises(ResultInvalid, match="something else is tried now"):
            results.begin(about.model_copy(update=change))
