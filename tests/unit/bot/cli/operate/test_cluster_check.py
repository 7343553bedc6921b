"""`scenarist doctor` and `scenarist dispatch` on a machine that launches runs in Kubernetes."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot.cli.app import app
from bot.cli.operate.cluster import check_cluster
from bot.cli.operate.doctor import examine
from bot.config.settings import Settings
from bot.launchers.registry.launchers import NothingToDispatch
from bot.storage.database import connect, migrate
from bot.worker.machine import environment
from bot.worker.processes import scenarist
from tests.standins.kubernetes_api import RIGHTS, KubernetesApi
from tests.standins.kubernetes_cluster import Cluster
from tests.support.waiting import wait_until


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubernetesApi]:
    with Cluster() as cluster, KubernetesApi(cluster, tmp_path) as api:
        yield api


def settings(api: KubernetesApi, folder: Path, **values: object) -> Settings:
    file = folder / "kubernetes.yaml"
    file.write_text(yaml.safe_dump({**api.values, **values}))
    return Settings.model_validate(
        {"state_dir": folder / "state", "runner": "kubernetes", "kubernetes_file": file}
    )


def test_a_cluster_that_takes_jobs_is_well(api: KubernetesApi, tmp_path: Path) -> None:
    found = check_cluster(settings(api, tmp_path))
    assert (found.state, found.said) == ("ok", f"{api.root} accepts Jobs in the namespace default.")
    assert api.cluster.made == [] and api.violations == [], "a Job is only tried"


def test_missing_rights_are_named(api: KubernetesApi, tmp_path: Path) -> None:
    api.rights = RIGHTS - {("batch", "jobs", "delete"), ("", "pods", "list")}
    found = check_cluster(settings(api, tmp_path))
    assert found.state == "failed"
    assert "delete jobs" in found.said and "list pods" in found.said and "create" not in found.said


def test_a_job_that_the_server_refuses_is_found_before_a_run_needs_it(
    api: KubernetesApi, tmp_path: Path
) -> None:
    found = check_cluster(settings(api, tmp_path, labels={"team": "not a label!"}))
    assert found.state == "failed" and "metadata.labels" in found.said
    assert check_cluster(settings(api, tmp_path, labels={"team": "a-label"})).state == "ok"


def test_jobs_beside_the_dispatchers_own_secrets_are_a_warning(
    api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tmp_path / "account"
    account.mkdir()
    monkeypatch.setattr("bot.launchers.kubernetes.api.ACCOUNT", account)
    (account / "namespace").write_text("default")
    for values in ({}, {"namespace": ""}):
        found = check_cluster(settings(api, tmp_path, **values))
        assert found.state == "warning" and "dispatcher's own" in found.said
    (account / "namespace").write_text("bot")
    assert check_cluster(settings(api, tmp_path)).state == "ok"


def test_a_bare_pod_is_a_warning(api: KubernetesApi, tmp_path: Path) -> None:
    assert check_cluster(settings(api, tmp_path, sandbox="pod")).state == "warning"


def test_doctor_looks_at_the_cluster_where_runs_are_done_there(api: KubernetesApi, tmp_path: Path) -> None:
    made = settings(api, tmp_path)
    api.away = True
    found = {each.name: each for each in examine(made, ["intake"])}
    assert found["Kubernetes"].state == "failed" and "SCN-6201" in found["Kubernetes"].said
    celery = made.model_copy(update={"runner": "celery"})
    assert "Kubernetes" not in {each.name for each in examine(celery, ["intake"])}
    elsewhere = made.model_copy(update={"kubernetes_file": None})
    assert check_cluster(elsewhere).state == "warning"


def test_a_dispatcher_that_is_told_to_stop_leaves_in_order(api: KubernetesApi, tmp_path: Path) -> None:
    made = settings(api, tmp_path)
    made.state_dir.mkdir()
    engine = connect(made.database)
    migrate(engine)
    engine.dispose()
    env = {**os.environ, **environment(made, "redis://127.0.0.1:1/0")}
    with subprocess.Popen(scenarist("dispatch"), env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Dispatching runs: kubernetes.\n"
        wait_until(lambda: api.watches, "its watch")
        process.terminate()
        assert process.wait() == 0


def test_a_deployment_without_launchers_needs_no_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENARIST_RUNNER", "celery")
    refused = CliRunner().invoke(app, ["dispatch"]).exception
    assert isinstance(refused, NothingToDispatch) and "SCENARIST_RUNNER" in refused.next_step
