"""`routing: measured`: which of the listed models has a role, by what runs came to."""

import pytest
from pydantic import ValidationError

from runners.contract.routing import ModelUse, RunResult, choose
from runners.models.runtimes import AgentSpec, ModelsConfig, RuntimeSpec

RUNTIMES = {
    "small": RuntimeSpec(provider="vllm", model="qwen"),
    "large": RuntimeSpec(provider="anthropic", model="claude"),
}


def chosen(results: list[RunResult], kind: str = "feature", **more: object) -> tuple[str, str]:
    given = {"runtime": "small", "among": ("large",), "routing": "measured", "least_runs": 2, **more}
    return choose("driver", AgentSpec.model_validate(given), RUNTIMES, kind, results)


def runs(runtime: str, good: int, bad: int, cost: float = 0.0, **more: object) -> list[RunResult]:
    uses = (ModelUse(work="implement", model="m", turns=3, tokens=int(more.pop("tokens", 100)), cost=cost),)
    made = {"kind": "feature", "routed": {"driver": runtime}, "uses": uses, **more}
    return [
        RunResult.model_validate({**made, "success": success}) for success in (*[True] * good, *[False] * bad)
    ]


def test_each_one_is_tried_before_results_count() -> None:
    assert chosen([])[0] == "small", "the first of equals"
    assert chosen(runs("small", 1, 0))[0] == "large", "the one with the fewest runs"
    assert (
        "tried in 1 runs, and each is tried in 2" in chosen([*runs("small", 2, 0), *runs("large", 0, 1)])[1]
    )
    # Runs that are open count as tries, so that many at once are spread over all.
    open_ones = runs("small", 2, 0, success=None)
    assert chosen([each.model_copy(update={"success": None}) for each in open_ones])[0] == "large"


def test_the_most_expected_success_for_the_money_is_chosen() -> None:
    small, large = runs("small", 2, 2, cost=0.1), runs("large", 4, 0, cost=1.0)
    runtime, reason = chosen([*small, *large])
    assert runtime == "small"
    assert reason == (
        "small has 50% expected success after 4 runs at 0.1000 US dollars each; "
        "large has 83% expected success after 4 runs at 1.0000 US dollars each"
    )
    assert chosen([*runs("small", 0, 4, cost=0.1), *large])[0] == "large", "hardly ever right, but cheap"
    assert chosen([*runs("small", 4, 0, cost=0.9), *runs("large", 4, 0, cost=0.8)])[0] == "large"


def test_without_prices_success_decides_and_then_tokens() -> None:
    assert chosen([*runs("small", 1, 3), *runs("large", 3, 1, tokens=900)])[0] == "large"
    assert chosen([*runs("small", 3, 1, tokens=900), *runs("large", 3, 1)])[0] == "large"


def test_the_operators_cost_bounds_the_choice() -> None:
    both = [*runs("small", 1, 3, cost=0.1), *runs("large", 4, 0, cost=0.2)]
    assert chosen(both, most_cost=0.2)[0] == "large"
    assert chosen(both, most_cost=0.15)[0] == "small"
    assert chosen(both, most_cost=0.05) == ("small", "all cost more than 0.05 US dollars a run")


def test_runs_of_the_same_kind_count_alone_where_there_are_enough() -> None:
    bugs = [*runs("small", 2, 0, kind="bug"), *runs("large", 0, 2, kind="bug")]
    features = [*runs("small", 0, 4), *runs("large", 4, 0)]
    assert chosen([*bugs, *features], "feature")[0] == "large"
    assert chosen([*bugs, *features], "bug")[0] == "small"
    assert chosen([*bugs, *features], "chore")[0] == "large", "none of this kind: all count"


def test_runs_from_before_count_for_the_model_that_did_most() -> None:
    uses = [
        ModelUse(work="implement", model="qwen", turns=2, tokens=9, cost=0.0),
        ModelUse(work="implement", model="claude", turns=8, tokens=9, cost=0.0),
        ModelUse(work="specify", model="qwen", turns=9, tokens=9, cost=0.0),
    ]
    before = [RunResult(kind="feature", success=True, uses=tuple(uses))] * 2
    assert chosen(before)[0] == "small", "they were the large one's"
    assert chosen([*before, *runs("small", 0, 2)])[0] == "large"


def test_the_choice_follows_from_the_results_alone() -> None:
    both = [*runs("small", 3, 1, cost=0.2), *runs("large", 3, 1, cost=0.2)]
    assert chosen(both) == chosen(both[::-1]) == chosen(both)
    assert chosen(both)[0] == "small", "of equals the first that is listed"


def test_routing_needs_runtimes_to_choose_from() -> None:
    models = {"runtimes": RUNTIMES, "agents": {"driver": {"runtime": "small", "routing": "measured"}}}
    with pytest.raises(ValidationError, match="needs both `routing: measured` and `among`"):
        ModelsConfig.model_validate(models)
