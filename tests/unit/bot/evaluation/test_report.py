"""What a report counts."""

import pytest

from bot.evaluation.attempts import About, RoleUse
from bot.evaluation.report import passes, report
from tests.support.evaluation import FAILS, PASSES, PROVEN, RED, attempt

ABOUT = About(set_name="s", models="m", seeds=1, mode="solo", tasks={"one": "1"})


def test_pass_k_is_the_chance_that_k_attempts_are_all_right() -> None:
    right, wrong = {**PROVEN, "hidden": PASSES}, {**PROVEN, "hidden": FAILS}
    found = passes(
        [attempt("one", seed, **right) for seed in (1, 2, 3)]
        + [attempt("two", seed, **(right if seed < 3 else wrong)) for seed in (1, 2, 3)]
    )
    assert found == pytest.approx({1: (1 + 2 / 3) / 2, 2: (1 + 1 / 3) / 2, 3: 1 / 2})
    assert passes([]) == {}


def test_failed_infrastructure_is_in_no_other_count() -> None:
    use = RoleUse(role="driver", model="qwen", turns=2, tokens=100, cost=0.5)
    found = report(
        ABOUT,
        [
            attempt("one", **PROVEN, hidden=PASSES, tokens=100, cost=0.5, uses=(use,)),
            attempt("two", **PROVEN, hidden=FAILS, tokens=100, cost=0.5, uses=(use,)),
            attempt("three", **RED, hidden=PASSES),
            attempt("four", impossible=True, status="needs_info", refused="ask"),
            attempt("five", infra="SCN-4001 The server is down."),
        ],
    )
    total = found.total
    assert (total.attempts, total.infra, total.possible, total.impossible) == (4, 1, 3, 1)
    assert (total.resolved, total.green, total.false_green, total.false_red) == (1, 2, 1, 1)
    assert (total.refused, total.tokens, total.cost) == (1, 200, 1.0)
    assert found.by_role == (use.model_copy(update={"turns": 4, "tokens": 200, "cost": 1.0}),)
    assert [each.name for each in found.by_kind] == ["bug", "cannot be done"]
    assert found.tasks["two"] == ("false green",) and list(found.infra) == ["five (1)"]
