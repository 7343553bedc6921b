"""Measure turns of our own loop, with the sandbox and an SQLite log: own_turns.py URL TURNS FOLDER."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bot.log.events import RunRequested
from bot.storage.database import connect, migrate
from bot.storage.store import Store
from runners.contract.budget import Budget, Spent
from runners.contract.events import ModelReplied, RunnerEvent
from runners.contract.workorder import WorkOrder
from runners.loop.agent import Agent
from runners.models.chat import Message
from runners.models.roster import Engine
from runners.models.vllm import VllmModel
from runners.sandbox.bubblewrap import Sandbox
from runners.tools.base import ToolContext, ToolResult
from tests.support.tool_context import caller, tree_git


def main() -> None:
    url, turns, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    work = folder / "work"
    work.mkdir()
    store = Store(connect(f"sqlite:///{folder / 'bench.db'}"))
    migrate(store.engine)
    order = WorkOrder(kind="implement", number=1, title="t", body="b", requested_by="ada", requested_at="")
    request = RunRequested(forge="local", repo="octo/bench", order=order, order_sha256=order.digest, key="1")
    run = store.request_run(request, target="t", exclusive=True)
    assert run is not None
    claim = store.claim(run, ["prepare"], 600)
    assert claim is not None
    stamps: list[float] = []

    def log(events: Sequence[RunnerEvent]) -> None:
        store.log(claim, events)
        if isinstance(events[0], ModelReplied):
            stamps.append(time.perf_counter())

    context = ToolContext(
        root=work,
        sandbox=Sandbox(work),
        git=tree_git(work, folder / "repo.git"),
        run_tests=lambda path: ToolResult(ok=True, text="1 passed"),
    )
    agent = Agent(Engine("local", VllmModel(url, "instant")), caller(context), log, Budget(turns=turns))
    head = [Message(role="system", text="You are an engineer."), Message(role="user", text="Do it.")]
    agent.run(head, Spent())
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": statistics.median(gaps) * 1000, "mb": memory, "turns": len(stamps)}))


main()
