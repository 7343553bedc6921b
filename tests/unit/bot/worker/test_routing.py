"""The model of a role with `routing: measured` is chosen once in a run, from the store, and logged."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from bot.log.events import PullEnded
from bot.runs.claimed_run import ClaimedRun
from bot.storage.store import Store
from bot.worker.untrusted import routed
from runners.contract.events import ModelRouted, RunnerEvent
from runners.models.roster import Roster
from runners.models.runtimes import ModelsConfig
from tests.support import logs
from tests.support.run_logs import append, stored_run

_CONFIG = ModelsConfig.model_validate(
    {
        "runtimes": {
            "small": {"provider": "vllm", "url": "http://small/v1"},
            "large": {"provider": "vllm", "url": "http://large/v1"},
        },
        "agents": {
            "analyst": {"runtime": "large"},
            "driver": {
                "runtime": "small",
                "routing": "measured",
                "among": ["large"],
                "least_runs": 1,
                "escalate": ["large"],
            },
        },
    }
)
_ROSTER = Roster(_CONFIG, "local", {}, Path("/nowhere"))


def ended(store: Store, key: str, state: str, runtime: str) -> str:
    """A run with this driver that ended so."""
    *before, last = logs.STATES[state]
    return stored_run(
        store, [*before, ModelRouted(role="driver", runtime=runtime, reason="so"), last], key=key
    )


def begun(store: Store, events: list[RunnerEvent]) -> tuple[Roster, list[RunnerEvent]]:
    """Begin the implement phase of a run with these events; returns its roster and what was logged."""
    logged: list[RunnerEvent] = []
    claimed = cast(ClaimedRun, SimpleNamespace(log=logged.extend))
    roster, after = routed(_ROSTER, "implement", "R", store, claimed, events)
    assert list(after) == [*events, *logged]
    return roster, logged


def test_the_store_says_which_model_drives(store: Store) -> None:
    roster, [first] = begun(store, [logs.SPEC])
    assert isinstance(first, ModelRouted) and (first.role, first.runtime) == ("driver", "small")
    ended(store, "1", "gave up", "small")
    proven = ended(store, "2", "published", "large")
    roster, [chosen] = begun(store, [logs.SPEC])
    assert isinstance(chosen, ModelRouted) and chosen.runtime == "large"
    assert "large has 67% expected success after 1 runs" in chosen.reason
    assert roster.levels("driver") == ("large",), "nobody takes over from itself"
    assert roster.candidate(2) == ("small",), "the others of the list make further candidates"
    assert roster.agent("analyst").runtime == "large", "other roles stay as they are listed"

    append(store, proven, PullEnded(pull=13, became="closed"))
    _, [other] = begun(store, [logs.SPEC])
    assert isinstance(other, ModelRouted) and other.runtime == "small", "people did not want that work"
    roster, nothing = begun(store, [logs.SPEC, chosen])
    assert not nothing and roster.levels("driver") == ("large",), "a run keeps its choice"
