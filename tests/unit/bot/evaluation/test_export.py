"""SWE-bench's formats, and the page that compares results."""

import json
import re

from bot.evaluation.attempts import About, RoleUse
from bot.evaluation.comparison import comparison_page
from bot.evaluation.export import as_text, predictions, swebench_report
from bot.evaluation.report import report
from tests.support.evaluation import FAILS, PASSES, PROVEN, RED, attempt

ABOUT = About(
    set_name="s",
    models="<qwen>",
    seeds=2,
    mode="solo",
    tasks=dict.fromkeys(("one", "two", "left", "gone"), "1"),
)
USE = RoleUse(role="driver", model="<b>", turns=2, tokens=1234)
ATTEMPTS = [
    attempt("one", **PROVEN, hidden=PASSES, patch="diff --git a/x b/x", uses=(USE,)),
    attempt("two", **PROVEN, hidden=FAILS, patch="diff --git a/y b/y"),
    attempt("three", **RED, hidden=PASSES, patch="diff --git a/z b/z"),
    attempt("empty", **RED),
    attempt("broken", infra="SCN-4001 The server is down."),
    attempt("never", impossible=True, status="needs_info", refused="ask"),
    attempt("one", seed=2, **RED),
]


def test_predictions_hold_the_patches_of_one_seed() -> None:
    found = json.loads(as_text(predictions(ABOUT, ATTEMPTS, 1)))
    assert list(found) == ["empty", "never", "one", "three", "two"]
    assert found["one"] == {
        "model_name_or_path": "<qwen>",
        "instance_id": "one",
        "model_patch": "diff --git a/x b/x\n",
    }
    assert found["empty"]["model_patch"] == ""
    assert list(predictions(ABOUT, ATTEMPTS, 2)) == ["one"]


def test_the_report_has_swebenchs_lists_and_counts() -> None:
    found = swebench_report(ABOUT, ATTEMPTS, 1)
    assert found["resolved_ids"] == ["one", "three"] and found["unresolved_ids"] == ["two"]
    assert found["empty_patch_ids"] == ["empty"] and found["infra_failure_ids"] == ["broken"]
    assert found["incomplete_ids"] == ["gone", "left"] and found["schema_version"] == 2
    assert (found["total_instances"], found["submitted_instances"], found["completed_instances"]) == (5, 4, 3)
    for name in ("resolved", "unresolved", "empty_patch", "error", "infra_failure", "ambiguous_failure"):
        assert found[f"{name}_instances"] == len(found[f"{name}_ids"])


def test_a_page_compares_results_and_escapes_names() -> None:
    other = ABOUT.model_copy(update={"models": "claude", "mode": "3 candidates"})
    page = comparison_page([report(ABOUT, ATTEMPTS), report(other, ATTEMPTS[:1])], "b { color: red }")
    assert "&lt;qwen&gt;" in page and "<qwen>" not in page and "b { color: red }" in page
    assert "3 candidates" in page and "1,234" in page and ">false green</span>" in page
    assert "src=" not in page and 'href="http' not in page, "it loads nothing"
    row = re.search(r"<th scope=\"row\">two</th>(.*?)</tr>", page, re.S)
    assert row is not None and row[1].count("<td ") == 2 and "–" in row[1]
    assert re.search(r'scope="row">Resolved</th><td[^>]*>1 of 5</td><td[^>]*>1 of 1</td>', page)
