"""From what happens in a cluster to the log of the run: the dispatcher over the stand-in of the API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.launchers.dispatcher import Dispatcher
from bot.launchers.kubernetes.launcher import KubernetesLauncher
from bot.launchers.kubernetes.values import JobValues
from bot.log.events import Controlled, PhaseDelayed, PhaseFinished
from bot.runs.driver import Driver
from bot.storage.store import Store
from tests.standins.kubernetes_api import KubernetesApi
from tests.standins.kubernetes_cluster import Cluster
from tests.support.launches import prepared
from tests.support.stores import Clock


@pytest.fixture
def clock(sqlite_store: Store) -> Clock:
    clock = Clock()
    sqlite_store.clock = clock
    return clock


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with Cluster() as cluster, KubernetesApi(cluster, tmp_path) as api:
        cluster.unschedulable = True  # no process is needed here
        yield api


def dispatcher(store: Store, api: KubernetesApi, **values: object) -> Dispatcher:
    driver = Driver(store, {}, worker="d", lease_seconds=30, changed=lambda _run, _following: None)
    launcher = KubernetesLauncher(JobValues.model_validate({**api.values, **values}))
    return Dispatcher(store, launcher, driver, holder="d", lease_seconds=30, leave_seconds=0)


def codes(store: Store, run_id: str) -> list[str]:
    events = [entry.event for entry in store.entries(run_id)]
    return [each.code for each in events if isinstance(each, PhaseDelayed | PhaseFinished) and each.code]


def test_an_image_that_is_missing_delays_the_run_until_it_is_there(
    sqlite_store: Store, clock: Clock, api: KubernetesApi
) -> None:
    run_id = prepared(sqlite_store)
    subject = dispatcher(sqlite_store, api)
    api.cluster.unschedulable, api.cluster.broken_image = False, True
    subject.once()
    subject.once()
    assert codes(sqlite_store, run_id) == ["SCN-6206"] and api.cluster.jobs == {}
    api.cluster.unschedulable = True
    subject.once()
    assert api.cluster.jobs == {}, "it is not due yet"
    clock.now += 60
    subject.once()
    subject.once()
    assert [name[-2:] for name in api.cluster.jobs] == ["-2"]
    assert codes(sqlite_store, run_id) == ["SCN-6206"] and api.violations == []


def test_a_deadline_ends_the_run_with_its_code(sqlite_store: Store, clock: Clock, api: KubernetesApi) -> None:
    run_id = prepared(sqlite_store)
    subject = dispatcher(sqlite_store, api)
    subject.once()
    (job,) = api.cluster.jobs
    held = sqlite_store.claim(run_id, ["specify"], 30, job, fence=1)
    assert held is not None
    api.cluster.expire(job)
    subject.once()
    assert codes(sqlite_store, run_id) == ["SCN-6205"]
    assert sqlite_store.status(run_id) == ("active", "conclude")
    assert not sqlite_store.is_current(held), "a pod that still works can store nothing"
    subject.once()
    assert codes(sqlite_store, run_id) == ["SCN-6205"], "the Job is still there, and is recorded once"


def test_a_missing_secret_is_said(sqlite_store: Store, clock: Clock, api: KubernetesApi) -> None:
    run_id = prepared(sqlite_store)
    api.cluster.unschedulable = False
    secret = {"SCENARIST_DATABASE_URL": {"name": "database", "key": "url"}}
    subject = dispatcher(sqlite_store, api, secrets=secret)
    subject.once()
    subject.once()
    (delayed,) = [e.event for e in sqlite_store.entries(run_id) if isinstance(e.event, PhaseDelayed)]
    assert delayed.code == "SCN-6208" and 'secret "database" not found' in delayed.reason


def test_a_quota_lets_runs_wait(sqlite_store: Store, clock: Clock, api: KubernetesApi) -> None:
    run_id = prepared(sqlite_store)
    api.quota = True
    subject = dispatcher(sqlite_store, api)
    subject.once()
    subject.once()
    assert codes(sqlite_store, run_id) == [] and api.cluster.made == []
    api.quota = False
    subject.once()
    assert len(api.cluster.made) == 1


def test_a_pod_that_no_node_takes_is_given_up_in_time(
    sqlite_store: Store, clock: Clock, api: KubernetesApi
) -> None:
    run_id = prepared(sqlite_store)
    subject = dispatcher(sqlite_store, api)
    subject.once()
    subject.once()
    assert codes(sqlite_store, run_id) == []
    (job,) = api.cluster.jobs.values()
    job["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    subject.once()
    assert codes(sqlite_store, run_id) == ["SCN-6208"] and api.cluster.jobs == {}


def test_a_cancelled_run_has_its_job_deleted(sqlite_store: Store, clock: Clock, api: KubernetesApi) -> None:
    run_id = prepared(sqlite_store)
    subject = dispatcher(sqlite_store, api)
    subject.once()
    assert len(api.cluster.jobs) == len(api.cluster.pods) == 1
    sqlite_store.control(run_id, Controlled(control="cancel", by="ada"))
    subject.once()
    assert api.cluster.jobs == api.cluster.pods == {}
