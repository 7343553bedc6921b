"""Health checks of a process: the database, the broker, waiting work, the models' servers and the disk.

`/readyz`, `scenarist doctor` and the workers' health port show the same checks.
"""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from bot.config.models import model_servers
from bot.config.settings import Settings
from bot.config.urls import redis_url
from bot.storage.gauges import measure, silent_runs
from bot.tls import trusted
from gherkin.errors import ScenaristError

HealthState = Literal["ok", "warning", "failed"]
_LOW_GB = 5.0
_FULL_GB = 1.0
# A check that takes longer counts as failed; the answer to `/readyz` does not wait for it.
_PATIENCE_S = 3.0
_REQUEST_S = 2.0


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: what was found, and how to correct it if it is a problem."""

    name: str
    state: HealthState
    said: str
    todo: str = ""


class _CachedCheck:
    """One check with its newest result, which is used again for `keep_s` seconds.

    Only one thread looks at a time, however many ask, so a server that hangs costs one thread.
    """

    def __init__(self, name: str, look: Callable[[], CheckResult], keep_s: float) -> None:
        self._name = name
        self._look = look
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ended.set()
        self._result: CheckResult | None = None
        self._at = 0.0

    def begin(self) -> None:
        """Check again in a separate thread, unless the result is new or a check is running already."""
        with self._lock:
            known = self._result is not None and time.monotonic() - self._at < self._keep_s
            if known or not self._ended.is_set():
                return
            self._ended.clear()
        threading.Thread(target=self._run, name=f"check-{self._name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._result = self._look()
        except ScenaristError as error:
            said = f"{error.code}: {error.message}"
            self._result = CheckResult(self._name, "failed", said, error.next_step)
        except Exception as error:
            self._result = CheckResult(self._name, "failed", f"The check failed ({type(error).__name__}).")
        finally:
            self._at = time.monotonic()
            self._ended.set()

    def result(self, until: float) -> CheckResult:
        """Return the newest result; wait for it until the moment `until` of the monotonic clock."""
        if not self._ended.wait(max(0.0, until - time.monotonic())) or self._result is None:
            return CheckResult(self._name, "failed", f"There was no answer within {_PATIENCE_S:.0f} s.")
        return self._result


class Health:
    """The checks of one process. `queues` are those of a worker; the web app has none.

    `vital` are the checks without which the process cannot do its part. The others only warn: the web app
    still takes deliveries while the broker or a model is away.
    """

    def __init__(self, settings: Settings, engine: sa.Engine, queues: Sequence[str] = ()) -> None:
        self.vital = {"database", "disk"} | ({"broker"} if queues else set())
        looks: dict[str, tuple[Callable[[], CheckResult], float]] = {
            "database": (lambda: database_answers(engine), 1.0),
            "broker": (lambda: broker_answers(settings.broker_url), 1.0),
            "queue": (lambda: queue_moves(engine, settings), 5.0),
            "runs": (lambda: runs_progress(engine, settings), 5.0),
            "disk": (lambda: disk_has_room(settings.state_dir), 5.0),
        }
        if "runs" in queues or knows_models(settings):
            own_keys = "runs" in queues
            looks["models"] = (lambda: models_answer(settings, with_keys=own_keys), 30.0)
        if "runs" in queues:
            self.vital.add("models")
        self._checks = {name: _CachedCheck(name, look, keep_s) for name, (look, keep_s) in looks.items()}

    def look(self) -> list[CheckResult]:
        """Do all checks at the same time; returns within about three seconds."""
        for check in self._checks.values():
            check.begin()
        until = time.monotonic() + _PATIENCE_S
        return [check.result(until) for check in self._checks.values()]

    def report(self, *, strict: bool = False) -> tuple[int, dict[str, object]]:
        """Return the HTTP status and the JSON of `/readyz`.

        The status is 503 if a vital check failed; with `strict` also if any check is not well.
        """
        found = self.look()
        bad = [
            each.name
            for each in found
            if each.state != "ok" and (strict or (each.state == "failed" and each.name in self.vital))
        ]
        warned = any(each.state != "ok" for each in found)
        body: dict[str, object] = {
            "status": "failed" if bad else "warning" if warned else "ok",
            "failed": bad,
            "checks": {each.name: {"state": each.state, "said": each.said} for each in found},
        }
        return (503 if bad else 200), body


def database_answers(engine: sa.Engine) -> CheckResult:
    """Check that the database answers a query."""
    try:
        with engine.connect() as db:
            db.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        said = f"It does not answer ({type(error).__name__})."
        return CheckResult("database", "failed", said, "Start it, or correct SCENARIST_DATABASE_URL.")
    return CheckResult("database", "ok", "It answers.")


def broker_answers(url: str) -> CheckResult:
    """Check that the Redis of Celery's URL `url` answers."""
    problem = ping(redis_url(url))
    if problem is not None:
        todo = "Start Redis, or correct SCENARIST_BROKER_URL. `scenarist up` starts a Redis of its own."
        return CheckResult("broker", "failed", f"Redis does not answer ({problem}).", todo)
    return CheckResult("broker", "ok", "Redis answers.")


def ping(url: str) -> str | None:
    """Return None if a Redis answers at `url`, or else the kind of error."""
    import redis

    try:
        with redis.Redis.from_url(
            url, socket_timeout=_REQUEST_S, socket_connect_timeout=_REQUEST_S
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        return type(error).__name__
    return None


def queue_moves(engine: sa.Engine, settings: Settings) -> CheckResult:
    """Check that no delivery and no run has waited for a worker longer than `SCENARIST_QUEUE_SECONDS`."""
    try:
        found = measure(engine, time.time())
    except sa.exc.SQLAlchemyError as error:
        return CheckResult("queue", "failed", f"It cannot be read ({type(error).__name__}).")
    waits = max(found.oldest_due.values(), default=0.0)
    late = {phase: age for phase, age in found.oldest_due.items() if age > settings.queue_seconds}
    if found.oldest_delivery > settings.queue_seconds:
        said = f"A delivery has waited for {found.oldest_delivery:,.0f} s."
        return CheckResult("queue", "failed", said, "Start a worker of the queue `intake`.")
    if late:
        phase, age = max(late.items(), key=lambda each: each[1])
        said = f"A run has waited for a worker of its {phase} phase for {age:,.0f} s."
        return CheckResult(
            "queue", "failed", said, "Start more workers, and look at the logs of those there."
        )
    said = f"The oldest run has waited for {waits:,.0f} s." if waits else "No run waits for a worker."
    return CheckResult("queue", "ok", said)


def runs_progress(engine: sa.Engine, settings: Settings) -> CheckResult:
    """Check that every run that a worker holds has logged something within `SCENARIST_STUCK_SECONDS`."""
    try:
        stuck = silent_runs(engine, time.time(), settings.stuck_seconds)
    except sa.exc.SQLAlchemyError as error:
        return CheckResult("runs", "failed", f"They cannot be read ({type(error).__name__}).")
    if stuck:
        # The ids are not in `said`, which anybody can read: they lead to the pages of runs.
        names = ", ".join(f"{each.id} in {each.phase} at {each.holder}" for each in stuck[:5])
        said = f"{len(stuck)} runs make no progress."
        todo = f"Other workers take them over. Read the logs of the workers that hold them: {names}."
        return CheckResult("runs", "failed", said, todo)
    return CheckResult("runs", "ok", "Every run that is worked on makes progress.")


def disk_has_room(folder: Path) -> CheckResult:
    """Check that the disk of the state folder, which need not exist yet, has room."""
    free = free_bytes(folder) / 1e9
    said = f"{free:,.0f} GB are free at {folder}."
    todo = "Make room, for example with `scenarist gc`: mirrors, environments and artifacts lie there."
    if free < _LOW_GB:
        return CheckResult("disk", "failed" if free < _FULL_GB else "warning", said, todo)
    return CheckResult("disk", "ok", said)


def free_bytes(folder: Path) -> int:
    """Return the free bytes on the disk of `folder`, or of the nearest folder above it that exists."""
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def knows_models(settings: Settings) -> bool:
    """Return whether this process was told where the models are; a web app of its own need not be."""
    return not {"model_url", "models_file", "runtime"}.isdisjoint(settings.model_fields_set)


def models_answer(settings: Settings, *, with_keys: bool) -> CheckResult:
    """Check that the server of every model answers a request for its list of models.

    Without keys (`with_keys`), a server that asks for one counts as reachable.
    """
    import httpx

    silent = []
    servers = model_servers(settings, with_keys=with_keys)
    for server in servers:
        try:
            answer = httpx.get(server.url, headers=server.headers, timeout=_REQUEST_S, verify=trusted())
            status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            silent.append(f"{server.runtime} does not answer ({type(error).__name__})")
            continue
        if status >= 500 or (server.headers and status in (401, 403)):
            silent.append(f"{server.runtime} answers {status}")
    if silent:
        todo = "Start the model's server, or correct SCENARIST_MODEL_URL or the models file."
        return CheckResult("models", "failed", f"{'; '.join(silent)}.", todo)
    return CheckResult("models", "ok", f"{len(servers)} servers answer." if servers else "None is needed.")
