"""What runs have used and may use: by repository and installation, at once and in a day."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.log.events import RunRequested
from bot.storage.leases import RunClaim
from bot.storage.store import Store
from bot.storage.usage import AllowanceUsed, Used, check_day, usage, usage_by_repository
from runners.contract.events import ModelReplied, ToolCalled
from runners.contract.operator_limits import Allowance, Allowances
from runners.contract.workorder import WorkOrder
from runners.models.chat import Reply, TokenUsage, ToolCall
from tests.support.stores import Clock

ORDER = WorkOrder(kind="implement", number=1, title="t", body="", requested_by="ada", requested_at="")


def _request(key: str, repo: str = "o/r", installation: int = 0) -> RunRequested:
    return RunRequested(
        forge="github", repo=repo, installation=installation, order=ORDER, order_sha256="", key=key
    )


def _run(store: Store, key: str, repo: str = "o/r", installation: int = 0) -> tuple[str, RunClaim]:
    run = store.request_run(_request(key, repo, installation), target=key, exclusive=False)
    assert run is not None
    claim = store.claim(run, ["prepare"], 30)
    assert claim is not None
    return run, claim


def _reply(cost: float = 0.5) -> ModelReplied:
    reply = Reply(text="x", usage=TokenUsage(prompt_tokens=900, completion_tokens=100))
    return ModelReplied(phase="implement", reply=reply, seconds=30, cost=cost)


CALL = ToolCalled(call=ToolCall(id="1", name="x", arguments="{}"), ok=True, text="", seconds=30)


def test_what_is_used_is_summed_by_repository(store: Store, clock: Clock) -> None:
    _, first = _run(store, "a")
    store.log(first, [_reply(), CALL])
    store.log(first, [_reply()])
    _, other = _run(store, "b", "o/other")
    store.finish_phase(other, [_reply(2.0)], {}, phase="conclude", status="done")
    assert usage_by_repository(store.engine, clock.now - 1) == [
        ("github", "o/other", Used(runs=1, done=1, tokens=1000, cost=2.0, minutes=0.5)),
        ("github", "o/r", Used(runs=1, done=0, tokens=2000, cost=1.0, minutes=1.5)),
    ]
    assert usage(store.engine, clock.now - 1).cost == 3.0
    assert usage(store.engine, clock.now + 1) == Used()


@pytest.mark.parametrize(
    ("allowances", "repo", "installation", "words"),
    [
        (Allowances(repository=Allowance(runs_a_day=1)), "o/r", 7, "repository o/r has used its 1 runs"),
        (Allowances(repository=Allowance(runs_a_day=2)), "o/r", 7, ""),
        (Allowances(repository=Allowance(tokens_a_day=1000)), "o/r", 7, "its 1,000 tokens"),
        (Allowances(repository=Allowance(cost_a_day=0.5)), "o/other", 7, ""),
        (
            Allowances(installation=Allowance(cost_a_day=0.5)),
            "o/other",
            7,
            "this installation has used its 0.5 US",
        ),
        (Allowances(installation=Allowance(cost_a_day=0.5)), "o/other", 8, ""),
        (Allowances(total=Allowance(minutes_a_day=0.5)), "o/other", 8, "this bot has used its 0.5 minutes"),
        (Allowances(), "o/r", 7, ""),
    ],
)
def test_a_days_allowance(
    store: Store, clock: Clock, allowances: Allowances, repo: str, installation: int, words: str
) -> None:
    _, first = _run(store, "a", installation=7)
    store.log(first, [_reply()])
    run, _ = _run(store, "b", repo, installation)
    request = _request("b", repo, installation)
    clock.now += 3600
    if words:
        with pytest.raises(AllowanceUsed, match=words):
            check_day(store.engine, allowances, request, run, clock.now)
    else:
        check_day(store.engine, allowances, request, run, clock.now)
    check_day(store.engine, allowances, request, run, clock.now + 24 * 3600)


@pytest.mark.parametrize(
    ("allowances", "together"),
    [
        (Allowances(repository=Allowance(runs_at_once=1)), {"a", "other"}),
        (Allowances(repository=Allowance(runs_at_once=2)), {"a", "b", "other"}),
        (Allowances(installation=Allowance(runs_at_once=1)), {"a", "other"}),
        (Allowances(total=Allowance(runs_at_once=1)), {"a"}),
        (Allowances(), {"a", "b", "c", "other"}),
    ],
)
def test_runs_at_once(store: Store, clock: Clock, allowances: Allowances, together: set[str]) -> None:
    store.allowances = allowances
    runs = {}
    for key, repo, installation in (
        ("a", "o/r", 7),
        ("b", "o/r", 7),
        ("c", "o/r", 7),
        ("other", "o/other", 8),
    ):
        runs[key], claim = _run(store, key, repo, installation)
        store.finish_phase(claim, [], {}, phase="specify")
    claims = {key: store.claim(run, ["specify"], 30) for key, run in runs.items()}
    assert {key for key, claim in claims.items() if claim} == together
    first = claims["a"]
    assert first is not None
    store.finish_phase(first, [], {}, phase="publish")
    later = {key for key, run in runs.items() if store.claim(run, ["specify"], 30)}
    assert len(later) == (0 if len(together) == 4 else 1), "what waited is next"
    assert store.claim(runs["a"], ["publish"], 30), "publishing waits for nobody's model"


def test_claims_at_the_same_moment_overshoot_nothing(store: Store, clock: Clock) -> None:
    store.allowances = Allowances(total=Allowance(runs_at_once=1))
    waiting = []
    for number in range(4):
        run, claim = _run(store, f"r{number}", f"o/r{number}", number)
        store.finish_phase(claim, [], {}, phase="specify")
        waiting.append(run)
    with ThreadPoolExecutor(len(waiting)) as pool:
        for _ in range(25):
            gate = threading.Barrier(len(waiting))

            def claim_it(run: str, gate: threading.Barrier = gate) -> RunClaim | None:
                gate.wait()
                return store.claim(run, ["specify"], 30)

            got = [claim for claim in pool.map(claim_it, waiting) if claim]
            assert len(got) == 1
            assert store.release(got[0])
