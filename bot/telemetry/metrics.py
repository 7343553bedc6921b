"""The metrics: every counter, histogram and gauge, with its name, its labels and what it counts.

The values of all labels are bounded: they are words of this program, names that the operator chose, or one
of the first `_MOST` that came. prometheus-client decides at its import whether processes share their numbers
(`PROMETHEUS_MULTIPROC_DIR`), so this module is imported only where metrics are on.

Names: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from bot.log.events import Phase
from runners.counted import Counted

# Shared counts have no times of creation, so no process shows them.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
_MOST = 50
OTHER = "other"

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1200, 3600, 7200)


def _counter(name: str, said: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, said, labels, namespace="scenarist", registry=REGISTRY)


def _histogram(name: str, said: str, labels: Sequence[str]) -> Histogram:
    return Histogram(name, said, labels, namespace="scenarist", registry=REGISTRY, buckets=_SECONDS)


deliveries = _counter("deliveries", "Webhook deliveries by what the web app did.", ("forge", "outcome"))
runs_requested = _counter("runs_requested", "Runs that were requested.", ("kind", "forge", "repository"))
runs_ended = _counter("runs_ended", "Runs that ended.", ("status", "kind", "forge", "repository"))
phases_ended = _counter("phases_ended", "Phases that ended.", ("phase", "outcome", "kind"))
phase_failures = _counter("phase_failures", "Phases that failed, by error code.", ("phase", "code"))
phase_delays = _counter("phase_delays", "Temporary errors, by error code.", ("phase", "code"))
model_errors = _counter("model_errors", "Errors of models that failed or delayed a phase.", ("code",))
phase_seconds = _histogram("phase_seconds", "Duration of a phase that ended.", ("phase",))
turn_seconds = _histogram("turn_seconds", "Duration of a turn: the reply and its tool calls.", ("role",))
reply_seconds = _histogram("model_reply_seconds", "Duration of a request to a model.", ("role", "model"))
tool_seconds = _histogram("tool_call_seconds", "Duration of a tool call.", ("tool",))
tool_calls = _counter("tool_calls", "Tool calls of models.", ("tool", "outcome"))
tokens = _counter("tokens", "Tokens.", ("type", "role", "model", "repository"))
cost = _counter("cost_dollars", "Cost of replies in US dollars.", ("role", "model", "repository"))
rescued = _counter("rescued_replies", "Replies whose calls were found in the text.", ("format", "model"))
verdicts = _counter("verdicts", "Verdicts.", ("status",))
problems = _counter("verdict_problems", "Problems in verdicts, by code.", ("code",))
_stopped = _counter("commands_stopped", "Commands that the sandbox stopped.", ("reason",))
_environments = _counter("environment_lookups", "Environments: kept ones and new ones.", ("result",))
_leases = _counter("leases_lost", "Leases that a worker lost to another one or to a person.")
_handed_over = _counter("runs_handed_over", "Runs that were taken from a worker that made no progress.")
_requests_left = Gauge(
    "forge_requests_left",
    "Requests that the forge's rate limit allowed when it answered last.",
    ("forge",),
    namespace="scenarist",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)

_COUNTERS = {
    "command stopped": _stopped,
    "environment looked up": _environments,
    "lease lost": _leases,
    "run handed over": _handed_over,
}


def counted(what: Counted, label: str, value: float) -> None:
    """Take what `runners.counted` tells."""
    if what == "forge requests left":
        _requests_left.labels(label).set(value)
    elif label:
        _COUNTERS[what].labels(label).inc(value)
    else:
        _COUNTERS[what].inc(value)


class Bounded:
    """The first fifty values of a label; all that come later are `other`."""

    def __init__(self, known: Sequence[str] = (), most: int = _MOST) -> None:
        self._known = set(known)
        self._most = most

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


def start_at_zero() -> None:
    """Create the counters whose labels are known, so that alerts see their first increase."""
    for phase in get_args(Phase):
        for outcome in ("done", "gave_up", "failed"):
            phases_ended.labels(phase, outcome, "implement")
    for status in ("green", "warning", "red"):
        verdicts.labels(status)
    for reason in ("timed out", "disk full", "memory full"):
        _stopped.labels(reason)
    for result in ("hit", "miss"):
        _environments.labels(result)
